"""Events, and Karpenter's own words in them."""

import re
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import force_setattr

from karpenter_check.snapshot.clip import MAXIMUM_MESSAGE, capped
from karpenter_check.snapshot.part import Part, Timestamp


class InvolvedObject(Part, frozen=True):
    """What an event is about."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class EventSource(Part, frozen=True):
    """Who reported, in events of the older recorder."""

    component: str = ""


class EventSeries(Part, frozen=True):
    """How an event of the newer recorder repeats."""

    count: int = 0
    last_observed_time: Timestamp | None = None


class EventMetadata(Part, frozen=True):
    """`metadata` of an event: which one it is, and when it was created, for events that carry no other time."""

    name: str = ""
    namespace: str = ""
    creation_timestamp: Timestamp | None = None


class Event(Part, frozen=True):
    """A core/v1 event."""

    involved_object: InvolvedObject
    metadata: EventMetadata = EventMetadata()
    reason: str = ""
    message: str = ""
    source: EventSource | None = None
    reporting_component: str = ""
    first_timestamp: Timestamp | None = None
    last_timestamp: Timestamp | None = None
    event_time: Timestamp | None = None
    count: int | None = None
    series: EventSeries | None = None

    def __post_init__(self) -> None:
        if len(self.message) > MAXIMUM_MESSAGE:
            force_setattr(self, "message", capped(self.message))

    @property
    def component(self) -> str:
        """Who reported it: `karpenter`, `default-scheduler` or another."""
        return (self.source.component if self.source else "") or self.reporting_component

    @property
    def first_seen(self) -> datetime | None:
        """When it was first seen, or None where it carries no time."""
        return self.first_timestamp or self.event_time or self.metadata.creation_timestamp

    @property
    def last_seen(self) -> datetime | None:
        """When it was last seen, or None where it carries no time."""
        return (self.series and self.series.last_observed_time) or self.last_timestamp or self.first_seen

    @property
    def times(self) -> int:
        """How often it was seen, at least once."""
        return max(1, self.count or 0, self.series.count if self.series else 0)


KARPENTER_REPORTER = "karpenter"
AUTO_MODE_REPORTER = "eks-auto-mode/compute"
"""EKS Auto Mode's Karpenter (https://github.com/awsdocs/amazon-eks-user-guide/pull/1111)."""


def by_karpenter(event: Event) -> bool:
    """Whether Karpenter reported it."""
    return event.component in {KARPENTER_REPORTER, AUTO_MODE_REPORTER}


class Nomination(NamedTuple):
    """Where Karpenter said that a pod should schedule."""

    nodeclaim: str
    node: str


_NOMINATED = re.compile(r"Pod should schedule on: (?:nodeclaim/(?P<nodeclaim>[^,\s]+))?(?:, )?(?:node/(?P<node>\S+))?")
_PREEMPTED = re.compile(r"Preempted by (?:a )?pod (?P<uid>[-0-9a-f]+) on node (?P<node>\S+)")


def nomination(event: Event) -> Nomination | None:
    """The target of a `Nominated` event of Karpenter's (0.34 and later), or None for any other event."""
    if event.reason != "Nominated" or not by_karpenter(event):
        return None
    form = _NOMINATED.match(event.message)
    return Nomination(form["nodeclaim"] or "", form["node"] or "") if form and (form["nodeclaim"] or form["node"]) else None


class Preemption(NamedTuple):
    """Which pod took a pod's place, and on which node."""

    preemptor_uid: str
    node: str


def preemption(event: Event) -> Preemption | None:
    """What a scheduler's `Preempted` event says, or None for any other event.

    Source: kube-scheduler `framework/preemption` (v1.36): "Preempted by pod <uid> on node <name>".
    """
    if event.reason != "Preempted" or (form := _PREEMPTED.match(event.message)) is None:
        return None
    return Preemption(form["uid"], form["node"])


_ASSIGNED = re.compile(r"Successfully assigned \S+ to (?P<node>\S+)")


def assignment(event: Event) -> str:
    """The node that a scheduler's `Scheduled` event says its pod was bound to; empty for any other event."""
    form = _ASSIGNED.match(event.message) if event.reason == "Scheduled" else None
    return form["node"] if form else ""
