"""Startup taints that nobody takes away, that come back, or that the NodePool was not told of."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.startup_taint_unremovable import startup_taint_unremovable
from karpenter_check.snapshot import Kind, Node, NodeClaim, Status
from karpenter_check.snapshot.metadata import Condition, Fields, FieldsOfSpec, ManagedFields
from karpenter_check.snapshot.part import Present
from tests.build import Thing, a_cluster, a_daemonset, a_node, a_nodeclaim, a_nodepool, a_uid, ago

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
NODE = Ref("Node", "n1", "v1")
TAINT = "agent.example.com/not-ready:NoSchedule"
CILIUM = "node.cilium.io/agent-not-ready=true:NoExecute"
Judged = list[tuple[str, Severity | None, Confidence]]


def a_tainted(
    name: str = "n1",
    *,
    taint: str = TAINT,
    age: str = "15m",
    initialized: bool = False,
    ready: bool = True,
    written: str = "",
    cordoned: bool = False,
    deleted: str = "",
) -> Node:
    """A node with a taint; its taints were written so long ago, or nothing says when."""
    node = a_node(name, age=age, taints=[taint], initialized=initialized, ready=ready, cordoned=cordoned, deleted=deleted)
    fields = (ManagedFields("agent", ago(written), Fields(spec=FieldsOfSpec(Present()))),) if written else ()
    return replace(node, metadata=replace(node.metadata, managed_fields=fields))


def a_claim(
    node: str = "n1",
    *,
    registered: str = "15m",
    initialized: bool = False,
    startup_taints: tuple[str, ...] = (TAINT,),
    taints: tuple[str, ...] = (),
    asks: str = "cpu",
) -> NodeClaim:
    """A NodeClaim that registered so long ago."""
    claim = a_nodeclaim(node=node, age="1h", startup_taints=startup_taints, taints=taints, requests={asks: "1"})
    conditions = (
        Condition("Registered", "True" if registered else "Unknown", last_transition_time=ago(registered or "1h")),
        Condition("Initialized", "True" if initialized else "Unknown", last_transition_time=ago("1h")),
    )
    return replace(claim, status=replace(claim.status, conditions=conditions))


def found(*things: Thing, missing: dict[Kind, Status] | None = None) -> list[Finding]:
    return list(startup_taint_unremovable(a_cluster(*things, missing=missing)))


def judged(*things: Thing) -> Judged:
    return [(finding.cause, finding.severity, finding.confidence) for finding in found(*things)]


def test_a_startup_taint_that_nobody_is_known_to_take_away_is_found() -> None:
    pool = a_nodepool(startup_taints=[TAINT])

    assert found(pool, a_tainted(), a_claim(), a_daemonset("logs")) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="default",
            cause="no_remover:agent.example.com/not-ready",
            severity=Severity.MEDIUM,
            confidence=Confidence.POSSIBLE,
            message=f"nothing here is known to take its startup taint {TAINT} away; 1 node waits for that",
            why="no node of any NodePool has got rid of it, and none of the DaemonSets names it: 1 DaemonSet tolerates it only with "
            "everything else; a controller that runs elsewhere is not seen",
            cost="1 node paid for and closed to pods that do not tolerate it",
            impact=Impact(nodes=1),
            evidence=(Evidence(POOL, "spec.template.spec.startupTaints", TAINT), Evidence(NODE, "spec.taints", TAINT)),
            occurrences=(Occurrence(NODE, a_uid("Node", "n1"), "n1", "no_remover", ago("15m")),),
            since=ago("15m"),
            fix=(
                Fix(
                    "stop",
                    f"kubectl taint node n1 {TAINT}-",
                    risk="pods come there at once, whether or not what they need runs there",
                ),
                Fix(
                    "fix",
                    text="run what takes agent.example.com/not-ready away, with a toleration of it, or take it out of the NodePool's "
                    "startupTaints",
                    risk="an edit of startupTaints drifts the pool's nodes",
                ),
                Fix("verify", "karpenter-check scan --select startup-taint-unremovable --nodepool default"),
            ),
        )
    ]


def test_where_no_daemonset_tolerates_it_at_all_it_is_likely() -> None:
    assert judged(a_tainted(), a_claim(), a_daemonset("logs", tolerations=())) == [
        ("no_remover:agent.example.com/not-ready", Severity.MEDIUM, Confidence.LIKELY)
    ]


def test_a_node_without_startup_taints_is_fine() -> None:
    assert found(a_node(), a_daemonset("logs")) == []


@pytest.mark.parametrize(
    "things",
    [
        [a_tainted(), a_claim(registered="4m59s")],
        [a_tainted(), a_claim(registered="9m", asks="nvidia.com/gpu")],
        [a_tainted(ready=False), a_claim()],
        [a_tainted(cordoned=True), a_claim()],
        [a_tainted(deleted="1m"), a_claim()],
        [a_tainted(), a_claim(registered="")],
        [a_tainted(), a_claim(), a_daemonset("agent", tolerations=[TAINT])],
        [a_tainted(), a_claim(), a_node("n2"), a_nodeclaim(node="n2", startup_taints=[TAINT])],
        [a_tainted(taint=CILIUM), a_claim(startup_taints=(CILIUM,)), a_daemonset("cilium")],
    ],
    ids=[
        "young",
        "drivers take minutes",
        "not ready",
        "cordoned",
        "being deleted",
        "not registered",
        "a DaemonSet names it",
        "some node got rid of it",
        "the known agent runs",
    ],
)
def test_a_taint_that_may_still_go_is_silent(things: list[Thing]) -> None:
    assert found(*things) == []


def test_a_daemonset_that_may_not_run_there_takes_nothing_away() -> None:
    agent = a_daemonset("agent", tolerations=[TAINT], selector={"gpu": "yes"})

    assert judged(a_tainted(), a_claim(), agent) == [("no_remover:agent.example.com/not-ready", Severity.MEDIUM, Confidence.LIKELY)]


def test_a_well_known_agent_that_is_missing_is_named() -> None:
    (finding,) = found(a_tainted(taint=CILIUM), a_claim(startup_taints=(CILIUM,)))

    assert (
        "no DaemonSet that may run there tolerates it, and cilium, which takes it away, is not among the DaemonSets" in finding.why
    )


@pytest.mark.parametrize("kind", [Kind.DAEMONSET, Kind.NODECLAIM])
def test_without_the_whole_lists_nobody_is_called_missing(kind: Kind) -> None:
    assert found(a_tainted(), a_claim(), missing={kind: Status.PARTIAL}) == []


@pytest.mark.parametrize(("registered", "severity"), [("5m", Severity.INFO), ("9m59s", Severity.INFO), ("10m", Severity.MEDIUM)])
def test_it_is_info_at_first_and_medium_later(registered: str, severity: Severity) -> None:
    assert [finding.severity for finding in found(a_tainted(), a_claim(registered=registered))] == [severity]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("4m59s", []),
        ("5m", [(Severity.INFO, Confidence.CERTAIN)]),
        ("10m", [(Severity.MEDIUM, Confidence.CERTAIN)]),
        ("", [(Severity.INFO, Confidence.POSSIBLE)]),
    ],
)
def test_a_startup_taint_that_is_back_is_found_once_it_stays(written: str, expected: list[tuple[Severity, Confidence]]) -> None:
    node = a_tainted(taint=CILIUM, age="9h", initialized=True, written=written)
    claim = a_claim(initialized=True, startup_taints=("node.cilium.io/agent-not-ready:NoExecute",))

    assert judged(node, claim, a_daemonset("cilium")) == [("back:node.cilium.io/agent-not-ready", *rest) for rest in expected]


def test_what_is_said_of_a_startup_taint_that_is_back() -> None:
    (finding,) = found(a_tainted(age="9h", initialized=True, written="2h"), a_claim(initialized=True))

    assert (finding.message, finding.why) == (
        f"its startup taint {TAINT} is back on 1 initialized node for 2h",
        (
            "node n1: its taints changed last at 10:00:00Z (2h ago); startup taints count as passing only until a node is initialized, "
            "then they keep pods off in Karpenter's plans, too"
        ),
    )
    assert finding.fix[1].command == "kubectl get pods -A --field-selector spec.nodeName=n1"


def test_a_known_agents_taint_that_the_nodepool_does_not_declare_is_found() -> None:
    node = a_tainted(taint=CILIUM, age="2m")
    (finding,) = found(node, a_claim(registered="1m", startup_taints=()), a_daemonset("cilium"))

    assert (finding.cause, finding.severity, finding.confidence, finding.message) == (
        "undeclared:node.cilium.io/agent-not-ready",
        Severity.MEDIUM,
        Confidence.LIKELY,
        f"new nodes carry {CILIUM}, which is not among its startupTaints: 1 node of the last minutes",
    )
    assert (
        finding.cost == "while it is there, Karpenter buys more nodes for pods that wait, and takes them away again minutes later"
    )
    assert finding.fix[0] == Fix(
        "fix",
        "kubectl edit nodepool default",
        f"add {CILIUM} to spec.template.spec.startupTaints",
        "an edit of startupTaints drifts the pool's nodes, so they are replaced as its budgets allow",
    )


@pytest.mark.parametrize(
    "things",
    [
        [a_nodepool(startup_taints=["node.cilium.io/agent-not-ready:NoSchedule"]), a_tainted(taint=CILIUM, age="2m"), a_claim(startup_taints=())],
        [a_nodepool(taints=[CILIUM]), a_tainted(taint=CILIUM, age="2m"), a_claim(startup_taints=())],
        [a_tainted(taint=CILIUM, age="2m"), a_claim(startup_taints=(), taints=(CILIUM,))],
        [a_tainted(taint=CILIUM, age="59s"), a_claim(startup_taints=())],
        [a_tainted(taint=CILIUM, age="16m"), a_claim(startup_taints=())],
        [a_tainted(taint="node.cilium.io/agent-not-ready:PreferNoSchedule", age="2m"), a_claim(startup_taints=())],
        [a_tainted(taint="dedicated=batch:NoSchedule", age="2m"), a_claim(startup_taints=())],
        [a_tainted(taint="node.kubernetes.io/not-ready:NoSchedule", age="2m"), a_claim(startup_taints=())],
    ],
    ids=["declared by its key", "meant to stay", "meant to stay when it was made", "too young", "old", "keeps no pods off", "unknown", "ephemeral"],
)  # fmt: skip
def test_other_taints_of_young_nodes_are_silent(things: list[Thing]) -> None:
    assert found(*things) == []


def test_nodes_of_one_nodepool_are_one_finding() -> None:
    (finding,) = found(a_tainted("n1"), a_tainted("n2"), a_claim("n1"), a_claim("n2"))

    assert (finding.message.partition("; ")[2], finding.impact, finding.fix[0].text) == (
        "2 nodes wait for that",
        Impact(nodes=2),
        "and so for 1 other node",
    )


def test_the_settings_set_from_when_on() -> None:
    stays, born = a_cluster(a_tainted(), a_claim(registered="8m")), a_cluster(a_tainted(taint=CILIUM), a_claim(startup_taints=()))

    assert list(startup_taint_unremovable(stays, warn_after=timedelta(minutes=9))) == []
    assert [finding.severity for finding in startup_taint_unremovable(stays, fail_after=timedelta(minutes=8))] == [Severity.MEDIUM]
    assert list(startup_taint_unremovable(born)) == []
    assert len(list(startup_taint_unremovable(born, born_within=timedelta(minutes=16)))) == 1
