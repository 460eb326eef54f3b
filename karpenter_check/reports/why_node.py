"""The answer to "why node": for people on one screen, and as JSON."""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.text import Text

from karpenter_check.disruption.attachments import states
from karpenter_check.disruption.blocker import Word
from karpenter_check.disruption.drain import Held
from karpenter_check.disruption.expiry import expiry, latest_end, overdue, time_to_live
from karpenter_check.disruption.termination import Phase, Termination
from karpenter_check.finding import Confidence, Fix
from karpenter_check.reports.headed import INDENT, few, headed, laid_out
from karpenter_check.reports.printable import printable
from karpenter_check.reports.story import Line
from karpenter_check.reports.why_node_gone import gone_lines
from karpenter_check.reports.why_node_json import render_why_node_json
from karpenter_check.scheduling.room import room_on
from karpenter_check.snapshot import NO_TIME, Kind, NodeClaim, Snapshot
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.moments import at, at_and_distance, distance
from karpenter_check.snapshot.quantity import shown
from karpenter_check.why.node import NodeAnswer
from karpenter_check.why.node_checks import Check, Mark
from karpenter_check.why.node_gone import GoneNode
from karpenter_check.why.node_runs import Load
from karpenter_check.why.node_said import NodeSaid

__all__ = ["render_why_node", "render_why_node_json"]
_MARKS = {Mark.PASSES: "✓", Mark.BLOCKS: "✗", Mark.UNKNOWN: "?"}
_LONGEST_SAID = 150
_MOST_ALIKE, _MOST_HELD = 2, 4
_LABELS = ("node.kubernetes.io/instance-type", "karpenter.sh/capacity-type", "topology.kubernetes.io/zone")


def render_why_node(snapshot: Snapshot, answer: NodeAnswer | GoneNode, *, width: int, color: bool) -> str:
    """The answer in lines, `width` columns wide."""
    return laid_out(
        gone_lines(snapshot, answer) if isinstance(answer, GoneNode) else _lines(snapshot, answer), width=width, color=color
    )


def _lines(snapshot: Snapshot, answer: NodeAnswer) -> Iterator[Line]:
    yield from headed("WHAT", _what(snapshot, answer))
    if answer.foreign:
        yield from headed("KARPENTER", answer.foreign, style="bold")
    else:
        yield from headed("ENDS", _ends(snapshot, answer))
    yield from headed("RUNS", _runs(snapshot, answer))
    if answer.wanted:
        yield from headed("WANTED?", answer.wanted.said, style="bold")
        yield from _checks(snapshot, answer)
    if answer.termination:
        yield from _termination(snapshot, answer.termination)
    if answer.kept:
        yield from headed("WHY KEPT", answer.kept, style="bold")
    yield from headed("SAID", *_said(snapshot, answer))
    if answer.unseen:
        yield from headed("UNSEEN", "; ".join(answer.unseen))
    yield from _steps(answer.fix)


def _what(snapshot: Snapshot, answer: NodeAnswer) -> str:
    node, claim, state = answer.state.node, answer.state.nodeclaim, answer.state
    pool = state.labels.get("karpenter.sh/nodepool", "")
    parts = [f"node {node.name}" if node else "", f"NodePool {pool}" if pool else ""]
    parts += [state.labels.get(label, "") for label in _LABELS]
    entry = node or claim
    created = entry.metadata.creation_timestamp if entry else None
    if created and snapshot.taken_at != NO_TIME:
        parts.append(f"age {spoken(snapshot.taken_at - created)}")
    parts.append(f"NodeClaim {claim.name}{_without(snapshot, answer)}" if claim else "")
    return ", ".join(part for part in (*parts, _readiness(snapshot, answer)) if part)


def _without(snapshot: Snapshot, answer: NodeAnswer) -> str:
    if answer.state.node:
        return ""
    return " without a Node" if snapshot.covered(Kind.NODE).sufficient else ", its Node not seen"


def _readiness(snapshot: Snapshot, answer: NodeAnswer) -> str:
    node = answer.state.node
    if node is None:
        return ""
    said = "Ready" if node.ready else "not Ready"
    if not node.ready and node.readiness:
        since, why = node.readiness.last_transition_time, node.readiness.message or node.readiness.reason
        said += (f" since {at(snapshot, since)}" if since else "") + (f" ({clip(why, _LONGEST_SAID)})" if why else "")
    uninitialized = ", not initialized" if answer.state.nodeclaim and not node.initialized else ""
    return said + uninitialized + (", cordoned" if node.spec.unschedulable else "")


def _ends(snapshot: Snapshot, answer: NodeAnswer) -> str:
    claim = answer.state.nodeclaim
    if claim is None:
        return ""
    due, lives = expiry(snapshot, claim), time_to_live(snapshot, claim)
    written = claim.spec.expire_after or (spoken(lives) if lives else "")
    if (late := overdue(snapshot, claim)) and snapshot.settled(due):
        ends = f"should have expired {spoken(late)} ago (expireAfter {written}), and nobody deleted it"
    elif answer.termination:
        why = f", as its expireAfter {written} ran out" if answer.expired else ""
        reason = claim.condition("DisruptionReason")
        why = f", disrupted as {reason.reason}" if reason and reason.status == "True" else why
        ends = f"being deleted since {at_and_distance(snapshot, answer.termination.deleted)}{why}"
    elif due:
        verb = "expires" if due > snapshot.taken_at else "its time was up"
        ends = f"{verb} {at_and_distance(snapshot, due)}, expireAfter {written}"
    elif claim.spec.expire_after or answer.nodepool:
        ends = "never expires"
    else:
        ends = "whether it expires is not known: its NodePool was not seen"
    return f"{ends}; {_forced_end(snapshot, answer, claim)}"


def _forced_end(snapshot: Snapshot, answer: NodeAnswer, claim: NodeClaim) -> str:
    """When its pods go by force; of one that nobody deletes as late as its expiry allows."""
    end, grace = latest_end(snapshot, claim), claim.spec.termination_grace_period
    known = claim.termination_grace_period is not None
    if answer.termination:
        written = claim.metadata.annotations.termination_timestamp
        if end is None and written:
            return f'forced end: none (its annotation karpenter.sh/nodeclaim-termination-timestamp "{clip(written)}" is no time)'
        by = f"terminationGracePeriod {grace}" if known else "by its annotation karpenter.sh/nodeclaim-termination-timestamp"
        return f"forced end: {at_and_distance(snapshot, end)} ({by})" if end else "forced end: none (no terminationGracePeriod)"
    if not known:
        return "forced end: none (no terminationGracePeriod)"
    if end is None:
        return f"forced end: terminationGracePeriod {grace} after its deletion"
    return f"forced end at the latest: {at_and_distance(snapshot, end)} (terminationGracePeriod {grace})"


def _runs(snapshot: Snapshot, answer: NodeAnswer) -> str:
    runs = answer.runs
    daemons = [
        load.owner.name + (f" {load.takes} ({load.share * 100:.0f} % of {load.allocatable})" if load.takes else " (asks nothing)")
        for load in runs.daemonsets
    ]
    loads = [load.owner.qualified_name + (f" x{load.pods}" if load.pods > 1 else "") for load in runs.workloads]
    since = f" since {at(snapshot, runs.none_since)}" if runs.none_since else ""
    if answer.state.node is None:
        return "nothing: it has no Node" if snapshot.covered(Kind.NODE).sufficient else "not known: its Node was not seen"
    if not (daemons or loads or runs.static) and runs.unknown:
        return f"not known: {runs.unknown}"
    parts = [f"DaemonSets: {few(daemons) or 'none'}"]
    if runs.static:
        parts.append(f"static: {few([_bare(load) for load in runs.static])}")
    parts.append(f"workloads: {few(loads) or 'none' + since}")
    return "; ".join(parts) + (f"; perhaps more: {runs.unknown}" if runs.unknown else "")


def _bare(load: Load) -> str:
    return load.owner.name


def _checks(snapshot: Snapshot, answer: NodeAnswer) -> Iterator[Line]:
    """A line for each check that blocks or has no answer, and those that pass beside each other."""
    head, told = "BLOCKED", Counter[Word]()
    for check in answer.checks:
        if check.mark is Mark.PASSES:
            continue
        told[check.word] += 1
        if told[check.word] > _MOST_ALIKE:
            continue
        alike = sum(other.word is check.word and other.mark is check.mark for other in answer.checks) - _MOST_ALIKE
        more = f"; and {alike} more like it" if told[check.word] == _MOST_ALIKE and alike > 0 else ""
        text = Text(printable(f"{_MARKS[check.mark]} {_check(snapshot, answer, check)}{more}"))
        yield Line([text], f"{head:{INDENT}}", " " * (INDENT + 2))
        head = ""
    passing = [Text(printable(f"{_MARKS[check.mark]} {check.said}")) for check in answer.checks if check.mark is Mark.PASSES]
    if passing:
        yield Line(passing, f"{head:{INDENT}}")


def _check(snapshot: Snapshot, answer: NodeAnswer, check: Check) -> str:
    node, nominee = answer.state.node, answer.nominee
    if check.word is Word.NOMINATED and check.mark is Mark.BLOCKS and nominee and node and not nominee.pod.node_name:
        pod = nominee.pod
        room, requests = room_on(snapshot, node), pod.shape.requests
        fits = "it fits" if not room.short_of(requests) else "it does not fit"
        asks = ", ".join(
            f"{shown(name, amount)} of {shown(name, max(0, room.free(name)))} {name}"
            for name, amount in sorted(requests.items())
            if amount
        )
        waits = pod.unscheduled_since
        pending = f", pending {spoken(snapshot.taken_at - waits)}" if waits and snapshot.taken_at != NO_TIME else ""
        more = check.said.partition(" and ")[2]
        return f"nominated for {pod.metadata.namespace}/{pod.metadata.name}{pending}, asks {asks or 'nothing'} free: {fits}" + (f"; and {more}" if more else "")  # fmt: skip
    until = check.blocker.until if check.blocker else None
    since = check.blocker.since if check.blocker and check.word in {Word.NOMINATED, Word.NOT_INITIALIZED} else None
    told = f"{check.said}, since {at(snapshot, since)}" if since else check.said
    if check.blocker and check.blocker.confidence is Confidence.POSSIBLE and "not known" not in told:
        told += " (possible)"
    return told + (f", until {at_and_distance(snapshot, until)}" if until else "")


def _termination(snapshot: Snapshot, ending: Termination) -> Iterator[Line]:
    since = f", since {at_and_distance(snapshot, ending.since)}" if ending.since else ""
    yield from headed("PHASE", f"{ending.said}{since}")
    held = [_held(snapshot, entry) for entry in ending.held[:_MOST_HELD]]
    if len(ending.held) > _MOST_HELD:
        held.append(f"and {len(ending.held) - _MOST_HELD} more pods")
    held += [f"? {kind} is {snapshot.covered(kind)}: more may hold it" for kind in ending.unseen]
    if ending.attached:
        held += [f"· {text}" for text in states(snapshot, ending.attached)]
    elif ending.phase is Phase.VOLUMES:
        held.append(f"? VolumeAttachment is {snapshot.covered(Kind.VOLUMEATTACHMENT)}: which volumes are attached is not known")
    yield from headed("HELD BY", *held)


def _held(snapshot: Snapshot, entry: Held) -> str:
    ref = f"{entry.pod.metadata.namespace}/{entry.pod.metadata.name}"
    why = entry.by or "nothing seen keeps it: it is on its way out, or its turn has just come"
    if not entry.turn:
        why += "; behind others"
    until = f", until {at_and_distance(snapshot, entry.until)}" if entry.until else ""
    forced = f", by force {at_and_distance(snapshot, entry.forced)}" if entry.forced else ""
    return f"{'✗' if entry.by else '·'} {ref}: {why}{until}{forced}"


def _said(snapshot: Snapshot, answer: NodeAnswer) -> Iterator[str]:
    for said in answer.said:
        yield _told(snapshot, said)
    if not answer.said and not answer.foreign and not any(entry.startswith("Event: ") for entry in answer.unseen):
        yield "Karpenter: nothing about it in the events that are kept"


def _told(snapshot: Snapshot, said: NodeSaid) -> str:
    times = f" x{said.times}" if said.times > 1 else ""
    last = f", last {distance(snapshot, said.last)}" if said.last and distance(snapshot, said.last) else ""
    whom = " of its NodePool" if said.about == "NodePool" else ""
    return f'Karpenter{whom}, {said.reason}: "{clip(said.message, _LONGEST_SAID)}"{times}{last}' + (
        f" ({said.note})" if said.note else ""
    )


def _steps(fix: Sequence[Fix]) -> Iterator[Line]:
    for place, step in enumerate(fix):
        heading = f"{'DO' if place == 0 else '':{INDENT}}"
        words = "; ".join(part for part in (step.text, step.risk) if part)
        if step.command:
            yield Line([Text(printable(step.command), "bold")], heading, command=True)
            heading = " " * INDENT
        if words:
            yield Line([Text(printable(words))], heading)
