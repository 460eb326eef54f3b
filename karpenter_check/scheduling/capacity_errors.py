"""Launches that failed because there was nothing to be had: Karpenter's events, and NodeClaims that say so of themselves.

Karpenter deletes a NodeClaim that it gets no capacity for, at once, and says so in an event on it; of a launch that failed for
several reasons it keeps the claim for some minutes, with the error in its Launched condition (`nodeclaim/lifecycle/launch.go`, 1.13).
The provider's own codes are in the message (karpenter-provider-aws `pkg/errors/errors.go`, 1.14).
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from karpenter_check.scheduling.claim_name import nodepool_by_claim_name
from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.event import Event, by_karpenter
from karpenter_check.snapshot.once import once

EVENTS_LIVE = timedelta(hours=1)
"""How long API servers keep events by default."""


class Lack(StrEnum):
    """What a launch lacked. Where a message names several, the one that somebody can do something about."""

    SUBNET_ADDRESSES = "subnet-addresses"
    ACCOUNT_LIMIT = "account-limit"
    SPOT_ROLE = "spot-role"
    PLACEMENT_GROUP = "placement-group"
    RESERVATION = "reservation"
    MIN_VALUES = "min-values"
    UNSUPPORTED = "unsupported"
    CAPACITY = "capacity"


_WORDS: Mapping[Lack, tuple[str, ...]] = {
    Lack.SUBNET_ADDRESSES: ("insufficientfreeaddressesinsubnet",),
    Lack.ACCOUNT_LIMIT: (
        "vcpulimitexceeded", "maxspotinstancecountexceeded", "maxfleetcountexceeded", "spotquotaexceeded", "fleetquotaexceeded", "quota",
    ),
    Lack.SPOT_ROLE: ("servicelinkedrolecreationnotpermitted", "spotslrcreationfailed"),
    Lack.PLACEMENT_GROUP: ("limit of instances in this spread placement group",),
    Lack.RESERVATION: ("reservationcapacityexceeded",),
    Lack.MIN_VALUES: ("minvalues",),
    Lack.UNSUPPORTED: ("unsupported:",),
    Lack.CAPACITY: ("insufficientinstancecapacity", "unfulfillablecapacity", "insufficientcapacity", "skunotavailable", "allocationfailed"),
}  # fmt: skip
_FOLLOWS = "instance types were unavailable during launch"
"""What failed a moment ago is left out for 3 minutes, and nothing else was left: whatever it failed for."""
_NO_CLASS = re.compile("resolving node ?class", re.IGNORECASE)
"""A NodeClass that is not there is such an error, too (karpenter-provider-aws `pkg/cloudprovider/cloudprovider.go:Create`, 1.14)."""
_PREFIX = re.compile(r"NodeClaim \S+ event: (?:creating instance, )?(?:insufficient capacity, )?(?:with fleet error\(s\), )?")
_PLACE = re.compile(r"sufficient (?P<type>[a-z0-9.-]+) capacity in the Availability Zone you requested \((?P<zone>[^)\s]+)\)")
_SUBNET = re.compile(r"\bsubnet-[0-9a-f]{8,17}\b")


@dataclass(frozen=True)
class CapacityError:
    """One NodeClaim that could not be launched."""

    nodeclaim: str
    nodepool: str
    lack: Lack
    said: str
    first: datetime
    last: datetime
    times: int = 1
    event: Event | None = None
    """None where the NodeClaim itself says so."""

    @property
    def places(self) -> tuple[str, ...]:
        """The instance types with their zones, or the subnets, that the provider names."""
        named = [f"{form['type']} in {form['zone']}" for form in _PLACE.finditer(self.said)]
        return tuple(dict.fromkeys([*named, *_SUBNET.findall(self.said)]))


def _lack(said: str) -> Lack | None:
    lower = said.lower()
    return next((lack for lack, words in _WORDS.items() if any(word in lower for word in words)), None)


@once
def capacity_errors(snapshot: Snapshot) -> Mapping[str, Sequence[CapacityError]]:
    """Those of the last hour, by NodePool, the latest last."""
    found: dict[str, list[CapacityError]] = defaultdict(list)
    for error in (*_of_events(snapshot), *_of_claims(snapshot)):
        found[error.nodepool].append(error)
    return {nodepool: sorted(errors, key=lambda error: (error.last, error.nodeclaim)) for nodepool, errors in found.items()}


def _of_events(snapshot: Snapshot) -> Iterator[CapacityError]:
    follows: list[tuple[Event, str]] = []
    specific: dict[str, set[Lack]] = defaultdict(set)
    for event in snapshot.events_by_reason.get("InsufficientCapacityError", ()):
        said, about = _PREFIX.sub("", event.message, count=1), event.involved_object
        old = event.last_seen is None or snapshot.taken_at - event.last_seen > EVENTS_LIVE
        if old or not by_karpenter(event) or about.kind != "NodeClaim" or _NO_CLASS.search(said):
            continue
        lack = _lack(said)
        if lack is None and _FOLLOWS in said.lower():
            follows.append((event, said))
        elif error := _of_event(snapshot, event, said, lack or Lack.CAPACITY):
            specific[error.nodepool].add(error.lack)
            yield error
    for event, said in follows:
        if error := _of_event(snapshot, event, said, Lack.CAPACITY):
            lacks = specific[error.nodepool]
            (only,) = lacks if len(lacks) == 1 else (Lack.CAPACITY,)
            yield CapacityError(error.nodeclaim, error.nodepool, only, said, error.first, error.last, error.times, event)


def _of_event(snapshot: Snapshot, event: Event, said: str, lack: Lack) -> CapacityError | None:
    """None where its NodePool is not known."""
    name = event.involved_object.name
    claim = snapshot.nodeclaims_by_name.get(name)
    nodepool = claim.nodepool if claim else nodepool_by_claim_name(snapshot, name)
    if not nodepool or event.first_seen is None or event.last_seen is None:
        return None
    return CapacityError(name, nodepool, lack, said, event.first_seen, event.last_seen, event.times, event)


def _of_claims(snapshot: Snapshot) -> Iterator[CapacityError]:
    told = {event.involved_object.name for event in snapshot.events_by_reason.get("InsufficientCapacityError", ())}
    for claim in snapshot.nodeclaims:
        launched, created = claim.condition("Launched"), claim.metadata.creation_timestamp
        if launched is None or launched.status == "True" or created is None or claim.name in told or not claim.nodepool:
            continue
        said = f"{launched.reason}: {launched.message}"
        if (lack := _lack(said)) and lack is not Lack.MIN_VALUES:
            yield CapacityError(
                claim.name, claim.nodepool, lack, said, created, max(created, launched.last_transition_time or created)
            )
