"""The memory as a file."""

from datetime import UTC, datetime

import msgspec
import pytest

from karpenter_check.snapshot.last_run import Count, Delays, KnownNode, LastRun, NotUnderstood, decoded, encoded

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MEMORY = LastRun(
    taken_at=NOON,
    cluster="prod",
    evaluated={"node-ttl-death": NOON},
    nodes=(KnownNode("n1", "default", "uid-1", "default-abcde", NOON, deleted=True, overdue_since=NOON, delay_reason="pdb"),),
    counters={"nodepool_node_deaths_total": (Count(("default", "expired"), 3.0, NOON),)},
    delays={"nodepool_node_reaping_delay_seconds": (Delays(("default",), (0.0, 1.0), 90.0, NOON),)},
    counted={"death/uid-1": NOON},
    pruned=NOON,
)


def test_what_is_written_is_read() -> None:
    assert decoded(encoded(MEMORY)) == MEMORY


def test_the_same_memory_gives_the_same_bytes() -> None:
    turned = msgspec.structs.replace(MEMORY, evaluated={"b": NOON, "a": NOON})
    other = msgspec.structs.replace(MEMORY, evaluated={"a": NOON, "b": NOON})

    assert encoded(turned) == encoded(other)


def test_that_nothing_is_known_of_what_was_counted_is_kept() -> None:
    assert decoded(encoded(msgspec.structs.replace(MEMORY, counted=None))).counted is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "Input data was truncated"),
        (b"{}", "it does not say schema: karpenter-check/state/v1"),
        (
            b'{"schema":"karpenter-check/state/v2","lastRun":{}}',
            "its schema is 'karpenter-check/state/v2', not 'karpenter-check/state/v1'",
        ),
        (
            b'{"schema":"karpenter-check/snapshot/v1"}',
            "its schema is 'karpenter-check/snapshot/v1', not 'karpenter-check/state/v1'",
        ),
        (b'{"schema":"karpenter-check/state/v1","lastRun":{}}', "Object missing required field `takenAt` - at `$.lastRun`"),
        (
            b'{"schema":"karpenter-check/state/v1","lastRun":{"takenAt":"2026-11-21T12:00:00Z","later":1}}',
            "Object contains unknown field `later` - at `$.lastRun`",
        ),
        (
            b'{"schema":"karpenter-check/state/v1","lastRun":{"takenAt":"2026-11-21T12:00:00"}}',
            "Expected `datetime` with a timezone component - at `$.lastRun.takenAt`",
        ),
    ],
)
def test_what_is_not_known_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        decoded(data)

    assert str(refused.value) == said
