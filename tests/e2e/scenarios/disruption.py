"""Nodes that should go and stay."""

from tests.e2e.outcome import Found, Outcome
from tests.e2e.scenario import scenario
from tests.e2e.stage import Stage

_EMPTY_GO = {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "10s"}
_DO_NOT_DISRUPT = {"karpenter.sh/do-not-disrupt": "true"}


@scenario("a budget of 0 keeps an empty node")
def budget_zero(stage: Stage) -> Outcome:
    _an_empty_node(stage, {**_EMPTY_GO, "budgets": [{"nodes": "0"}]})
    return stage.finds(
        Found("budget-blocks-disruption", stage.of("NodePool", stage.name), "always-closed", says="at any hour"), seconds=600
    )


@scenario("a budget's schedule cannot be parsed")
def budget_cron(stage: Stage) -> Outcome:
    _an_empty_node(stage, {**_EMPTY_GO, "budgets": [{"nodes": "10%", "schedule": "at five every working day", "duration": "1h"}]})
    return stage.finds(
        Found("budget-schedule-invalid", stage.of("NodePool", stage.name), "unreadable", says="at five every working day"),
    )


@scenario("a NodePool is edited; a pod that says do-not-disrupt holds its drifted node")
def drift_held(stage: Stage) -> Outcome:
    stage.nodepool()
    stage.deployment("web", cpu="300m", annotations=_DO_NOT_DISRUPT)
    stage.running("web")
    edit = '{"spec":{"template":{"metadata":{"labels":{"generation":"2"}}}}}'
    stage.kubectl("patch", "nodepool", stage.name, "--type=merge", "-p", edit)
    stage.wait("the node to drift", lambda: stage.is_true("Drifted"))
    return stage.finds(no_rule_yet=("do-not-disrupt-blocks", "drift-unresolved"))


@scenario("a PodDisruptionBudget that never allows an eviction holds a node that somebody deletes")
def pdb_never(stage: Stage) -> Outcome:
    stage.nodepool()
    stage.deployment("web", cpu="300m")
    stage.pdb("web", app="web", maxUnavailable=0)
    stage.running("web")
    stage.kubectl("delete", "node", stage.node(), "--wait=false")
    return stage.finds(no_rule_yet=("node-terminating-stuck", "pdb-blocks-drain"))


@scenario("a pod is matched by two PodDisruptionBudgets, which eviction refuses")
def two_pdbs(stage: Stage) -> Outcome:
    stage.nodepool()
    stage.deployment("web", replicas=2, cpu="100m")
    for name in ("web", "web-too"):
        stage.pdb(name, app="web", maxUnavailable=1)
    stage.running("web", 2)
    stage.kubectl("delete", "node", stage.node(), "--wait=false")
    return stage.finds(no_rule_yet=("node-terminating-stuck", "pod-multiple-pdbs"))


@scenario("somebody deletes a node; a pod that says do-not-disrupt never leaves it")
def stuck_drain(stage: Stage) -> Outcome:
    stage.nodepool()
    stage.deployment("web", cpu="300m", annotations=_DO_NOT_DISRUPT)
    stage.running("web")
    stage.kubectl("delete", "node", stage.node(), "--wait=false")
    return stage.finds(no_rule_yet=("do-not-disrupt-blocks", "node-terminating-stuck"))


def _an_empty_node(stage: Stage, disruption: dict[str, object]) -> None:
    """A node of the NodePool that nothing uses any more, and that Karpenter knows to be consolidatable."""
    stage.nodepool(changes={"disruption": disruption})
    stage.deployment("web", cpu="300m")
    stage.running("web")
    stage.kubectl("scale", "deployment", "web", "-n", stage.name, "--replicas=0")
    stage.wait("the node to be consolidatable", lambda: stage.is_true("Consolidatable"))
