"""Nodes that should go and stay."""

from tests.e2e.manifests import requirements
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
    pool = stage.of("NodePool", stage.name)
    return stage.finds(
        Found("do-not-disrupt-blocks", stage.of("Deployment", "web"), "pod", says="do-not-disrupt", nodepool=""),
        Found("node-reaping-blocked", pool, "do_not_disrupt_pod", says="do-not-disrupt", caused_by="do-not-disrupt-blocks"),
        Found("drift-unresolved", pool, "do_not_disrupt_pod", says="do-not-disrupt", caused_by="do-not-disrupt-blocks"),
        Found("termination-grace-trap", pool, "endless-drain", says="do-not-disrupt"),
    )


@scenario("a PodDisruptionBudget that never allows an eviction holds a node that somebody deletes")
def pdb_never(stage: Stage) -> Outcome:
    stage.nodepool(expireAfter="Never")
    stage.deployment("web", cpu="300m")
    stage.pdb("web", app="web", maxUnavailable=0)
    stage.running("web")
    stage.kubectl("delete", "node", stage.node(), "--wait=false")
    return stage.finds(
        Found(
            "pdb-blocks-drain", stage.of("PodDisruptionBudget", "web"), "max-unavailable-zero", says="being deleted", nodepool=""
        ),
        Found("node-terminating-stuck", stage.of("NodePool", stage.name), "pdb", says="never allows", caused_by="pdb-blocks-drain"),
        seconds=540,
    )


@scenario("a pod is matched by two PodDisruptionBudgets, which eviction refuses")
def two_pdbs(stage: Stage) -> Outcome:
    stage.nodepool(expireAfter="Never")
    stage.deployment("web", replicas=2, cpu="100m")
    for name in ("web", "web-too"):
        stage.pdb(name, app="web", maxUnavailable=1)
    stage.running("web", 2)
    stage.kubectl("delete", "node", stage.node(), "--wait=false")
    return stage.finds(
        Found("pod-multiple-pdbs", stage.of("Deployment", "web"), "multiple-pdbs", says="web-too", nodepool=""),
        Found(
            "node-terminating-stuck",
            stage.of("NodePool", stage.name),
            "multiple-pdbs",
            says="web-too",
            caused_by="pod-multiple-pdbs",
        ),
        seconds=540,
    )


@scenario("somebody deletes a node; a pod that says do-not-disrupt never leaves it")
def stuck_drain(stage: Stage) -> Outcome:
    stage.nodepool(expireAfter="Never")
    stage.deployment("web", cpu="300m", annotations=_DO_NOT_DISRUPT)
    stage.running("web")
    stage.kubectl("delete", "node", stage.node(), "--wait=false")
    pool = stage.of("NodePool", stage.name)
    return stage.finds(
        Found("do-not-disrupt-blocks", stage.of("Deployment", "web"), "pod", says="terminating", nodepool=""),
        Found("node-terminating-stuck", pool, "pod-do-not-disrupt", says="do-not-disrupt", caused_by="do-not-disrupt-blocks"),
        seconds=540,
    )


@scenario("a pod says do-not-disrupt for a day, as no duration is written")
def says_one_day(stage: Stage) -> Outcome:
    stage.nodepool()
    stage.deployment("web", cpu="300m", annotations={"karpenter.sh/do-not-disrupt": "1d"})
    stage.running("web")
    return stage.finds(Found("do-not-disrupt-invalid", stage.of("Deployment", "web"), "not-a-duration", says="1d", nodepool=""))


@scenario("budgets are written for the hours in which nodes may go, and none holds in the others")
def hours_that_permit(stage: Stage) -> Outcome:
    hours = {"nodes": "1", "schedule": "0 3 * * *", "duration": "1h"}
    stage.nodepool(changes={"disruption": {"consolidateAfter": "Never", "budgets": [hours]}}, requirements=requirements(cpus="1"))
    stage.deployment("web", replicas=2, cpu="700m")
    stage.running("web", 2)
    return stage.finds(Found("budget-leaves-reason-unbounded", stage.of("NodePool", stage.name), "hours-that-permit"))


@scenario("a workload tolerates every taint, and so is not evicted")
def tolerates_everything(stage: Stage) -> Outcome:
    stage.nodepool()
    selector = {"karpenter.sh/nodepool": stage.name}
    stage.deployment("web", cpu="300m", tolerations=[{"operator": "Exists"}], nodeSelector=selector)
    stage.running("web")
    return stage.finds(Found("pod-tolerates-disruption", stage.of("Deployment", "web"), "everything", nodepool=""))


def _an_empty_node(stage: Stage, disruption: dict[str, object]) -> None:
    """A node of the NodePool that nothing uses any more, and that Karpenter knows to be consolidatable."""
    stage.nodepool(changes={"disruption": disruption})
    stage.deployment("web", cpu="300m")
    stage.running("web")
    stage.kubectl("scale", "deployment", "web", "-n", stage.name, "--replicas=0")
    stage.wait("the node to be consolidatable", lambda: stage.is_true("Consolidatable"))
