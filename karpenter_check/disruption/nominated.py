"""Whether a node is nominated: Karpenter keeps it for a pod that it expects there, and disrupts it by none of its graceful ways.

A nomination lives in Karpenter's memory alone (`controllers/state/statenode.go:Nominate`). Events tell of it, and not of each:
one of the same pod or node is not repeated for 2 minutes (`events/recorder.go`), and some are dropped.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.blocked_events import TOLD_AGAIN, blocked_events, word_of
from karpenter_check.disruption.blocker import Blocker, Lasts, Word
from karpenter_check.disruption.state_node import StateNode
from karpenter_check.finding import Confidence, earliest
from karpenter_check.scheduling.nomination import Nominee, nominees, pod_ref, target_node
from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.controller_label import is_controllers
from karpenter_check.snapshot.counted import few
from karpenter_check.snapshot.duration import duration, later, spoken
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.once import once

_BATCH_MAX_DURATION = timedelta(seconds=10)
_SHORTEST = timedelta(seconds=10)
_REPEATED_AFTER = timedelta(minutes=2)
_REPEATS = timedelta(minutes=4)
"""A block that lasts is told again at least so often; rarer ones are single nominations of a busy node."""


@dataclass(frozen=True)
class _Told:
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
        if is_controllers(deployment.metadata):
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
def _told(snapshot: Snapshot) -> Mapping[str, Sequence[_Told]]:
    """The latest nomination of each pod, by the node that it names, the longest nominated first."""
    found: dict[str, list[_Told]] = defaultdict(list)
    for nominee in nominees(snapshot).values():
        node, last = target_node(snapshot, nominee), nominee.latest.last_seen
        if node and last:
            renewed = nominee.pod.node_name != node.name and _comes_again(snapshot, nominee)
            found[node.name].append(_Told(nominee, last, renewed))
    return {name: sorted(told, key=_longest_first) for name, told in found.items()}


def _longest_first(told: _Told) -> tuple[datetime, str, str]:
    metadata = told.nominee.pod.metadata
    return told.nominee.since, metadata.namespace, metadata.name


def _live(snapshot: Snapshot, node: str) -> Sequence[_Told]:
    """The nominations that may hold the node now."""
    window, now = nomination_window(snapshot), snapshot.taken_at
    return [
        told
        for told in _told(snapshot).get(node, ())
        if now - told.last <= window + (_REPEATED_AFTER if told.renewed else timedelta())
    ]


def _told_again(snapshot: Snapshot, last: datetime) -> bool:
    """Whether what Karpenter said then may go on."""
    return snapshot.taken_at - last <= max(TOLD_AGAIN, nomination_window(snapshot) + _REPEATED_AFTER)


@once
def renewed(snapshot: Snapshot) -> Mapping[str, Sequence[Nominee]]:
    """The pods that Karpenter goes on nominating each node for, because they still have to come; the longest nominated first."""
    going_on = {
        name: [entry.nominee for entry in told if entry.renewed and _told_again(snapshot, entry.last)]
        for name, told in _told(snapshot).items()
    }
    return {name: pods for name, pods in going_on.items() if pods}


def standing_word(snapshot: Snapshot, state: StateNode, times: int) -> Event | None:
    """Karpenter's word that the node is nominated, if it is recent and has come again and again, `times` at the least."""
    for event in _said(snapshot, state):
        first, last = event.first_seen, event.last_seen
        steady = first and last and event.times * _REPEATS >= last - first
        if last and steady and event.times >= times and _told_again(snapshot, last):
            return event
    return None


def _said(snapshot: Snapshot, state: StateNode) -> Sequence[Event]:
    """Karpenter's own words that the node is nominated, the latest first."""
    return [event for event in blocked_events(snapshot, state) if word_of(event.message) is Word.NOMINATED]


@once
def anybody_waits(snapshot: Snapshot) -> bool:
    """Whether there is a pod that Karpenter may nominate a node for: one that waits, or one on a node that is on its way out."""
    leaving = (node.name for node in snapshot.nodes if node.metadata.deletion_timestamp)
    return any(pod.active for pod in snapshot.unbound_pods) or any(snapshot.pods_on_node.get(name) for name in leaving)


def nomination_of(snapshot: Snapshot, state: StateNode) -> Blocker | None:
    """That the node is nominated, inferred from events; None where nothing says so, which proves nothing."""
    live, window = _live(snapshot, state.name), nomination_window(snapshot)
    if live:
        pods = tuple(pod_ref(entry.nominee.pod) for entry in live)
        until = None if any(entry.renewed for entry in live) else later(max(entry.last for entry in live), window)
        since = earliest(entry.nominee.since for entry in live)
        said = f"Karpenter keeps it for {few(pods, 1)}"
        return Blocker(Word.NOMINATED, said, pods, Confidence.LIKELY, Lasts.MAY_END, since, until)
    heard = next(iter(_said(snapshot, state)), None)
    if heard is None or heard.last_seen is None or snapshot.taken_at - heard.last_seen > window + _REPEATED_AFTER:
        return None
    age = snapshot.taken_at - heard.last_seen
    confidence = Confidence.LIKELY if age <= window else Confidence.POSSIBLE
    said = f"Karpenter said {spoken(age)} ago that it is nominated; no pod was seen that it is kept for"
    return Blocker(Word.NOMINATED, said, state.refs[:1], confidence, Lasts.MAY_END, heard.first_seen)
