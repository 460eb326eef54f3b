"""NodePools whose requirements and labels ask for what no instance can be."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Ref, Severity, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.labels import CAPACITY_TYPE, Provider, provider_of
from karpenter_check.scheduling.nodepool import OF_EVERY_INSTANCE
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.requirements import Requirements
from karpenter_check.snapshot import Kind, NodePool, Snapshot, Version
from karpenter_check.snapshot.nodepool import NodeClass

_ZONE, _ARCH = "topology.kubernetes.io/zone", "kubernetes.io/arch"
_NOUNS = {CAPACITY_TYPE: "capacity type", _ZONE: "zone", _ARCH: "architecture"}


@dataclass(frozen=True)
class _Entry:
    """A requirement or label as it is written, where it is written, and what Karpenter makes of it."""

    path: str
    written: str
    requirement: Requirement
    ignored: tuple[str, ...] = ()
    """Values that Karpenter takes no notice of, since the label cannot have them."""

    @property
    def void(self) -> bool:
        """Whether not one of its values is valid."""
        return bool(self.ignored) and not self.requirement.values


@rule(severity=Severity.HIGH, needs={Kind.NODEPOOL}, since="0.1.0", stage=Stage.NODEPOOL, judges_ages=False, of_manifests=True)
def nodepool_requirements_contradictory(snapshot: Snapshot) -> Iterator[Finding]:
    """A NodePool's requirements and labels contradict each other, its node class, or what a label can be."""
    for nodepool in snapshot.nodepools:
        if nodepool.metadata.deletion_timestamp:
            continue
        node_class = snapshot.nodeclass_of(nodepool)
        provider = provider_of(nodepool.spec.template.spec.node_class_ref.api_group)
        for key, entries in _entries(nodepool, provider, snapshot.karpenter_version).items():
            yield from _invalid(nodepool, key, entries, checked=_checked(provider, snapshot.karpenter_version, key))
            if any(entry.void for entry in entries):
                continue  # nothing is left to contradict
            known = _known(provider, snapshot.karpenter_version, key)
            if contradiction := _contradiction(key, entries, known, carried=_carried(provider, key)):
                yield _empty(nodepool, provider, key, contradiction)
            elif node_class:
                yield from _at_odds(nodepool, key, entries, node_class)


def _known(provider: Provider, version: Version | None, key: str) -> frozenset[str] | None:
    """All the values that a label can have, where they are known: capacity types are the same for every version."""
    return provider.known_values.get(key) if key == CAPACITY_TYPE else provider.values_of(key, version)


def _checked(provider: Provider, version: Version | None, key: str) -> bool:
    """Whether it is known that this Karpenter compares values of the key with those that it knows."""
    return provider.recognised and provider.values_of(key, version) is not None


def _entries(nodepool: NodePool, provider: Provider, version: Version | None) -> Mapping[str, Sequence[_Entry]]:
    """What is written of each key (`provisioning/scheduling/nodeclaimtemplate.go:NewNodeClaimTemplate`, 1.13)."""
    found: dict[str, list[_Entry]] = defaultdict(list)
    template = nodepool.spec.template
    for place, entry in enumerate(template.spec.requirements):
        key = provider.normalize(entry.key)
        known = _known(provider, version, key) if entry.operator == "In" else None
        ignored = tuple(value for value in entry.values if known is not None and value not in known)
        values = [value for value in entry.values if value not in ignored]
        listed = f" [{', '.join(entry.values)}]" if entry.values else ""
        requirement = Requirement.of(key, entry.operator, values)
        found[key].append(
            _Entry(f"spec.template.spec.requirements[{place}]", f"{entry.key} {entry.operator}{listed}", requirement, ignored)
        )
    for name, value in template.metadata.labels.items():
        key = provider.normalize(name)
        found[key].append(_Entry(f"spec.template.metadata.labels.{name}", f"{name}: {value}", Requirement.of(key, "In", (value,))))
    return found


def _leaves_nothing(key: str, entries: Sequence[_Entry], known: frozenset[str] | None) -> bool:
    """Whether no value is left that all of them allow; what is left of `known` values, where they are known."""
    possible = [Requirement.of(key, "In", known)] if known else []
    merged = Requirements.of([*(entry.requirement for entry in entries), *possible])
    return merged.by_key[key].operator == "DoesNotExist"


def _carried(provider: Provider, key: str) -> bool:
    """Whether every instance of the provider's has the label."""
    return key in OF_EVERY_INSTANCE and key in provider.well_known


def _contradiction(key: str, entries: Sequence[_Entry], known: frozenset[str] | None, *, carried: bool) -> Sequence[_Entry]:
    """The fewest entries that leave no value between them, or none.

    A label that not every instance has may be asked not to be there; only with an entry that wants it is that a contradiction.
    """
    groups = chain.from_iterable(combinations(entries, size) for size in (1, 2, len(entries)))
    wanting = (group for group in groups if carried or not all(entry.requirement.excludes for entry in group))
    return next((group for group in wanting if _leaves_nothing(key, group, known)), ())


def _empty(nodepool: NodePool, provider: Provider, key: str, entries: Sequence[_Entry]) -> Finding:
    name = nodepool.name
    if _carried(provider, key):
        message, severity = f"{name} can never buy a node: its requirements leave no {_noun(key)}", Severity.HIGH
        why = "every instance has one"
    elif provider.knows(key):
        message, severity = f"{name} can only buy nodes without {key}, though it asks for the label", Severity.MEDIUM
        why = "Karpenter takes requirements that leave no value as DoesNotExist"
    else:
        message, severity = f"no pod that asks for {key} ever gets a node of {name}", Severity.MEDIUM
        why = "Karpenter takes requirements that leave no value as DoesNotExist; other pods still get nodes"
    return _finding(nodepool, f"label:{key}", severity, message, f"{_said(entries)}; {why}", entries)


def _invalid(nodepool: NodePool, key: str, entries: Sequence[_Entry], *, checked: bool) -> Iterator[Finding]:
    """Values that the label cannot have (`apis/v1/nodeclaim_validation.go:validateWellKnownValues`, 1.13)."""
    wrong = [entry for entry in entries if entry.ignored]
    if not wrong:
        return
    noun = _noun(key)
    ignored = sorted({value for entry in wrong for value in entry.ignored})
    are = f"{', '.join(ignored)} {f'is no {noun}' if len(ignored) == 1 else f'are no {noun}s'}"
    confidence = Confidence.CERTAIN if checked else Confidence.LIKELY
    if any(entry.void for entry in wrong):
        message, severity = f"{nodepool.name} can never buy a node: {are}", Severity.HIGH
        why = "Karpenter refuses the NodePool, which is not Ready" if checked else "no instance has such a one"
    else:
        valid = sorted(frozenset.intersection(*(entry.requirement.values for entry in wrong)))
        counts = f"only {', '.join(valid)} count{'s' * (len(valid) == 1)}" if valid else "and the others contradict each other"
        message, severity = f"{are}; {counts}", Severity.MEDIUM
        why = "Karpenter ignores it beside valid ones" + (", and says so in its log only" if checked else "")
    yield _finding(nodepool, f"values:{key}", severity, message, f"{_said(wrong)}; {why}", wrong, confidence)


def _at_odds(nodepool: NodePool, key: str, entries: Sequence[_Entry], node_class: NodeClass) -> Iterator[Finding]:
    """A zone without a subnet, or an architecture without an image."""
    asked = Requirements.of(entry.requirement for entry in entries).by_key[key]
    status = node_class.status
    if key == _ZONE and (there := sorted({subnet.zone for subnet in status.subnets if subnet.zone})):
        if asked.has_intersection(Requirement.of(key, "In", there)):
            return
        evidence, path = f"its subnets are in {', '.join(there)}", "status.subnets"
    elif key == _ARCH and status.amis:
        images = [[entry for entry in image.requirements if entry.key == _ARCH] for image in status.amis]
        merged = [Requirements.of(Requirement.of(key, entry.operator, entry.values) for entry in image) for image in images]
        if any(key not in image.by_key or asked.has_intersection(image.by_key[key]) for image in merged):
            return
        there = sorted({value for image in images for entry in image for value in entry.values})
        evidence, path = f"its images are for {', '.join(there)}", "status.amis[].requirements"
    else:
        return
    ref = Ref(node_class.kind, node_class.metadata.name, node_class.api_version)
    lacks = "subnet in a zone" if key == _ZONE else "image for an architecture"
    message = f"{nodepool.name} can never buy a node: {ref} has no {lacks} that it allows"
    yield _finding(
        nodepool, f"nodeclass:{key}", Severity.HIGH, message, f"{_said(entries)}; {evidence}", entries,
        more=(Evidence(ref, path, ", ".join(there)),),
    )  # fmt: skip


def _noun(key: str) -> str:
    return _NOUNS.get(key, f"value of {key}" if key not in OF_EVERY_INSTANCE else key)


def _said(entries: Sequence[_Entry]) -> str:
    return " and ".join(entry.written for entry in entries)


def _finding(
    nodepool: NodePool, cause: str, severity: Severity, message: str, why: str, entries: Sequence[_Entry],
    confidence: Confidence = Confidence.CERTAIN, more: tuple[Evidence, ...] = (),
) -> Finding:  # fmt: skip
    ref = Ref("NodePool", nodepool.name, "karpenter.sh/v1")
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool.name,
        cause=cause,
        severity=severity,
        confidence=confidence,
        message=message,
        why=why,
        evidence=(*(Evidence(ref, entry.path, entry.written) for entry in entries), *more),
        fix=(
            Fix("fix", f"kubectl edit nodepool {shlex.quote(nodepool.name)}", "correct what contradicts, or take it away", "an edit of the template drifts its nodes"),
            verification("nodepool-requirements-contradictory"),
        ),
    )  # fmt: skip
