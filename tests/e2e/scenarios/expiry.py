"""Nodes that reach the end of their expireAfter."""

from tests.e2e.kubelet import IGNORES_SIGTERM
from tests.e2e.manifests import requirements
from tests.e2e.outcome import Found, Outcome
from tests.e2e.scenario import scenario
from tests.e2e.stage import Stage


@scenario("a node expires; its pods take two and a half minutes to end")
def expires(stage: Stage) -> Outcome:
    stage.nodepool(expireAfter="1m")
    stage.deployment("web", cpu="300m", annotations={IGNORES_SIGTERM: ""}, terminationGracePeriodSeconds=150)
    return stage.finds(Found("node-ttl-death", stage.of("NodePool", stage.name), "expired"))


@scenario("a node expires; a pod that says do-not-disrupt holds it, and there is no terminationGracePeriod")
def expires_and_hangs(stage: Stage) -> Outcome:
    stage.nodepool(expireAfter="1m")
    stage.deployment("web", cpu="300m", annotations={"karpenter.sh/do-not-disrupt": "true"})
    pool = stage.of("NodePool", stage.name)
    return stage.finds(
        Found("node-ttl-death", pool, "expired"),
        Found("node-ttl-death", pool, "drain-hangs", says="do-not-disrupt", caused_by="node-terminating-stuck"),
        Found("do-not-disrupt-blocks", stage.of("Deployment", "web"), "pod", says="do-not-disrupt", nodepool=""),
        Found("node-terminating-stuck", pool, "pod-do-not-disrupt", says="do-not-disrupt", caused_by="do-not-disrupt-blocks"),
        Found("termination-grace-trap", pool, "endless-drain", says="do-not-disrupt"),
        seconds=540,
    )


@scenario("five nodes, bought together, expire together in an hour")
def expire_at_once(stage: Stage) -> Outcome:
    stage.nodepool(expireAfter="1h", requirements=requirements(cpus="1"))
    stage.deployment("web", replicas=5, cpu="700m")
    stage.running("web", 5)
    herd = Found(
        "node-expiry-herd",
        stage.of("NodePool", stage.name),
        "nodes",
        says="5 of expire-at-once's 5 nodes",
        at_first=" of expire-at-once's ",  # the nodes do not come up in one moment
    )
    return stage.finds(herd)


@scenario("all replicas of CoreDNS are on one node, which expires in an hour")
def dns_at_once(stage: Stage) -> Outcome:
    stage.nodepool(expireAfter="1h")
    stage.deployment("coredns", replicas=2)
    stage.running("coredns", 2)
    return stage.finds(Found("node-expiry-herd", stage.of("Deployment", "coredns"), "replicas", says="coredns"))
