"""Nominations: pods that never land where Karpenter said they should, and nodes that are kept for them."""

from tests.e2e.manifests import NODECLASS, requirements
from tests.e2e.outcome import Found, Outcome
from tests.e2e.scenario import scenario
from tests.e2e.stage import Stage

_PATIENCE = 900
"""Seconds: what a target that still boots is given, and twice as much again on a busy machine. Karpenter tells of five nominations a second, and of the others
minutes later (`provisioning/scheduling/events.go:PodNominationRateLimiter`, 1.13)."""


@scenario("an agent labels each node once it is in use; the DaemonSet that comes preempts the pod that the node was bought for")
def preempted_in_a_loop(stage: Stage) -> Outcome:
    stage.nodepool(requirements=requirements(cpus="1"), changes={"limits": {"cpu": "24"}})
    stage.daemonset("node-agent-heavy", cpu="600m", nodeSelector={"heavy": "yes"}, priorityClassName="system-node-critical")
    stage.deployment("app", cpu="700m")

    def label_nodes_in_use() -> None:
        for pod in stage.pods("app", "Running"):
            stage.kubectl("label", "node", pod["spec"]["nodeName"], "heavy=yes", "--overwrite")

    with stage.meanwhile(label_nodes_in_use):
        outcome = stage.finds(
            Found("daemonset-nodepool-mismatch", stage.of("DaemonSet", "node-agent-heavy"), "label:heavy", says="heavy=yes"),
            Found(
                "nominated-pod-failure",
                stage.of("Deployment", "app"),
                "preempted",
                says="node-agent-heavy",
                caused_by="daemonset-nodepool-mismatch",
            ),
        )
    stage.kubectl("delete", "deployment", "app", "-n", stage.name)
    return outcome


@scenario("a pod names a scheduler that binds nothing, and there is room for it on a node in use")
def other_scheduler(stage: Stage) -> Outcome:
    stage.nodepool()
    stage.deployment("web", cpu="300m")
    stage.running("web")
    stage.waits_for_nobody("ghost")
    return stage.finds(
        Found("nominated-pod-failure", stage.of("Pod", "ghost"), "other_scheduler", says="batch-scheduler"),
    )


@scenario("the same, and the node is empty: Karpenter would take it away, and keeps it for the pod")
def kept_by_nomination(stage: Stage) -> Outcome:
    stage.nodepool(changes={"disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "15s"}})
    stage.deployment("web", cpu="300m")
    stage.running("web")
    stage.waits_for_nobody("ghost")
    stage.nominated("ghost")
    stage.kubectl("scale", "deployment", "web", "-n", stage.name, "--replicas=0")
    return stage.finds(
        Found("node-reaping-nominated", stage.of("Node", stage.node()), "other_scheduler", says="ghost"),
        Found("nominated-pod-failure", stage.of("Pod", "ghost"), "other_scheduler", says="batch-scheduler"),
        seconds=_PATIENCE,
    )


@scenario("nobody takes a startup taint off")
def startup_taint_left(stage: Stage) -> Outcome:
    stage.nodepool(startupTaints=[{"key": "agent.example.com/not-ready", "effect": "NoSchedule"}])
    stage.deployment("web", cpu="300m")
    pool, taint = stage.of("NodePool", stage.name), "agent.example.com/not-ready"
    return stage.finds(
        Found("startup-taint-unremovable", pool, f"no_remover:{taint}", says=taint),
        Found("nodeclaim-not-initialized", pool, f"startup_taint:{taint}", says=taint, caused_by="startup-taint-unremovable"),
        Found(
            "nominated-pod-failure",
            stage.of("Deployment", "web"),
            "not_initialized",
            says=taint,
            caused_by="nodeclaim-not-initialized",
        ),
        seconds=_PATIENCE,
    )


@scenario("an instance never joins the cluster")
def never_registers(stage: Stage) -> Outcome:
    slow = {"apiVersion": "karpenter.kwok.sh/v1alpha1", "kind": "KWOKNodeClass", "metadata": {"name": stage.name}}
    stage.apply({**slow, "spec": {"nodeRegistrationDelay": "1h"}})
    stage.nodepool(nodeClassRef={**NODECLASS, "name": stage.name})
    stage.deployment("web", cpu="300m")
    return stage.finds(
        Found("nodeclaim-not-registered", stage.of("NodePool", stage.name), "no_node", says="Node not registered with cluster"),
        Found("nominated-pod-failure", stage.of("Deployment", "web"), "not_registered", caused_by="nodeclaim-not-registered"),
        seconds=_PATIENCE,
    )


@scenario("a node joins, and its network plugin never starts, so that it is never Ready")
def never_ready(stage: Stage) -> Outcome:
    stage.nodepool(labels={"e2e/never-ready": ""})
    stage.deployment("web", cpu="300m")
    return stage.finds(
        Found("node-not-ready", stage.of("NodePool", stage.name), "network", says="NetworkPluginNotReady"),
        Found(
            "nodeclaim-not-initialized",
            stage.of("NodePool", stage.name),
            "not_ready",
            says="cni plugin not initialized",
            caused_by="node-not-ready",
        ),
        Found("nominated-pod-failure", stage.of("Deployment", "web"), "not_initialized"),
        seconds=_PATIENCE,
    )
