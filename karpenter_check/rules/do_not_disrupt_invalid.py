"""What says do-not-disrupt in words that Karpenter does not know, and so is not protected."""

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from karpenter_check.disruption.do_not_disrupt import DO_NOT_DISRUPT, in_template, on_object
from karpenter_check.disruption.pods import KNOWS_DURATIONS, is_mirror
from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, clip, verification
from karpenter_check.rule import rule
from karpenter_check.scheduling.nomination import node_ref, pod_ref
from karpenter_check.snapshot import Kind, NodeClaim, NodePool, Snapshot
from karpenter_check.snapshot.counted import few
from karpenter_check.snapshot.duration import duration

_OFF = frozenset({"", "false", "f", "no", "n", "off", "0", "none", "null", "disabled"})
"""What somebody writes who wants no protection, and gets none."""
_DAYS = re.compile(r"\s*([0-9]{1,4})\s*(d|days?|w|weeks?|h|hours?|hrs?|m|min|minutes?)\s*", re.IGNORECASE)
_NUMERIC = re.compile(r"\s*[-+.]?[0-9]|\s*[-+]?P[0-9T]")
_HOURS = {"d": 24, "w": 7 * 24, "h": 1}
_LONGEST = 40
"""Characters of a value that are quoted."""
_PATHS = {"NodePool": f"spec.template.metadata.annotations[{DO_NOT_DISRUPT}]"}
_ON_NODES = 'of a node only "true" counts'


@dataclass(frozen=True)
class _Misread:
    """A value that Karpenter ignores."""

    cause: str
    because: str
    instead: str
    """What to write."""


@dataclass(frozen=True)
class _Place:
    """Where such a value stands."""

    object: Ref
    uid: str
    node: str
    value: str
    misread: _Misread


@rule(
    severity=Severity.MEDIUM,
    needs={Kind.NODE, Kind.NODECLAIM, Kind.NODEPOOL, Kind.POD},
    since="0.1.0",
    judges_ages=False,
)
def do_not_disrupt_invalid(snapshot: Snapshot) -> Iterator[Finding]:
    """Pods, nodes or NodePools say do-not-disrupt with a value that Karpenter ignores."""
    found: dict[tuple[Ref, str], list[_Place]] = defaultdict(list)
    for nodepool in snapshot.nodepools:
        if misread := _of_node(nodepool.spec.template.metadata.annotations.do_not_disrupt, "template"):
            ref = _pool(nodepool.name)
            value = nodepool.spec.template.metadata.annotations.do_not_disrupt
            found[ref, misread.cause].append(_Place(ref, nodepool.metadata.uid, "", value, misread))
    for claim in snapshot.nodeclaims:
        for owner, place in _places(snapshot, claim):
            found[owner, place.misread.cause].append(place)
    for (owner, cause), places in found.items():
        yield _finding(snapshot, owner, cause, places)


def _pool(name: str) -> Ref:
    return Ref("NodePool", name, "karpenter.sh/v1")


def _owner(claim: NodeClaim) -> Ref:
    """Its NodePool; of a NodeClaim that somebody made by hand, itself."""
    return _pool(claim.nodepool) if claim.nodepool else Ref("NodeClaim", claim.name, "karpenter.sh/v1")


def _places(snapshot: Snapshot, claim: NodeClaim) -> Iterator[tuple[Ref, _Place]]:
    """The values on a node and on its pods; what came from its NodePool's template is told of that."""
    node, nodepool = snapshot.node_of_nodeclaim.get(claim.name), snapshot.nodepools_by_name.get(claim.nodepool)
    if node is None:
        return
    value, misread = node.metadata.annotations.do_not_disrupt, _of_node(node.metadata.annotations.do_not_disrupt, "node")
    if misread and not _says(nodepool, value):
        yield _owner(claim), _Place(node_ref(node.name), node.metadata.uid, node.name, value, misread)
    for pod in snapshot.pods_on_node.get(node.name, ()):
        value = pod.metadata.annotations.do_not_disrupt
        if value and pod.active and (misread := _of_pod(snapshot, value)):
            owner = _owner(claim) if is_mirror(pod) else snapshot.owner(pod)
            yield owner, _Place(pod_ref(pod), pod.metadata.uid, node.name, value, misread)


def _says(nodepool: NodePool | None, value: str) -> bool:
    return nodepool is not None and nodepool.spec.template.metadata.annotations.do_not_disrupt == value


def _of_pod(snapshot: Snapshot, value: str) -> _Misread | None:
    """Why Karpenter ignores the value on a pod; None where it does not, or nobody meant to be protected (`parseDoNotDisrupt`)."""
    if value == "true" or value.strip().lower() in _OFF:
        return None
    lasts, version = duration(value), snapshot.karpenter_version
    old = version is not None and version < KNOWS_DURATIONS
    if lasts is None:
        if _NUMERIC.match(value) and value.strip() != "1":
            because = "is no duration: its units are h, m and s, as in 1h30m"
            return _Misread("not-a-duration", because, "true" if old else _in_hours(value))
        return _Misread("not-true", 'is not "true"', "true")
    if lasts <= timedelta(0):
        return _Misread("not-positive", "is no positive duration", "true")
    if version is None:
        return _Misread(
            "duration-too-new", "is a duration, which Karpenter knows since 1.12; which version runs is not known", "true"
        )
    known = f"is a duration, which Karpenter {version} does not know; 1.12 does"
    return _Misread("duration-too-new", known, "true") if old else None


def _of_node(value: str, where: str) -> _Misread | None:
    """Why Karpenter ignores the value on a node (`StateNode.ValidateNodeDisruptable`)."""
    if value == "true" or value.strip().lower() in _OFF:
        return None
    lasts = duration(value)
    if lasts is not None and lasts > timedelta(0):
        return _Misread(f"duration-on-{where}", f"is a duration, and {_ON_NODES}", "true")
    return _Misread(f"not-true-on-{where}", f'is not "true", and {_ON_NODES}', "true")


def _in_hours(value: str) -> str:
    """The span that was meant, as Go writes it; `true` where it cannot be told."""
    matched = _DAYS.fullmatch(value)
    if not matched or matched[1].strip("0") == "":
        return "true"
    number, unit = int(matched[1]), matched[2][0].lower()
    return f"{number * _HOURS[unit]}h" if unit in _HOURS else f"{number}m"


def _finding(snapshot: Snapshot, owner: Ref, cause: str, places: Sequence[_Place]) -> Finding:
    first, number, nodepool = places[0], len(places), owner.name if owner.kind == "NodePool" else ""
    misread, kind = first.misread, first.object.kind
    unsure = cause == "duration-too-new" and snapshot.karpenter_version is None
    values = [clip(value, _LONGEST) for value in dict.fromkeys(place.value for place in places)]
    who = owner.qualified_name if kind != "Node" else first.object.name if number == 1 else f"{number} nodes of {owner.name}"
    whose = {"NodePool": "its nodes", "Node": "it" if number == 1 else "each"}.get(
        kind, "its pod" if number == 1 else f"its {number} pods"
    )
    heard = kind == "Pod" and (snapshot.karpenter_version or KNOWS_DURATIONS) >= KNOWS_DURATIONS
    quiet = f"Karpenter ignores it{', and says so in events of the pod alone' if heard else ' without a word'}"
    nodes = {place.node for place in places if place.node}
    return Finding(
        object=first.object if kind == "Node" and number == 1 else owner,
        owner=owner,
        nodepool=nodepool,
        cause=cause,
        severity=Severity.INFO if unsure else None,
        confidence=Confidence.POSSIBLE if unsure else Confidence.CERTAIN,
        message=f"Karpenter {'may ignore' if unsure else 'ignores'} do-not-disrupt: {few(values, 2)} of {who}; {whose} may be disrupted",
        why=f'"{values[0]}" {misread.because}' + ("" if unsure else f"; {quiet}"),
        cost="Karpenter may disrupt what somebody meant to protect, at any time",
        impact=Impact(nodes=len(nodes) or None, pods=number if kind == "Pod" else None),
        evidence=(
            Evidence(first.object, _PATHS.get(kind, f"metadata.annotations[{DO_NOT_DISRUPT}]"), clip(first.value, _LONGEST)),
        ),
        occurrences=tuple(Occurrence(place.object, place.uid, place.node, cause) for place in places),
        fix=(
            *_fix(owner, places, versioned=snapshot.karpenter_version is not None),
            verification("do-not-disrupt-invalid", nodepool=nodepool, namespace=owner.namespace),
        ),
    )


def _fix(owner: Ref, places: Sequence[_Place], *, versioned: bool) -> Iterator[Fix]:
    """On the objects themselves it helps at once; in the template, those that come."""
    first, instead = places[0], places[0].misread.instead
    others = f"and so the other {len(places) - 1}" if len(places) > 1 else ""
    if instead != "true" and not versioned:
        others = "; ".join(filter(None, [others, 'before Karpenter 1.12 only "true" counts']))
    patch = in_template(owner, instead) if first.object.kind != "Node" else ""
    if first.object.kind == "NodePool":
        nodes = (
            f"kubectl annotate node -l {shlex.quote(f'karpenter.sh/nodepool={owner.name}')} --overwrite {DO_NOT_DISRUPT}={instead}"
        )
        yield Fix("stop", nodes, risk="Karpenter then disrupts none of them but by expiry")
        yield Fix("fix", patch, risk="drifts its nodes")
        return
    yield Fix("stop" if patch else "fix", on_object(first.object, instead), others)
    if patch:
        yield Fix("fix", patch, risk="replaces the pods, now or as its strategy says")
    elif first.object.kind == "Pod" and owner.kind == "Job":
        yield Fix("fix", text="a Job's template cannot be changed: mend what makes the Job")
    elif first.object.kind == "Pod" and owner.kind != "Pod":
        yield Fix("fix", text=f"mend what {owner} makes its pods from")
