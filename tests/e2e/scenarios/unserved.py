"""Pods that no NodePool takes, or that Karpenter does not look at, and NodePools that take nothing."""

from typing import Any

from karpenter_check.finding import Ref
from tests.e2e.manifests import NODECLASS, requirements
from tests.e2e.outcome import Found, Outcome
from tests.e2e.scenario import scenario
from tests.e2e.stage import Stage

_ALL = [{"key": "pool", "operator": "Exists"}]


@scenario("a pod selects a label that no NodePool declares")
def label_typo(stage: Stage) -> Outcome:
    return _unserved(stage, "label:workload-class", "workload-class In [btach]", nodeSelector={"workload-class": "btach"})


@scenario("a pod wants Windows, and no NodePool offers it")
def no_such_os(stage: Stage) -> Outcome:
    return _unserved(stage, "label:kubernetes.io/os", "windows", nodeSelector={"kubernetes.io/os": "windows"})


@scenario("a pod does not tolerate the taint that all NodePools have")
def not_tolerated(stage: Stage) -> Outcome:
    return _unserved(stage, "taint:pool", "does not tolerate pool=", tolerations=[])


@scenario("a pod wants a zone in which the NodePool's instances are not offered")
def zone_not_offered(stage: Stage) -> Outcome:
    selector = {"topology.kubernetes.io/zone": "test-zone-z"}
    return _unserved(stage, "unproven", "no instance type", nodeSelector=selector, tolerations=None)


@scenario("a pod asks for more cpu than any instance has")
def too_big(stage: Stage) -> Outcome:
    stage.nodepool(changes={"limits": {}})
    stage.deployment("web", cpu="900")
    return stage.finds(
        Found("nodepool-without-limits", stage.of("NodePool", stage.name), "no-limits"),
        Found("pod-fits-no-nodepool", stage.of("Deployment", "web"), "unproven", says="no instance type", nodepool=""),
    )


@scenario("a NodePool has reached its limits, and a pod waits")
def limit_reached(stage: Stage) -> Outcome:
    stage.nodepool(requirements=requirements(cpus="1"), changes={"limits": {"cpu": "1"}})
    stage.deployment("first", cpu="700m")
    stage.running("first")
    stage.deployment("second", cpu="700m")
    return stage.finds(
        Found("nodepool-limit-reached", stage.of("NodePool", stage.name), "pods-wait", says="limit"),
        Found(
            "pod-fits-no-nodepool",
            stage.of("Deployment", "second"),
            "mixed",
            says="limit",
            nodepool="",
            caused_by="nodepool-limit-reached",
        ),
    )


@scenario("a NodePool names a NodeClass that does not exist, and a pod waits")
def nodeclass_missing(stage: Stage) -> Outcome:
    stage.nodepool(nodeClassRef={**NODECLASS, "name": "no-such-class"})
    stage.deployment("web")
    missing = Ref("KWOKNodeClass", "no-such-class", "karpenter.kwok.sh/v1alpha1")
    return stage.finds(
        Found("nodeclass-not-ready", missing, "missing", says="no-such-class"),
        Found(
            "nodepool-not-ready",
            stage.of("NodePool", stage.name),
            "NodeClassReady",
            says="NodeClassNotFound",
            caused_by="nodeclass-not-ready",
        ),
        Found(
            "pod-fits-no-nodepool",
            stage.of("Deployment", "web"),
            "mixed",
            says="NodePool nodeclass-missing",
            nodepool="",
            caused_by="nodepool-not-ready",
        ),
    )


@scenario("a pod selects karpenter.sh/provisioner-name, which Karpenter no longer knows")
def restricted_label(stage: Stage) -> Outcome:
    stage.nodepool()
    stage.deployment("web", nodeSelector={"karpenter.sh/provisioner-name": "default"})
    return stage.finds(
        Found(
            "pod-ignored-by-karpenter",
            stage.of("Deployment", "web"),
            "label:karpenter.sh/provisioner-name",
            says="karpenter.sh/provisioner-name",
            nodepool="",
        ),
        Found(
            "legacy-vocabulary",
            stage.of("Deployment", "web"),
            "provisioner-name",
            says="karpenter.sh/provisioner-name",
            nodepool="",
        ),
    )


@scenario("a pod mounts a PersistentVolumeClaim that nobody made")
def claim_missing(stage: Stage) -> Outcome:
    stage.nodepool()
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "nobody-made-it"}}
    stage.deployment("web", volumes=[volume])
    return stage.finds(
        Found("pod-ignored-by-karpenter", stage.of("Deployment", "web"), "volume", says="nobody-made-it", nodepool="")
    )


@scenario("a NodePool requires two architectures at once")
def contradictory(stage: Stage) -> Outcome:
    other = {"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]}
    stage.nodepool(requirements=[*requirements(), other])
    return stage.finds(
        Found(
            "nodepool-requirements-contradictory",
            stage.of("NodePool", stage.name),
            "label:kubernetes.io/arch",
            says="kubernetes.io/arch",
        )
    )


@scenario("a NodePool wants a choice of two architectures, and another requirement of its allows one")
def min_values(stage: Stage) -> Outcome:
    both = {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"], "minValues": 2}
    stage.nodepool(requirements=[*requirements(), both])
    stage.deployment("web")
    return stage.finds(
        Found(
            "nodepool-min-values-unsatisfiable",
            stage.of("NodePool", stage.name),
            "label:kubernetes.io/arch",
            says="minValues",
        ),
        Found("pod-fits-no-nodepool", stage.of("Deployment", "web"), "unproven", nodepool=""),
    )


@scenario("two NodePools of the same weight take the same pods")
def overlap(stage: Stage) -> Outcome:
    taints = [{"key": "pool", "value": stage.name, "effect": "NoSchedule"}]
    stage.nodepool(taints=taints)
    stage.nodepool("overlap-too", taints=taints)
    return stage.finds(
        Found("nodepool-overlap", stage.of("NodePool", "overlap-too"), "equal-weight", says="overlap", nodepool="overlap-too")
    )


def _unserved(stage: Stage, cause: str, says: str, **pod: Any) -> Outcome:
    """A Deployment with such a pod; it tolerates all NodePools unless `tolerations` says otherwise: None is the stage's own."""
    stage.nodepool()
    pod = {"tolerations": _ALL, **pod}
    stage.deployment("web", **{key: value for key, value in pod.items() if value is not None})
    return stage.finds(Found("pod-fits-no-nodepool", stage.of("Deployment", "web"), cause, says=says, nodepool=""))
