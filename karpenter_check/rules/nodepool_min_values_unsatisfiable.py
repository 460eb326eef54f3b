"""NodePools that ask for more values of a label (minValues) than can be had."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.labels import Provider, may_be_known
from karpenter_check.scheduling.nodepool import OF_EVERY_INSTANCE
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.template import nodepool_templates
from karpenter_check.snapshot import Kind, NodeClaim, NodePool, Snapshot
from karpenter_check.snapshot.event import Event

_ZONE = "topology.kubernetes.io/zone"
_RECENT = timedelta(hours=1)
_SAID = "due to minvalues incompatibility"


@rule(severity=Severity.MEDIUM, needs={Kind.NODEPOOL}, since="0.1.0", stage=Stage.NODEPOOL, of_manifests=True)
def nodepool_min_values_unsatisfiable(snapshot: Snapshot) -> Iterator[Finding]:
    """A NodePool's minValues asks for more values of a label than its requirements, its zones or its instance types have."""
    relaxed = _relaxed(snapshot)
    for nodepool in snapshot.nodepools:
        if nodepool.static or nodepool.metadata.deletion_timestamp:
            continue
        event, claims = _event(snapshot, nodepool), relaxed.get(nodepool.name, ())
        if claims and not event:
            yield _relaxed_finding(nodepool, claims)
            continue
        short = list(_short(snapshot, nodepool))
        for requirement, there in short:
            asked = f"minValues of {requirement.key} is {requirement.min_values}, and {there}"
            yield _finding(nodepool, f"label:{requirement.key}", asked, _evidence(nodepool, requirement, event))
        if event and not short:
            said = "its minValues leave no instance type, as Karpenter says itself"
            yield _finding(nodepool, "event", said, (Evidence.of_event(event),))


def _relaxed(snapshot: Snapshot) -> Mapping[str, Sequence[NodeClaim]]:
    """The NodeClaims that were made with less than minValues (MIN_VALUES_POLICY BestEffort), by NodePool."""
    found: dict[str, list[NodeClaim]] = defaultdict(list)
    for claim in snapshot.nodeclaims:
        if claim.metadata.annotations.min_values_relaxed == "true" and not claim.metadata.deletion_timestamp:
            found[claim.nodepool].append(claim)
    return found


def _event(snapshot: Snapshot, nodepool: NodePool) -> Event | None:
    """Karpenter's own word of the last hour (`provisioning/scheduling/events.go:NoCompatibleInstanceTypes`, 1.13)."""
    for event in snapshot.events_by_reason.get("NoCompatibleInstanceTypes", ()):
        about, last = event.involved_object, event.last_seen
        same = about.kind == "NodePool" and about.name == nodepool.name and about.uid in {"", nodepool.metadata.uid}
        recent = last is not None and snapshot.taken_at - last <= _RECENT
        if same and recent and event.message.lower().rstrip(" .").endswith(_SAID):
            return event
    return None


def _short(snapshot: Snapshot, nodepool: NodePool) -> Iterator[tuple[Requirement, str]]:
    """The requirements that cannot have so many values, and what there is.

    Counted are the values of the instance types themselves, not those that the NodePool lets be: an instance type that comes in three
    zones counts as three though the NodePool wants one (`cloudprovider/types.go:SatisfiesMinValues`, 1.13).
    """
    template, zones = nodepool_templates(snapshot)[nodepool.name], _zones(snapshot, nodepool)
    provider = template.provider
    for key, merged in template.requirements.by_key.items():
        minimum, known = merged.min_values or 0, provider.values_of(key, snapshot.karpenter_version)
        unknown = not provider.knows(key) and not may_be_known(key, snapshot.karpenter_version)
        finite = not merged.complement and (merged.values or key not in OF_EVERY_INSTANCE)  # the rest is a contradiction
        if not minimum:
            continue
        if _single(provider, key) and finite and len(merged.values) < minimum:
            yield merged, f"its requirements leave {_listed(merged.values)}"
        elif known and (valid := _fewest_valid(nodepool, provider, key, known)) < minimum:
            yield merged, f"there are {valid} valid values"
        elif key == _ZONE and zones and len(zones) < minimum:
            yield merged, f"the subnets of its node class are in {_listed(zones)}"
        elif unknown and provider.proven:
            yield merged, "no instance type has such a label"


def _single(provider: Provider, key: str) -> bool:
    """Whether each instance type has one value of the label at most: not so of zones, capacity types and tenancies."""
    instance = key in provider.well_known and "/instance-" in key and not key.endswith("/instance-tenancy")
    return instance or key == "kubernetes.io/arch"


def _fewest_valid(nodepool: NodePool, provider: Provider, key: str, known: frozenset[str]) -> int:
    """The valid values of the shortest list that asks for some (`apis/v1/nodeclaim_validation.go:validateWellKnownValues`, 1.13)."""
    written = nodepool.spec.template.spec.requirements
    own = [entry for entry in written if provider.normalize(entry.key) == key and entry.operator == "In" and entry.min_values]
    return min([len(known), *(len(known.intersection(entry.values)) for entry in own)])


def _zones(snapshot: Snapshot, nodepool: NodePool) -> frozenset[str]:
    """The zones of the subnets of its node class; none where they are not known."""
    nodeclass = snapshot.nodeclass_of(nodepool)
    return frozenset(subnet.zone for subnet in nodeclass.status.subnets if subnet.zone) if nodeclass else frozenset()


def _listed(values: frozenset[str]) -> str:
    return f"{len(values)}: {', '.join(sorted(values))}" if values else "none"


def _ref(nodepool: NodePool) -> Ref:
    return Ref("NodePool", nodepool.name, "karpenter.sh/v1")


def _evidence(nodepool: NodePool, requirement: Requirement, event: Event | None) -> tuple[Evidence, ...]:
    path = f"spec.template.spec.requirements[key={requirement.key}].minValues"
    said = (Evidence.of_event(event),) if event else ()
    return (Evidence(_ref(nodepool), path, str(requirement.min_values)), *said)


def _fixes(nodepool: NodePool) -> tuple[Fix, ...]:
    return (
        Fix("fix", f"kubectl edit nodepool {shlex.quote(nodepool.name)}", "lower minValues, or allow more values", "an edit of the template drifts its nodes"),
        verification("nodepool-min-values-unsatisfiable"),
    )  # fmt: skip


def _finding(nodepool: NodePool, cause: str, said: str, evidence: tuple[Evidence, ...]) -> Finding:
    """It is likely only: the minValues policy is in no object, and with BestEffort Karpenter buys all the same."""
    ref = _ref(nodepool)
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool.name,
        cause=cause,
        confidence=Confidence.LIKELY,
        message=f"{nodepool.name} buys no nodes: {said}",
        why="Karpenter leaves a NodePool out whose minValues cannot be met, unless its minValues policy is BestEffort",
        evidence=evidence,
        fix=_fixes(nodepool),
    )


def _relaxed_finding(nodepool: NodePool, claims: Sequence[NodeClaim]) -> Finding:
    ref, some = _ref(nodepool), f"{len(claims)} NodeClaim{'s' * (len(claims) != 1)}"
    refs = [Ref("NodeClaim", claim.name, "karpenter.sh/v1") for claim in claims]
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool.name,
        cause="relaxed",
        severity=Severity.LOW,
        message=f"{some} of {nodepool.name} {'was' if len(claims) == 1 else 'were'} made with fewer values than its minValues ask for",
        why="Karpenter's minValues policy is BestEffort, or was: it buys with what there is",
        impact=Impact(nodeclaims=len(claims)),
        evidence=(Evidence(refs[0], "metadata.annotations[karpenter.sh/nodeclaim-min-values-relaxed]", "true"),),
        occurrences=tuple(
            Occurrence(of, claim.metadata.uid, claim.status.node_name, "", claim.metadata.creation_timestamp)
            for of, claim in zip(refs, claims, strict=True)
        ),
        fix=_fixes(nodepool),
    )
