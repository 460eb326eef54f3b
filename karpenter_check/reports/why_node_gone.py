"""What is told of a node that is gone."""

from collections.abc import Iterator

from karpenter_check.reports.headed import few, headed
from karpenter_check.reports.story import Line
from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.moments import at, at_and_distance
from karpenter_check.why.node_gone import GoneNode

_LONGEST_SAID = 150
_MOST_EVENTS = 8


def gone_lines(snapshot: Snapshot, gone: GoneNode) -> Iterator[Line]:
    """Which node it was, what ended it, and the events that tell it."""
    names = [f"node {gone.node}" if gone.node else "", f"NodeClaim {gone.nodeclaim}" if gone.nodeclaim else ""]
    if gone.name.rpartition("/")[2] == gone.nodeclaim:
        names.reverse()
    if not gone.one:
        names[1] = f"probably {names[1]}"
    pool = f"NodePool {gone.nodepool}" if gone.nodepool else ""
    lived = [f"first told of {at(snapshot, gone.born)}" if gone.born else "", f"its end began {at_and_distance(snapshot, gone.ended)}" if gone.ended else ""]  # fmt: skip
    there = "not there any more" if gone.seen else "not seen"
    yield from headed("WHAT", ", ".join(part for part in (*names, pool, there, *lived) if part))
    unsure = "" if gone.seen else "whether it is gone is not known; of its end: "
    yield from headed("WHY GONE", unsure + gone.conclusion, style="bold")
    told = []
    for event in gone.events[:_MOST_EVENTS]:
        when = f"{at(snapshot, event.first_seen)} " if event.first_seen else ""
        plain = event.reason in {"RemovingNode", "Finalized"} or event.message.startswith("Status condition transitioned")
        told.append(f"{when}{event.reason}" + ("" if plain else f': "{clip(event.message, _LONGEST_SAID)}"'))
    if len(gone.events) > _MOST_EVENTS:
        told.append(f"and {len(gone.events) - _MOST_EVENTS} more events")
    yield from headed("EVENTS", *told)
    if gone.evicted:
        pods = few([f"{event.involved_object.namespace}/{event.involved_object.name}" for event in gone.evicted])
        words = " and ".join(dict.fromkeys(event.message.removeprefix("Evicted pod: ") for event in gone.evicted))
        yield from headed("EVICTED", f"{pods} ({clip(words, _LONGEST_SAID)})")
    elif gone.pods:
        yield from headed("RAN", few([ref.qualified_name for ref in gone.pods]))
    if gone.unseen:
        yield from headed("UNSEEN", "; ".join(gone.unseen))
