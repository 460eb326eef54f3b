"""Whether a node is nominated: Karpenter keeps it for a pod that it expects there, and disrupts it by none of its graceful ways.

A nomination lives in Karpenter's memory alone (`controllers/state/statenode.go:Nominate`). Events tell of it, and not of each:
one of the same pod or node is not repeated for 2 minutes (`events/recorder.go`), and some are dropped.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.blocker import Blocker, Lasts, Word
from karpenter_check.disruption.state_node import StateNode
from karpenter_check.finding import Confidence, earliest
from karpenter_check.scheduling.nomination import Nominee, nominees, pod_ref, target_node
from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.duration import duration, spoken
from karpenter_check.snapshot.event import Event, by_karpenter
from karpenter_check.snapshot.once import once

_BATCH_MAX_DURATION = timedelta(seconds=10)
_SHORTEST = timedelta(seconds=10)
_REPEATED_AFTER = timedelta(minutes=2)
_SAID = "nominated for a pending pod"


@dataclass(frozen=True)
class _Live:
    nominee: Nominee
    last: datetime
    renewed: bool
    """Whether Karpenter goes on nominating it, because the pod still has to come."""


@once
def nomination_window(snapshot: Snapshot) -> timedelta:
    """How long a nomination holds: twice BATCH_MAX_DURATION, 10 s at the least (`statenode.go:nominationWindow`).

    Where the setting is not told, as with a controller outside of the cluster, its default of 10 s is taken.
    """
    for deployment in snapshot.deployments:
        if deployment.metadata.labels.get("app.kubernetes.io/name") == "karpenter":
            for container in deployment.spec.template.spec.containers:
                for variable in container.env:
                    if variable.name == "BATCH_MAX_DURATION" and (batch := duration(variable.value)):
                        return max(2 * batch, _SHORTEST)
    return 2 * _BATCH_MAX_DURATION


def _comes_again(snapshot: Snapshot, nominee: Nominee) -> bool:
    """Whether the pod still needs a node: it waits, or it runs on one that is on its way out."""
    host = snapshot.nodes_by_name.get(nominee.pod.node_name)
    leaving = host is not None and host.metadata.deletion_timestamp is not None
    return nominee.pod.active and (not nominee.pod.node_name or leaving)


@once
def _live(snapshot: Snapshot) -> Mapping[str, Sequence[_Live]]:
    """The nominations that may hold now, by the node that they name, longest first."""
    found: dict[str, list[_Live]] = defaultdict(list)
    window = nomination_window(snapshot)
    for nominee in nominees(snapshot).values():
        node, last = target_node(snapshot, nominee), nominee.latest.last_seen
        if node is None or last is None:
            continue
        renewed = nominee.pod.node_name != node.name and _comes_again(snapshot, nominee)
        if snapshot.taken_at - last <= window + (_REPEATED_AFTER if renewed else timedelta()):
            found[node.name].append(_Live(nominee, last, renewed))
    return {
        name: sorted(live, key=lambda entry: (entry.nominee.since, entry.nominee.pod.metadata.uid)) for name, live in found.items()
    }


@once
def _said(snapshot: Snapshot) -> Mapping[tuple[str, str], Event]:
    """Karpenter's latest word that an object is nominated, by kind and name."""
    found: dict[tuple[str, str], Event] = {}
    for event in snapshot.events_by_reason.get("DisruptionBlocked", ()):
        about, last = (event.involved_object.kind, event.involved_object.name), event.last_seen
        if last is None or not by_karpenter(event) or _SAID not in event.message.lower():
            continue
        before = found[about].last_seen if about in found else None
        if before is None or last > before:
            found[about] = event
    return found


@once
def anybody_waits(snapshot: Snapshot) -> bool:
    """Whether there is a pod that Karpenter may nominate a node for: one that waits, or one on a node that is on its way out."""
    leaving = (node.name for node in snapshot.nodes if node.metadata.deletion_timestamp)
    return any(pod.active for pod in snapshot.unbound_pods) or any(snapshot.pods_on_node.get(name) for name in leaving)


def nomination_of(snapshot: Snapshot, state: StateNode) -> Blocker | None:
    """That the node is nominated, inferred from events; None where nothing says so, which proves nothing."""
    live, window = _live(snapshot).get(state.name, ()), nomination_window(snapshot)
    if live:
        pods = tuple(pod_ref(entry.nominee.pod) for entry in live)
        more = f" and {len(pods) - 1} more" if len(pods) > 1 else ""
        until = None if any(entry.renewed for entry in live) else max(entry.last for entry in live) + window
        since = earliest(entry.nominee.since for entry in live)
        said = f"Karpenter keeps it for {pods[0]}{more}"
        return Blocker(Word.NOMINATED, said, pods, Confidence.LIKELY, Lasts.MAY_END, since, until)
    words = [word for ref in state.refs if (word := _said(snapshot).get((ref.kind, ref.name)))]
    heard = max((word for word in words if word.last_seen), key=lambda word: word.last_seen or snapshot.taken_at, default=None)
    if heard is None or heard.last_seen is None or snapshot.taken_at - heard.last_seen > window + _REPEATED_AFTER:
        return None
    age = snapshot.taken_at - heard.last_seen
    confidence = Confidence.LIKELY if age <= window else Confidence.POSSIBLE
    said = f"Karpenter said {spoken(age)} ago that it is nominated; no pod was seen that it is kept for"
    return Blocker(Word.NOMINATED, said, state.refs[:1], confidence, Lasts.MAY_END, heard.first_seen)
