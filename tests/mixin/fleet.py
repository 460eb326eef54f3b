"""Two clusters in two hours in which everything goes wrong, scanned every ten minutes, and what Prometheus saw of it.

Time runs fast: a scan every second or so stands for ten minutes. The snapshots are moved to now, for `time()` is Prometheus' own clock.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from click.testing import CliRunner

from karpenter_check.cli import group
from karpenter_check.snapshot import Kind, NodeClaim, Status
from karpenter_check.snapshot.event import InvolvedObject
from karpenter_check.snapshot.metadata import Condition
from tests.build import (
    NOON,
    Thing,
    a_budget,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    ago,
    an_event,
    nominated,
)
from tests.metrics.prometheus import Prometheus, Vector, a_prometheus
from tests.metrics.pushgateway import Pushgateway, a_pushgateway
from tests.metrics.snapshot_files import a_snapshot_file

SCANS = tuple(range(120, -1, -10))
"""The scans, in minutes before the last one."""
FORBIDDEN_FROM = 40
"""From when on DaemonSets are forbidden in `staging`."""
AGENT = a_daemonset("agent", tolerations=[], selector={"heavy": "yes"})
WEB = a_deployment("web", replicas=5)
IGNORED = "ignore: [{rule: nodepool-without-limits, reason: 'the budget of the account is the limit'}]\n"
NODEPOOLS = {"prod": ("batch", "general", "idle"), "staging": ("default",)}


def on_the_hour(minutes: float) -> str:
    """An age in the test language, of so many minutes before the last scan."""
    return f"{minutes * 60:.0f}s"


def a_condition(kind: str, reason: str, minutes: float) -> Condition:
    """A condition that is true since so many minutes before the last scan."""
    return Condition(kind, "True", reason, last_transition_time=ago(on_the_hour(minutes)))


def a_host(name: str, pool: str, *, age: str = "30h", claim: NodeClaim | None = None, heavy: bool = False) -> list[Thing]:
    """A node and its NodeClaim."""
    node = a_node(name, pool=pool, age=age, labels={"heavy": "yes"} if heavy else {})
    return [node, claim or a_nodeclaim(node=name, pool=pool, age=age)]


def uncounted(now: int) -> list[Thing]:
    """A DaemonSet's pods come to four nodes, one after the other, that Karpenter sized without it."""
    came = {"g1": 105, "g2": 75, "g3": 74, "g4": 35}
    hosts = [thing for name in came for thing in a_host(name, "general", heavy=True)]
    pods = [a_pod(f"agent-{name}", on=name, of=AGENT, age=on_the_hour(minutes)) for name, minutes in came.items() if minutes >= now]
    return [
        a_nodepool("general", limits={"cpu": "100", "memory": "400Gi"}, used={"cpu": "64", "memory": "256Gi"}),
        AGENT,
        *hosts,
        *pods,
    ]


def expiring(now: int) -> list[Thing]:
    """Twelve nodes that live for ten hours: eight die in these two hours, four will within the day."""
    ends = [95, 85, 65, 55, 45, 35, 25, 15, -12, -45, -180, -1200]
    things: list[Thing] = [a_nodepool("batch")]
    for number, end in enumerate(ends):
        if end < now:
            name, age = f"b{number}", on_the_hour(600 + end)
            things += a_host(name, "batch", age=age, claim=a_nodeclaim(node=name, pool="batch", age=age, expire_after="10h"))
    return things


def disrupted(now: int) -> list[Thing]:
    """One node drifts away, one is consolidated, and one is taken by its cloud."""
    things: list[Thing] = []
    for name, reason, begins in (("d1", "Drifted", 92), ("d2", "Underutilized", 52), ("d3", "", 22)):
        if now > begins:
            things += a_host(name, "general")
        elif now > begins - 20:
            why = [a_condition("DisruptionReason", reason, begins)] if reason else []
            claim = a_nodeclaim(node=name, pool="general", age="30h", deleted=on_the_hour(begins), conditions=why)
            things += a_host(name, "general", claim=claim)
            if not reason:
                said = InvolvedObject("NodeClaim", name=claim.name, uid=claim.metadata.uid)
                things.append(
                    an_event("SpotInterrupted", "Spot interruption warning was triggered", about=said, first=on_the_hour(begins))
                )
    return things


def never_there(now: int) -> list[Thing]:
    """Five pods are nominated to a node that has no room for them."""
    things: list[Thing] = [WEB]
    for number, minutes in enumerate((112, 88, 66, 48, 28)):
        if minutes > now:
            pod = a_pod(f"web-{number}", of=WEB, age=on_the_hour(minutes), cpu="8")
            said = nominated(pod, to="general-g1", node="g1", first=on_the_hour(minutes - 1), last=on_the_hour(now + 0.5), times=4)
            things += [pod, said]
    return things


def bought(now: int) -> list[Thing]:
    """Two nodes are bought, the first for two pods."""
    things: list[Thing] = []
    for name, minutes, count in (("n1", 82, 2), ("n2", 32, 1)):
        if minutes > now:
            things += a_host(name, "general", age=on_the_hour(minutes))
            pods = [a_pod(f"api-{name}-{number}", on=name, of=WEB, age=on_the_hour(minutes + 1)) for number in range(count)]
            things += [*pods, *(nominated(pod, to=f"general-{name}", first=on_the_hour(minutes)) for pod in pods)]
    return things


def kept(now: int) -> list[Thing]:
    """An empty node is kept by the nominations of two pods that no scheduler binds; others by annotations, a budget, and a drain without end."""
    empty = a_condition("Consolidatable", "Consolidatable", 75)
    things: list[Thing] = [
        a_nodepool("idle", policy="WhenEmpty", consolidate_after="15s"),
        *a_host("i1", "idle", claim=a_nodeclaim(node="i1", pool="idle", age="30h", conditions=[empty])),
    ]
    if now < 70:
        times = 1 + (70 - now) // 2  # Karpenter says it again every two minutes
        for name in ("ghost-1", "ghost-2"):
            ghost = a_pod(name, scheduler="batch-scheduler", age=on_the_hour(71))
            said = nominated(ghost, to="idle-i1", node="i1", first=on_the_hour(70), last=on_the_hour(now + 0.5), times=times)
            things += [ghost, said]
        blocked = "Node is nominated for a pending pod"
        about = InvolvedObject("Node", "", "i1")
        things.append(
            an_event("DisruptionBlocked", blocked, about=about, first=on_the_hour(70), last=on_the_hour(now + 0.5), times=times)
        )
    for name, since, ends in (("k1", 1800, -1), ("k2", 180, 28), ("k3", 130, 58)):
        if now > ends:
            claim = a_nodeclaim(
                node=name,
                pool="general",
                age="40h",
                conditions=[a_condition("Drifted", "NodePoolDrifted", since)],
                termination_grace_period="",
            )
            things += [
                *a_host(name, "general", age="40h", claim=claim),
                a_pod(f"long-{name}", on=name, of=WEB, age="31h", do_not_disrupt="true"),
            ]
    drifted = a_condition("Drifted", "NodePoolDrifted", 300)
    guarded = a_nodeclaim(node="k4", pool="general", age="40h", conditions=[drifted], termination_grace_period="")
    draining = a_nodeclaim(node="k5", pool="general", age="40h", deleted=on_the_hour(150), termination_grace_period="")
    return [
        *things,
        *a_host("k4", "general", age="40h", claim=guarded),
        a_pod("db-1", on="k4", of=WEB, age="31h", labels={"app": "db"}),
        a_budget("db", selects={"app": "db"}, allowed=0, max_unavailable=0),
        a_node("k5", pool="general", age="40h", deleted=on_the_hour(150)),
        draining,
        a_pod("long-k5", on="k5", of=WEB, age="31h", do_not_disrupt="true"),
    ]


def prod(now: int) -> list[Thing]:
    """All of it, so many minutes before the last scan."""
    parts = (uncounted, expiring, disrupted, never_there, bought, kept)
    return [thing for part in parts for thing in part(now)]


def staging(_: int) -> list[Thing]:
    """A small cluster with a DaemonSet's pod that is not counted on its node, and a NodeClaim that has waited for its instance for hours."""
    claim = a_nodeclaim("default-aaaaa", node="", age="5h", launched=False, registered=False, initialized=False)
    return [a_nodepool(), *a_host("n1", "default", heavy=True), AGENT, a_pod("agent-1", on="n1", of=AGENT, age="3h"), claim]


@dataclass(frozen=True)
class Fleet:
    """What was scanned, and the Prometheus that saw it."""

    prometheus: Prometheus
    gateway: Pushgateway
    before: Mapping[str, Vector]
    """What expressions gave that were asked before the first scan."""
    began: float
    """The moment before the first scan, in seconds since the epoch; `ended` is the moment after the last one was seen."""
    ended: float


def _moved(file: Path, by: timedelta) -> None:
    """Write a snapshot file with every moment in it moved."""

    def later(found: "re.Match[str]") -> str:
        return (datetime.fromisoformat(found[0]) + by).astimezone(UTC).isoformat().replace("+00:00", "Z")

    file.write_text(re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", later, file.read_text(encoding="utf-8")), encoding="utf-8")


def _refused(gateway: Pushgateway, cluster: str) -> None:
    """Push into a cluster's group what the gateway refuses: a metric of ours with another type."""
    body = b"# TYPE karpenter_check_objects counter\nkarpenter_check_objects 1\n"
    try:
        with urlopen(Request(f"{gateway.url}/metrics/job/karpenter-check/cluster/{cluster}", body, method="POST"), timeout=5):
            raise AssertionError("the Pushgateway took two types of one metric")
    except HTTPError as error:
        assert error.code == 400, error.read()  # noqa: PT017  that it is refused is what is wanted


@contextmanager
def a_watched_fleet(folder: Path, *first_asked: str) -> Iterator[Fleet]:
    """A Prometheus that has scraped the Pushgateway while both clusters were scanned; `first_asked` is asked before that."""
    (folder / "ignores.yaml").write_text(IGNORED)
    with a_pushgateway(folder) as gateway, a_prometheus(folder, {"pushgateway": gateway.url}) as prometheus:
        prometheus.has_seen("up == 1")
        before = {expression: prometheus.query(expression) for expression in first_asked}
        began = prometheus.now()
        moved = datetime.fromtimestamp(began, UTC).replace(microsecond=0) - NOON
        for now in SCANS:
            forbidden = {Kind.DAEMONSET: Status.FORBIDDEN} if now <= FORBIDDEN_FROM else None
            for cluster, things, missing, more in (
                ("prod", prod(now), None, ("--config", str(folder / "ignores.yaml"))),
                ("staging", staging(now), forbidden, ("--max-series", "300")),
            ):
                file = a_snapshot_file(folder / "cluster.json", *things, at=ago(on_the_hour(now)), cluster=cluster, missing=missing)
                _moved(file, moved)
                words = ["scan", "-f", str(file), "--fail-on", "none", "-o", "json", "--push-gateway-url", gateway.url, *more]
                result = CliRunner().invoke(group, words)
                assert result.exit_code == 0, result.stderr
            at = (NOON + moved).timestamp() - 60 * now
            prometheus.has_seen(f'karpenter_check_last_run_timestamp_seconds{{cluster="staging"}} == {at}')
        _refused(gateway, "staging")
        prometheus.has_seen('push_failure_time_seconds{cluster="staging"} > 0')
        yield Fleet(prometheus, gateway, before, began, prometheus.now())
