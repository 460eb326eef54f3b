"""Scans of a changing cluster, pushed to a real Pushgateway that a real Prometheus scrapes."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from karpenter_check.cli import group
from karpenter_check.metrics.family import Family
from karpenter_check.metrics.gateway import Gateway
from karpenter_check.metrics.transport import GatewayError
from karpenter_check.snapshot import Kind, Status
from karpenter_check.snapshot.last_run import decoded
from tests.build import Thing, a_daemonset, a_deployment, a_node, a_nodeclaim, a_nodepool, a_pod, ago, nominated
from tests.metrics.prometheus import Prometheus, a_prometheus
from tests.metrics.pushgateway import Pushgateway, a_pushgateway
from tests.metrics.snapshot_files import a_snapshot_file

AGENT = a_daemonset("agent", tolerations=[], selector={"heavy": "yes"})
WEB = a_deployment("web")
MISMATCHES = "karpenter_check_nodepool_daemonset_mismatches_total"
DEATHS = "karpenter_check_nodepool_node_deaths_total"
FAILURES = "karpenter_check_nodepool_nomination_failures_total"
LAST_RUN = "karpenter_check_last_run_timestamp_seconds"


def before() -> list[Thing]:
    """Two nodes, one of which expires at noon."""
    return [
        a_nodepool(), a_node("n1", labels={"heavy": "yes"}, age="20h"), a_nodeclaim("default-aaaaa", age="20h"),
        a_node("n2", age="10h"), a_nodeclaim("default-bbbbb", node="n2", age="10h", expire_after="10h"), AGENT, WEB,
    ]  # fmt: skip


def after() -> list[Thing]:
    """At noon a DaemonSet's pod is there that Karpenter does not count, and a pod has waited for a node without room."""
    pod = a_pod("web-1", of=WEB, age="9m", cpu="8")
    said = nominated(pod, to="default-aaaaa", node="n1", first="8m", last="30s", times=4)
    return [*before(), a_pod("agent-1", on="n1", of=AGENT, age="5m"), pod, said]


def later() -> list[Thing]:
    """Then one node is gone, and a second DaemonSet's pod has come that Karpenter does not count."""
    other = a_daemonset("other", tolerations=[], selector={"heavy": "yes"})
    left = [thing for thing in after() if thing.metadata.name not in {"n2", "default-bbbbb"}]
    return [*left, other, a_pod("other-1", on="n1", of=other, age="-2m")]


@dataclass
class Watch:
    """A cluster that is scanned again and again."""

    folder: Path
    prometheus: Prometheus
    running: ExitStack
    gateway: Pushgateway
    arguments: tuple[str, ...] = ()

    def restart_the_gateway(self) -> None:
        """It has no file, so that nothing is left."""
        self.running.close()
        self.gateway = self.running.enter_context(a_pushgateway(self.folder, port=urlsplit(self.gateway.url).port or 0))

    def scan(self, things: list[Thing], at: str, *, missing: dict[Kind, Status] | None = None, url: str = "") -> str:
        """One scan that pushes; what it said on standard error."""
        file = a_snapshot_file(self.folder / "cluster.json", *things, at=ago(at), missing=missing)
        push = ("--push-gateway-url", url or self.gateway.url, "--push-timeout", "5s")
        result = CliRunner().invoke(group, ["scan", "-f", str(file), "--fail-on", "none", "-o", "json", *push, *self.arguments])
        assert result.exit_code == 0, result.stderr
        if not url:
            self.prometheus.has_seen(f"{LAST_RUN} == {ago(at).timestamp()}")
        return result.stderr

    def increase(self, metric: str) -> dict[str, int]:
        """What a total increased by since Prometheus began to look, by reason or NodePool. `increase` extrapolates to whole windows."""
        found = self.prometheus.query(f"increase({metric}[5m])")
        return {dict(labels).get("reason", dict(labels)["nodepool"]): round(value) for labels, value in found.items() if value > 0}

    def total(self, metric: str) -> float:
        """The sum of a metric's series now."""
        return sum(value for (name, _), value in self.gateway.group(cluster="prod").items() if name == metric)


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    with ExitStack() as running:
        gateway = running.enter_context(a_pushgateway(tmp_path))
        with a_prometheus(tmp_path, {"pushgateway": gateway.url}) as prometheus:
            yield Watch(tmp_path, prometheus, running, gateway)


def test_three_scans_of_a_changing_cluster_count_what_changed(watch: Watch) -> None:
    for things, at in ((before(), "10m"), (after(), "0s"), (later(), "-5m")):
        watch.scan(things, at)

    assert (watch.total(MISMATCHES), watch.total(DEATHS), watch.total(FAILURES)) == (2, 1, 1)
    assert [watch.increase(metric) for metric in (MISMATCHES, DEATHS, FAILURES)] == [{"default": 2}, {"expired": 1}, {"no_room": 1}]
    assert watch.prometheus.query(
        '{__name__=~"karpenter_check_node_ttl_deaths_total|karpenter_check_nominated_pod_failures_total"}'
    ) == {
        (("cluster", "prod"), ("node", "n2"), ("nodepool", "default"), ("ttl_reason", "ttl_expired")): 1,
        (("cluster", "prod"), ("namespace", "shop"), ("node", "n1"), ("pod", "web-1"), ("reason", "no_room")): 1,
    }


def test_a_run_that_never_pushed_loses_nothing(watch: Watch) -> None:
    watch.scan(before(), "10m")
    said = watch.scan(after(), "0s", url="http://127.0.0.1:9")
    watch.scan(later(), "-5m")

    assert "metrics were not pushed" in said
    assert (watch.total(MISMATCHES), watch.total(DEATHS), watch.total(FAILURES)) == (2, 1, 1)
    assert [watch.increase(metric) for metric in (MISMATCHES, DEATHS, FAILURES)] == [{"default": 2}, {"expired": 1}, {"no_room": 1}]


def test_a_run_twice_counts_once(watch: Watch) -> None:
    for things, at in ((before(), "10m"), (after(), "0s"), (after(), "0s"), (after(), "-1m")):
        watch.scan(things, at)

    assert (watch.total(MISMATCHES), watch.total(DEATHS), watch.total(FAILURES)) == (1, 0, 1)


def test_a_run_with_a_kind_forbidden_keeps_what_was_counted_and_the_next_one_makes_up_for_it(watch: Watch) -> None:
    watch.scan(before(), "10m")
    said = watch.scan(after(), "0s", missing={Kind.DAEMONSET: Status.FORBIDDEN})
    assert "note: the scan was incomplete" in said
    assert (watch.total(MISMATCHES), watch.total(FAILURES)) == (0, 1)

    watch.scan(after(), "-1m")
    assert (watch.total(MISMATCHES), watch.total(FAILURES)) == (1, 1)
    assert [watch.increase(metric) for metric in (MISMATCHES, FAILURES)] == [{"default": 1}, {"no_room": 1}]


def test_a_clock_that_stepped_back_counts_nothing_twice(watch: Watch) -> None:
    for things, at in ((before(), "10m"), (after(), "0s"), (before(), "20m"), (after(), "-1m")):
        watch.scan(things, at)

    assert (watch.total(MISMATCHES), watch.total(DEATHS), watch.total(FAILURES)) == (1, 0, 1)


def test_a_pushgateway_that_lost_everything_is_where_counting_begins_anew(watch: Watch) -> None:
    for things, at in ((before(), "10m"), (after(), "0s")):
        watch.scan(things, at)
    watch.restart_the_gateway()
    said = watch.scan(after(), "-1m")
    assert "no earlier run is remembered" in said
    assert watch.total(MISMATCHES) == 0

    watch.scan(later(), "-5m")
    assert (watch.total(MISMATCHES), watch.total(DEATHS)) == (1, 1)
    assert [watch.increase(metric) for metric in (MISMATCHES, DEATHS, FAILURES)] == [{"default": 2}, {"expired": 1}, {"no_room": 1}]


def test_a_state_file_remembers_where_the_pushgateway_lost_everything(watch: Watch) -> None:
    watch.arguments = ("--state", str(watch.folder / "state.json"))
    for things, at in ((before(), "10m"), (after(), "0s")):
        watch.scan(things, at)
    watch.restart_the_gateway()
    watch.scan(later(), "-5m")

    assert (watch.total(MISMATCHES), watch.total(DEATHS), watch.total(FAILURES)) == (2, 1, 1)


def test_a_run_that_cannot_read_back_leaves_the_counters_to_the_next_one(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    def unread(_: Gateway) -> tuple[Family, ...]:
        raise GatewayError("the Pushgateway answers HTTP 503")

    watch.scan(before(), "10m")
    watch.scan(after(), "0s")
    with monkeypatch.context() as patched:
        patched.setattr(Gateway, "read", unread)
        said = watch.scan(after(), "-1m")
    assert "warning: what was pushed last cannot be read: the Pushgateway answers HTTP 503" in said
    assert "counters stay in the Pushgateway as they are" in said
    assert (watch.total(MISMATCHES), watch.total(FAILURES)) == (1, 1)

    watch.scan(later(), "-5m")
    assert (watch.total(MISMATCHES), watch.total(DEATHS), watch.total(FAILURES)) == (2, 1, 1)


def test_a_new_state_file_begins_with_what_the_pushgateway_remembers(watch: Watch) -> None:
    watch.scan(before(), "10m")
    watch.scan(after(), "0s")
    watch.arguments = ("--state", str(watch.folder / "state.json"))
    watch.scan(later(), "-5m")

    assert (watch.total(MISMATCHES), watch.total(DEATHS), watch.total(FAILURES)) == (2, 1, 1)


def test_what_was_counted_is_kept_before_it_is_pushed(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(_: Gateway, __: Sequence[Family]) -> None:
        raise KeyboardInterrupt

    state = watch.folder / "state.json"
    watch.arguments = ("--state", str(state))
    watch.scan(before(), "10m")
    file = a_snapshot_file(watch.folder / "cluster.json", *after(), at=ago("0s"))
    with monkeypatch.context() as patched:
        patched.setattr(Gateway, "put", ended)
        CliRunner().invoke(group, ["scan", "-f", str(file), "--push-gateway-url", watch.gateway.url, *watch.arguments])

    assert [entry.value for entry in decoded(state.read_bytes()).counters["nodepool_daemonset_mismatches_total"]] == [1]
    watch.scan(after(), "-1m")
    assert watch.total(MISMATCHES) == 1
