"""Nodes that joined and that Karpenter never calls initialized. It knows no timeout for that."""

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.controller import down
from karpenter_check.disruption.life_signs import signs_of_life
from karpenter_check.finding import Blame, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.nodeclaim import AWAITS, became, nodeclaim_ref, owner_of_nodeclaim, reason_of, said_of
from karpenter_check.scheduling.nomination import asks_for_devices, node_ref
from karpenter_check.scheduling.startup_taints import is_ephemeral, known_remover, removers, startup_taints_left, unremovable
from karpenter_check.snapshot import GRACE, Kind, Node, NodeClaim, Snapshot
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.moments import at_and_distance
from karpenter_check.snapshot.node import Taint
from karpenter_check.snapshot.quantity import milli

_CAUSES = {
    "NodeNotFound": "node_gone",
    "NodeNotReady": "not_ready",
    "StartupTaintsExist": "startup_taint",
    "KnownEphemeralTaintsExist": "ephemeral_taint",
    "ResourceNotRegistered": "resource",
    "DRADriverPoolsNotPublished": "dra_driver",
    AWAITS: "not_tried",
}
_TAINTED = {"startup_taint", "ephemeral_taint"}
_QUOTED = re.compile(r'(?:StartupTaint|KnownEphemeralTaint|Resource) "(?P<name>[^"]+)"')


@dataclass(frozen=True)
class _Uninitialized:
    """A node that waits."""

    claim: NodeClaim
    node: Node | None
    since: datetime
    """Since when it is registered."""
    word: str
    """What Karpenter waits for, of `_CAUSES`."""
    what: str
    """The taint or the resource that it waits for; else empty."""
    severity: Severity

    @property
    def cause(self) -> str:
        return f"{self.word}:{self.what.partition(':')[0].partition('=')[0]}" if self.what else self.word

    @property
    def name(self) -> str:
        return self.node.name if self.node else self.claim.status.node_name


@rule(severity=Severity.HIGH, needs={Kind.NODECLAIM, Kind.NODE}, since="0.1.0", stage=Stage.NODECLAIM)
def nodeclaim_not_initialized(
    snapshot: Snapshot,
    *,
    warn_after: timedelta = timedelta(minutes=5),
    fail_after: timedelta = timedelta(minutes=10),
    fail_after_for_devices: timedelta = timedelta(minutes=20),
) -> Iterator[Finding]:
    """A node joined and is never initialized: it is paid for, and Karpenter does not disrupt it."""
    found: dict[tuple[Ref, str], list[_Uninitialized]] = defaultdict(list)
    for claim in snapshot.nodeclaims:
        devices = asks_for_devices(claim)
        warn, fail = (fail_after, fail_after_for_devices) if devices else (warn_after, fail_after)
        if entry := _uninitialized(snapshot, claim, max(warn, GRACE), fail):
            found[owner_of_nodeclaim(claim), entry.cause].append(entry)
    for (owner, cause), entries in found.items():
        yield _finding(
            snapshot, owner, cause, sorted(entries, key=lambda entry: (entry.severity.rank, entry.since, entry.claim.name))
        )


def _uninitialized(snapshot: Snapshot, claim: NodeClaim, warn_after: timedelta, fail_after: timedelta) -> _Uninitialized | None:
    """The node of the claim, if it is registered for so long. What its label calls initialized is so, whatever the condition says."""
    condition, node = claim.condition("Initialized"), snapshot.node_of_nodeclaim.get(claim.name)
    since = became(claim, "Registered")
    if not (claim.is_true("Registered") and condition and condition.status != "True" and since):
        return None
    going = claim.metadata.deletion_timestamp or (node and node.metadata.deletion_timestamp)
    if going or (node and node.initialized) or snapshot.taken_at - since < warn_after:
        return None
    word = _CAUSES.get(condition.reason, "other")
    ready = node.readiness.last_transition_time if node and node.ready and node.readiness else None
    if word == "not_ready" and ready and snapshot.taken_at - ready >= warn_after:
        word = "not_tried"
    what = _what(claim, node, word)
    if node and _passed(node, word, what):
        return None  # between two lists, or as Karpenter was about to see it
    severity = Severity.HIGH.lowered(0 if snapshot.taken_at - since >= fail_after else 2)
    return _Uninitialized(claim, node, since, word, what, severity)


def _passed(node: Node, word: str, what: str) -> bool:
    """Whether what Karpenter waited for when it last looked has come to pass."""
    match word:
        case "startup_taint" | "ephemeral_taint":
            return not what
        case "not_ready":
            return node.ready
        case "resource":
            return bool(what) and milli(node.status.allocatable.get(what, 0)) > 0
        case _:
            return word == "node_gone"


def _what(claim: NodeClaim, node: Node | None, word: str) -> str:
    """The taint that is there, or else what the condition's message names."""
    if word in _TAINTED and node:
        taints = startup_taints_left(claim, node) if word == "startup_taint" else [*filter(is_ephemeral, node.spec.taints)]
        return str(taints[0]) if taints else ""
    condition = claim.condition("Initialized")
    quoted = _QUOTED.match(condition.message) if condition and word in {*_TAINTED, "resource"} else None
    return clip(quoted["name"]) if quoted else ""


def _finding(snapshot: Snapshot, owner: Ref, cause: str, entries: Sequence[_Uninitialized]) -> Finding:
    first, several = entries[0], len(entries) > 1
    ref, ago = nodeclaim_ref(first.claim), spoken(snapshot.taken_at - min(entry.since for entry in entries))
    some = f"{len(entries)} nodes joined up to {ago} ago and were" if several else f"joined {ago} ago and was"
    taints = ", ".join(map(str, first.node.spec.taints)) if first.node else ""
    return Finding(
        object=owner if several else ref,
        owner=owner,
        nodepool=first.claim.nodepool,
        cause=cause,
        severity=first.severity,
        message=f"{some} never initialized: {_in_short(first)}",
        why=_why(snapshot, first),
        cost=f"{plural(len(entries), 'node')} paid for; Karpenter neither consolidates nor replaces {'them' if several else 'it'} after drift, "
        f"and goes on planning pods there; {_ends(snapshot, first.claim)}",
        impact=Impact(nodes=len(entries)),
        evidence=(
            Evidence(ref, "status.conditions Initialized", said_of(first.claim, "Initialized")),
            *([Evidence(node_ref(first.name), "spec.taints", clip(taints))] if taints and first.word in _TAINTED else []),
        ),
        occurrences=tuple(
            Occurrence(nodeclaim_ref(entry.claim), entry.claim.metadata.uid, entry.name, entry.word, entry.since)
            for entry in entries
        ),
        since=min(entry.since for entry in entries),
        fix=tuple(_fix(snapshot, entries)),
        blames=tuple(_blamed(snapshot, entries)),
    )


def _ends(snapshot: Snapshot, claim: NodeClaim) -> str:
    created = claim.metadata.creation_timestamp
    if claim.expire_after is None or created is None:
        return "nothing ends that: it has no expireAfter"
    return f"only expireAfter ends that, at {at_and_distance(snapshot, created + claim.expire_after)}"


def _in_short(entry: _Uninitialized) -> str:
    match entry.word:
        case "startup_taint":
            return f"nobody takes its startup taint {entry.what} away"
        case "ephemeral_taint":
            return f"the taint {entry.what} does not go away"
        case "resource":
            return f"it has none of the {entry.what} that it was bought for"
        case "not_ready":
            return "the node is not Ready"
        case "node_gone":
            return "its Node is gone"
        case "dra_driver":
            return "a DRA driver has published no devices"
        case "not_tried":
            looked = reason_of(entry.claim, "Initialized") != AWAITS
            return "it is Ready, and Karpenter has not looked since" if looked else "Karpenter has not looked at it"
        case _:
            return clip(reason_of(entry.claim, "Initialized")) or "Karpenter does not say why"


def _why(snapshot: Snapshot, entry: _Uninitialized) -> str:
    why = said_of(entry.claim, "Initialized")
    if entry.word == "not_ready" and entry.node and (ready := entry.node.readiness):
        return f"{why}; Node {entry.name}: Ready is {ready.status}, {clip(ready.message or ready.reason) or 'without a word'}"
    if entry.word == "not_tried":
        return f"{why}; {signs_of_life(snapshot)}"
    taint = _taint(entry)
    if taint and taint.key.startswith("node.cloudprovider.kubernetes.io/"):
        return f"{why}; the cloud controller manager takes it away"
    if taint and taint.key.startswith("readiness.k8s.io/"):
        return f"{why}; the node readiness controller takes it away as its rule is met"
    if not taint or not entry.node or entry.word != "startup_taint":
        return why
    found = removers(snapshot, taint, entry.node)
    if known := known_remover(taint.key):
        why += f"; {known} takes it away"
    if found is None:
        return f"{why}; which DaemonSets tolerate it is not known: DaemonSet is {snapshot.covered(Kind.DAEMONSET)}"
    if found.agents:
        return f"{why}; made for it: {few([str(ref) for ref in found.agents], 3)}"
    blanket = (
        f", {plural(found.blanket, 'DaemonSet')} only because {'they tolerate' if found.blanket > 1 else 'it tolerates'} everything"
    )
    return f"{why}; no DaemonSet names it in a toleration{blanket if found.blanket else ''}"


def _taint(entry: _Uninitialized) -> Taint | None:
    taints = entry.node.spec.taints if entry.node and entry.word in _TAINTED else ()
    return next((taint for taint in taints if str(taint) == entry.what), None)


def _fix(snapshot: Snapshot, entries: Sequence[_Uninitialized]) -> Iterator[Fix]:
    first = entries[0]
    claim, node, taint = shlex.quote(first.claim.name), shlex.quote(first.name), _taint(first)
    more = f"and so for {plural(len(entries) - 1, 'other node')}" if len(entries) > 1 else ""
    if taint and first.word == "startup_taint":
        command = f"kubectl taint node {node} {shlex.quote(f'{taint.key}:{taint.effect}-')}"
        yield Fix("stop", command, more, "pods come there at once, whether or not what they need runs there")
    else:
        yield Fix(
            "stop", f"kubectl delete nodeclaim {claim}", more, "Karpenter drains it and buys another, which may stay the same"
        )
    agents = removers(snapshot, taint, first.node) if taint and first.node else None
    if taint and agents and agents.agents:
        agent = agents.agents[0]
        fields = f"--field-selector spec.nodeName={node}"
        yield Fix(
            "fix", f"kubectl get pods -n {shlex.quote(agent.namespace)} {fields}", text=f"see why {agent.name} is not ready there"
        )
    elif first.word == "not_ready":
        yield Fix("fix", f"kubectl describe node {node}", text="mend what Ready names: the network plugin, the kubelet, the disk")
    elif first.word == "resource":
        yield Fix(
            "fix",
            f"kubectl get pods -A --field-selector spec.nodeName={node}",
            text=f"see whether the device plugin of {first.what} runs there",
        )
    elif first.word == "startup_taint":
        yield Fix(
            "fix",
            text="run what takes the taint away, or take it out of the NodePool's startupTaints",
            risk="an edit of startupTaints drifts the pool's nodes",
        )
    else:
        yield Fix("fix", f"kubectl describe nodeclaim {claim}", text="mend what Initialized names")
    yield verification("nodeclaim-not-initialized", nodepool=first.claim.nodepool)


def _blamed(snapshot: Snapshot, entries: Sequence[_Uninitialized]) -> Iterator[Blame]:
    """The Node that is not Ready; the DaemonSets that should take a taint away; its nodes, where nobody can; a NodeClaim whose Node is gone; Karpenter, if down."""
    first = entries[0]
    if first.word == "not_ready":
        yield from (Blame(node_ref(entry.name)) for entry in entries if entry.name)
    if first.word == "not_tried":
        yield from map(Blame, down(snapshot, first.claim.spec.node_class_ref.api_group))
    if first.word == "node_gone":
        yield from (Blame(nodeclaim_ref(entry.claim)) for entry in entries)
    taint = _taint(first)
    if not taint or not first.node or first.word != "startup_taint":
        return
    found = removers(snapshot, taint, first.node)
    yield from map(Blame, found.agents if found else ())
    if unremovable(snapshot, taint, first.node):
        yield from (Blame(node_ref(entry.name)) for entry in entries if entry.name)
