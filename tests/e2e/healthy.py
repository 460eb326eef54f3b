"""A cluster as it should be: what is in it, and what a working day does to it."""

from collections.abc import Mapping
from typing import Any

from tests.e2e import manifests
from tests.e2e.api import Api
from tests.e2e.manifests import Manifest
from tests.e2e.stage import Stage

_BATCH = {"key": "workload", "value": "batch", "effect": "NoSchedule"}
_BURST = {"key": "workload", "value": "burst", "effect": "NoSchedule"}
_GPU = {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}
_ANY = {"operator": "Exists"}
_WHEN_EMPTY = {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "30s"}


def furnish(api: Api) -> None:
    """NodePools, and the DaemonSets that come to every node of theirs."""
    api.apply(
        [
            _nodepool("general", disruption={"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "5m"}),
            _nodepool("burst", taints=[_BURST]),
            _nodepool("batch", taints=[_BATCH]),
            _nodepool("gpu", taints=[_GPU], labels={"accelerator": "nvidia"}),
            _daemonset("aws-node", tolerations=[_ANY]),
            _daemonset("kube-proxy", tolerations=[_ANY]),
            _daemonset("gpu-device-plugin", tolerations=[_ANY], nodeSelector={"accelerator": "nvidia"}),
            _daemonset("log-agent", priorityClassName=""),
        ]
    )


def open_shop(stage: Stage) -> None:
    """What its users run: with requests, budgets for disruption, and a place on every NodePool but `burst`; wait until it runs."""
    stage.deployment("web", 6, cpu="500m", tolerations=[], topologySpreadConstraints=[_spread("web")])
    stage.pdb("web", "web", maxUnavailable=1)
    stage.deployment("api", 4, cpu="900m", tolerations=[])
    stage.pdb("api", "api", maxUnavailable="25%")
    stage.deployment("etl", 2, cpu="2", tolerations=[_tolerated(_BATCH)], nodeSelector={"team": "batch"})
    stage.deployment("trainer", cpu="2", tolerations=[_tolerated(_GPU)], nodeSelector={"accelerator": "nvidia"})
    stage.deployment("crawler", 0, cpu="1500m", tolerations=[_tolerated(_BURST)], nodeSelector={"team": "burst"})
    _all_run(stage, web=6, api=4, etl=2, trainer=1)


def have_a_rush(stage: Stage) -> None:
    """More replicas than there are nodes for, so that young nodes join; wait until they run."""
    stage.kubectl("scale", "--namespace", stage.name, "deployment/crawler", "--replicas", "3")
    stage.kubectl("scale", "--namespace", stage.name, "deployment/web", "--replicas", "12")
    _all_run(stage, crawler=3, web=12)


def roll_out(stage: Stage) -> None:
    """Every pod of a Deployment is replaced; wait until they are."""
    stage.kubectl("rollout", "restart", "--namespace", stage.name, "deployment/api")
    stage.kubectl("rollout", "status", "--namespace", stage.name, "deployment/api", "--timeout", "2m")


def calm_down(stage: Stage) -> None:
    """The rush is over; wait until Karpenter has taken the empty nodes away."""
    stage.kubectl("scale", "--namespace", stage.name, "deployment/crawler", "--replicas", "0")
    stage.wait("the nodes of burst to be gone", lambda: not stage.nodeclaims("burst"))


def _all_run(stage: Stage, **replicas: int) -> None:
    for app, count in replicas.items():
        stage.running(app, count)


def _nodepool(name: str, *, disruption: Manifest = _WHEN_EMPTY, **template: Any) -> Manifest:
    budgets = [{"nodes": "50%"}, {"nodes": "1", "reasons": ["Drifted"]}]
    changes = {"disruption": {**disruption, "budgets": budgets}, "limits": {"cpu": "64", "memory": "256Gi"}}
    sizes = manifests.requirements(cpus=["4", "8"])
    return manifests.nodepool(
        name, name, changes, **{"terminationGracePeriod": "1h", "requirements": sizes, "taints": [], **template}
    )


def _daemonset(name: str, **pod: Any) -> Manifest:
    spec = manifests.pod_spec([], cpu="50m", memory="64Mi", **{"priorityClassName": "system-node-critical", **pod})
    return manifests.workload("DaemonSet", "kube-system", name, spec)


def _spread(app: str) -> Mapping[str, Any]:
    return {
        "topologyKey": "topology.kubernetes.io/zone",
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": app}},
    }


def _tolerated(taint: Mapping[str, str]) -> Mapping[str, str]:
    return {**taint, "operator": "Equal"}
