"""DaemonSets: what Karpenter counts, and what comes to the nodes."""

from tests.e2e.manifests import requirements
from tests.e2e.outcome import Found, Outcome
from tests.e2e.scenario import scenario
from tests.e2e.stage import Stage


@scenario("an agent labels the nodes; a DaemonSet selects the label, and the NodePool does not declare it")
def agent_label(stage: Stage) -> Outcome:
    stage.nodepool()
    stage.daemonset("node-agent", cpu="50m", nodeSelector={"heavy": "yes"})
    stage.deployment("web", cpu="300m")
    stage.kubectl("label", "node", stage.node(), "heavy=yes")
    stage.running("node-agent")
    return stage.finds(
        Found(
            "daemonset-nodepool-mismatch",
            stage.of("DaemonSet", "node-agent"),
            "label:heavy",
            says='selects heavy=yes; NodePool agent-label declares no such label; on the nodes it was written by "kubectl-label"',
        )
    )


@scenario("somebody takes a NodePool's taint off a node; a DaemonSet that does not tolerate it comes")
def taint_taken_off(stage: Stage) -> Outcome:
    dedicated = {"key": "dedicated", "value": "batch", "effect": "NoSchedule"}
    stage.nodepool(taints=[{"key": "pool", "value": stage.name, "effect": "NoSchedule"}, dedicated])
    stage.daemonset("node-agent", cpu="50m")
    tolerations = [{"key": key, "operator": "Exists"} for key in ("pool", "dedicated")]
    stage.deployment("web", cpu="300m", tolerations=tolerations, nodeSelector={"team": stage.name})
    stage.kubectl("taint", "node", stage.node(), "dedicated-")
    stage.running("node-agent")
    return stage.finds(
        Found(
            "daemonset-nodepool-mismatch",
            stage.of("DaemonSet", "node-agent"),
            "taint:dedicated",
            says="does not tolerate dedicated=batch:NoSchedule",
        )
    )


@scenario("a DaemonSet's first required term fits no NodePool, its second does")
def second_term(stage: Stage) -> Outcome:
    stage.nodepool()
    terms = [_term("heavy", "yes"), _term("team", stage.name)]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    stage.daemonset("node-agent", affinity=affinity)
    stage.deployment("web", cpu="300m")
    stage.running("node-agent")
    return stage.finds()


@scenario("a DaemonSet prefers a label that no node has")
def preference_only(stage: Stage) -> Outcome:
    stage.nodepool()
    preferred = [{"weight": 1, "preference": _term("heavy", "yes")}]
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    stage.daemonset("node-agent", affinity=affinity)
    stage.deployment("web", cpu="300m")
    stage.running("node-agent")
    return stage.finds()


def _term(key: str, value: str) -> dict[str, object]:
    return {"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]}


@scenario("a DaemonSet is added to a node that is full")
def added_too_late(stage: Stage) -> Outcome:
    stage.nodepool(requirements=requirements(cpus="1"))
    stage.deployment("web", cpu="700m")
    stage.running("web")
    stage.daemonset("node-agent", cpu="400m")
    return stage.finds(
        Found("daemonset-pod-pending", stage.of("DaemonSet", "node-agent"), "added-later", says="cpu"),
    )


@scenario("a DaemonSet selects arm64; the NodePool may buy both architectures, and buys amd64", karpenter=("1.13",))
def counted_in_vain(stage: Stage) -> Outcome:
    stage.nodepool(requirements=requirements(arch=["amd64", "arm64"]))
    stage.daemonset("node-agent", cpu="100m", nodeSelector={"kubernetes.io/arch": "arm64"})
    stage.deployment("web", cpu="300m", nodeSelector={"kubernetes.io/arch": "amd64"})
    stage.running("web")
    return stage.finds(Found("daemonset-overhead-wasted", stage.of("DaemonSet", "node-agent"), "counted-not-running"), seconds=780)


@scenario("a DaemonSet that runs on every other NodePool is kept out of one by its affinity")
def left_out(stage: Stage) -> Outcome:
    for name in (stage.name, f"{stage.name}-not"):
        stage.nodepool(name)
        stage.deployment(name, cpu="300m", pools=[name])
    elsewhere = [{"key": "karpenter.sh/nodepool", "operator": "NotIn", "values": [stage.name]}]
    affinity = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": elsewhere}]}}
    }
    stage.daemonset("ebs-csi-node", cpu="10m", affinity=affinity, tolerations=[{"operator": "Exists"}])
    return stage.finds(
        Found("daemonset-absent-from-nodepool", stage.of("DaemonSet", "ebs-csi-node"), "label:karpenter.sh/nodepool"), seconds=780
    )
