"""Whatever happens between scans, nothing counts twice; and where nothing is lost, everything counts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from karpenter_check.metrics.bounded import Detail
from karpenter_check.metrics.catalogue import POOL_DEATHS, POOL_FAILURES, POOL_MISMATCHES, POOL_NODES_FOR_PODS, POOL_REAPING_DELAY
from karpenter_check.rules import every_rule
from karpenter_check.snapshot import Coverage, Kind, Snapshot, Status
from karpenter_check.snapshot.metadata import Condition
from tests.build import NOON, Thing, a_cluster, a_daemonset, a_deployment, a_node, a_nodeclaim, a_nodepool, a_pod, nominated
from tests.metrics.history import History, Keeps, in_a_file, in_the_gateway

RULES = [
    rule
    for rule in every_rule()
    if rule.slug
    in {"daemonset-nodepool-mismatch", "node-ttl-death", "nominated-pod-failure", "node-reaping-blocked", "node-terminating-stuck"}
]
BEGAN = NOON - timedelta(hours=10)
AGENT = a_daemonset("agent", tolerations=[], selector={"heavy": "yes"})
MINUTES = st.integers(0, 590)
UNSEEN = (Kind.DAEMONSET, Kind.NODECLAIM, Kind.EVENT)


@dataclass(frozen=True)
class Life:
    """What happens to a node, in minutes since counting began."""

    dies: int
    drains: int
    """How long it drains before it is gone."""
    uncounted_from: int
    """From when on a DaemonSet's pod is there that Karpenter does not count."""
    drifts: int
    """From when on it should be gone; a pod keeps it."""


@dataclass(frozen=True)
class Wait:
    """A pod that Karpenter nominates to a node without room for it."""

    begins: int
    lasts: int


@dataclass(frozen=True)
class World:
    """What happens in a cluster."""

    lives: tuple[Life, ...]
    waits: tuple[Wait, ...]

    def at(self, minute: int) -> Snapshot:
        """The cluster after so many minutes."""
        return replace(a_cluster(*self._things(minute)), taken_at=BEGAN + timedelta(minutes=minute))

    def _things(self, minute: int) -> Iterator[Thing]:
        yield from (
            a_nodepool(),
            AGENT,
            a_node("full", age="30h"),
            a_nodeclaim("default-full1", node="full", age="30h"),
            KEEPER,
            WAITER,
        )
        for number, life in enumerate(self.lives):
            if minute < life.dies + life.drains:
                yield from _node(f"n{number}", life, minute)
        for number, wait in enumerate(self.waits):
            if wait.begins <= minute < wait.begins + wait.lasts:
                pod = a_pod(f"web-{number}", of=WAITER, age=_age(wait.begins), cpu="100")
                yield pod
                yield nominated(pod, to="default-full1", node="full", first=_age(wait.begins), last=_age(minute), times=2)


KEEPER, WAITER = a_deployment("keeper"), a_deployment("web", replicas=9)


def _age(minute: int) -> str:
    return f"{600 - minute}m"


def _node(name: str, life: Life, minute: int) -> Iterator[Thing]:
    conditions = (
        [Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=_when(life.drifts))] if minute >= life.drifts else []
    )
    yield a_node(name, age="30h", labels={"heavy": "yes"})
    yield a_nodeclaim(
        f"default-{name}abc", node=name, age="30h", deleted=_age(life.dies) if minute >= life.dies else "", conditions=conditions,
        termination_grace_period="",
    )  # fmt: skip
    yield a_pod(f"keeper-{name}", on=name, of=KEEPER, age="20h", do_not_disrupt="true")
    if minute >= life.uncounted_from:
        yield a_pod(f"agent-{name}", on=name, of=AGENT, age=_age(life.uncounted_from))


def _when(minute: int) -> datetime:
    return BEGAN + timedelta(minutes=minute)


LIVES = st.builds(Life, dies=MINUTES, drains=st.integers(1, 60), uncounted_from=MINUTES, drifts=MINUTES)
WORLDS = st.builds(
    World,
    lives=st.lists(LIVES, max_size=3).map(tuple),
    waits=st.lists(st.builds(Wait, begins=MINUTES, lasts=st.integers(1, 60)), max_size=2).map(tuple),
)


@dataclass
class Increase:
    """What Prometheus' `increase` makes of a counter over all scans: a value that is less than the one before is a restart."""

    last: float | None = None
    total: float = 0

    def see(self, value: float) -> None:
        """The value at one more scan; the first one is where it begins."""
        if self.last is not None:
            self.total += value - self.last if value >= self.last else value
        self.last = value


class Watched:
    """A history, and what its totals increase by."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._increases = {name: Increase() for name in ("mismatches", "deaths", "failures", "nodes for pods", "delays")}

    def scan(self, snapshot: Snapshot) -> None:
        """One more scan."""
        self._history.scan(snapshot)
        delays = [family for family in self._history.families if family.metric == POOL_REAPING_DELAY]
        values = {
            "mismatches": sum(self._history.every(POOL_MISMATCHES).values()),
            "deaths": sum(self._history.every(POOL_DEATHS).values()),
            "failures": sum(self._history.every(POOL_FAILURES).values()),
            "nodes for pods": sum(self._history.every(POOL_NODES_FOR_PODS).values()),
            "delays": sum(sum(entry.counts) for family in delays for entry in family.distributions.values()),
        }
        for name, value in values.items():
            self._increases[name].see(value)

    @property
    def totals(self) -> dict[str, float]:
        """What each total increased by."""
        return {name: increase.total for name, increase in self._increases.items()}


def _happened(world: World, since: int, until: int) -> dict[str, float]:
    """At most so much came about in these minutes; nominations to a node that is there buy none."""
    patience = 2
    return {
        "mismatches": sum(
            since < life.uncounted_from <= until and life.uncounted_from < life.dies + life.drains for life in world.lives
        ),
        "deaths": sum(since < life.dies <= until for life in world.lives),
        "failures": sum(since < wait.begins + patience <= until and wait.lasts > patience for wait in world.waits),
        "nodes for pods": 0,
        "delays": sum(life.dies + life.drains <= until for life in world.lives),
    }


def _seen(world: World, minutes: Sequence[int]) -> dict[str, float]:
    """What scans at these minutes see come about: what had begun, and was still there, at one of them; a death is seen afterwards, too."""
    first, last = minutes[0], minutes[-1]
    lives = [life for life in world.lives if first < life.dies + life.drains]
    return {
        "mismatches": sum(
            any(first < life.uncounted_from <= minute < life.dies for minute in minutes) for life in lives
        ),
        "deaths": sum(first < life.dies <= last for life in lives),
        "failures": sum(any(first < wait.begins + 2 <= minute < wait.begins + wait.lasts for minute in minutes) for wait in world.waits),
    }  # fmt: skip


def _unseen(snapshot: Snapshot, kind: Kind) -> Snapshot:
    return replace(snapshot, coverage={**snapshot.coverage, kind: Coverage(Status.FORBIDDEN)})


STEPS = st.lists(
    st.tuples(st.integers(0, 599), st.sampled_from(["scan", "scan", "scan", "twice", "forget", *UNSEEN])), min_size=2, max_size=7
)


@example(
    World((Life(dies=2, drains=1, uncounted_from=0, drifts=0),), ()),
    [(1, "scan"), (3, "scan"), (1, "scan"), (3, "scan")],
    in_a_file,
    Detail.OBJECT,
)
@settings(max_examples=400, deadline=None)
@given(WORLDS, STEPS, st.sampled_from([in_a_file, in_the_gateway]), st.sampled_from(list(Detail)))
def test_nothing_counts_twice_whatever_is_lost_repeated_or_out_of_order(
    world: World, steps: list[tuple[int, str]], keeps: Keeps, detail: Detail
) -> None:
    history = History(keeps, RULES)
    history.run = replace(history.run, detail=detail)
    watched = Watched(history)
    latest = 0
    for minute, what in steps:
        if what == "forget":  # with the clock stepped back as well, nothing at all would tell what has counted
            history.forget()
            minute = max(minute, latest)  # noqa: PLW2901  as above
        latest = max(minute, latest)
        snapshot = world.at(minute)
        for _ in range(2 if what == "twice" else 1):
            watched.scan(_unseen(snapshot, what) if isinstance(what, Kind) else snapshot)
    most = _happened(world, 0, 600)

    assert {name: min(total, most[name]) for name, total in watched.totals.items()} == watched.totals


@settings(max_examples=400, deadline=None)
@given(WORLDS, st.lists(MINUTES, min_size=2, max_size=7, unique=True).map(sorted), st.data())
def test_everything_counts_once_where_nothing_is_lost(world: World, minutes: list[int], data: st.DataObject) -> None:
    watched = Watched(History(in_a_file, RULES))
    for minute in minutes:
        for _ in range(data.draw(st.integers(1, 2))):
            watched.scan(world.at(minute))
    expected = _seen(world, minutes)

    assert {name: watched.totals[name] for name in expected} == expected
