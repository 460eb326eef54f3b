"""Workloads and NodePools that are written so that harm comes of it some day, and what stands beside Karpenter."""

from tests.e2e.manifests import requirements
from tests.e2e.outcome import Found, Outcome
from tests.e2e.scenario import scenario
from tests.e2e.stage import Stage

_ZONE = "topology.kubernetes.io/zone"


@scenario("pods ask for neither cpu nor memory")
def no_requests(stage: Stage) -> Outcome:
    stage.nodepool()
    stage.deployment("web", replicas=3, containers=[{"name": "main", "image": "registry.k8s.io/pause:3.10"}])
    stage.running("web", 3)
    return stage.finds(Found("pod-without-requests", stage.of("NodePool", stage.name), "both", says="web"))


@scenario("both replicas of a workload are on one of two nodes, and no PodDisruptionBudget matches them")
def on_one_node(stage: Stage) -> Outcome:
    stage.nodepool(requirements=requirements(cpus="1"))
    stage.deployment("other", cpu="800m")
    stage.running("other")
    stage.deployment("web", replicas=2, cpu="350m")
    stage.running("web", 2)
    return stage.finds(Found("workload-on-one-node", stage.of("Deployment", "web"), "one-node", nodepool=stage.name))


@scenario("a NodePool buys spot alone, and no other one would take its pods")
def spot_alone(stage: Stage) -> Outcome:
    spot = {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]}
    asked = [entry for entry in requirements() if entry["key"] != spot["key"]]
    stage.nodepool(requirements=[*asked, spot])
    stage.deployment("web", cpu="300m")
    stage.running("web")
    return stage.finds(Found("nodepool-inflexible", stage.of("NodePool", stage.name), "spot-only", says="spot alone"))


@scenario("a pod must be in a zone with another one, and that one is nowhere")
def beside_nobody(stage: Stage) -> Outcome:
    stage.nodepool()
    term = {"labelSelector": {"matchLabels": {"app": "nobody"}}, "topologyKey": _ZONE}
    stage.deployment("web", affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}})
    web = stage.of("Deployment", "web")
    return stage.finds(
        Found("topology-spread-deadlock", web, f"affinity:{_ZONE}", nodepool=""),
        Found("pod-fits-no-nodepool", web, "unproven", nodepool="", caused_by="topology-spread-deadlock"),
    )


@scenario("somebody still runs the cluster-autoscaler")
def another_autoscaler(stage: Stage) -> Outcome:
    stage.nodepool()
    stage.deployment("cluster-autoscaler")
    stage.running("cluster-autoscaler")
    autoscaler = stage.of("Deployment", "cluster-autoscaler")
    return stage.finds(Found("competing-autoscaler", autoscaler, "cluster-autoscaler", nodepool=""))


@scenario("a NodePool has replicas, and Karpenter does not know that it should make nodes for them")
def replicas_for_nothing(stage: Stage) -> Outcome:
    stage.nodepool(changes={"replicas": 1, "limits": {"nodes": "5"}})
    return stage.finds(Found("nodepool-static-mismatch", stage.of("NodePool", stage.name), "none-made"))


@scenario("a node says that it is of a NodePool, and there is no NodeClaim behind it")
def nobody_bought_it(stage: Stage) -> Outcome:
    stage.nodepool()
    labels = dict.fromkeys(("karpenter.sh/registered", "karpenter.sh/initialized"), "true")
    metadata = {"name": stage.name, "labels": {"karpenter.sh/nodepool": stage.name, **labels}}
    taint = {"key": "pool", "value": stage.name, "effect": "NoSchedule"}
    stage.apply({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"providerID": "metal://1", "taints": [taint]}})
    return stage.finds(Found("node-orphaned", stage.of("NodePool", stage.name), "no-nodeclaim"))


@scenario("a pod's volume is in a zone in which its NodePool does not buy")
def volume_elsewhere(stage: Stage) -> Outcome:
    stage.nodepool(requirements=[*requirements(), {"key": _ZONE, "operator": "In", "values": ["test-zone-a", "test-zone-c"]}])
    storage = {"storage": "1Gi"}
    term = {"matchExpressions": [{"key": _ZONE, "operator": "In", "values": ["test-zone-b"]}]}
    volume = {
        "capacity": storage,
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "",
        "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"},
        "claimRef": {"namespace": stage.name, "name": "data"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
    }
    claim = {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "volumeName": stage.name, "resources": {"requests": storage}}
    stage.apply(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": stage.name}, "spec": volume},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": stage.name},
            "spec": claim,
        },
    )
    stage.deployment("web", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}])
    web = stage.of("Deployment", "web")
    return stage.finds(
        Found("volume-zone-conflict", web, "zone", says="test-zone-b", nodepool=""),
        Found("pod-fits-no-nodepool", web, "unproven", says="incompatible volume requirements", nodepool=""),
    )
