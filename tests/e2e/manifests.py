"""Manifests of what scenarios need, healthy unless they say otherwise."""

from collections.abc import Mapping, Sequence
from typing import Any

NODECLASS = {"group": "karpenter.kwok.sh", "kind": "KWOKNodeClass", "name": "default"}

_KEYS = {"arch": "kubernetes.io/arch", "cpus": "karpenter.kwok.sh/instance-cpu"}

Manifest = Mapping[str, Any]


def namespace(name: str) -> Manifest:
    """A namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def nodepool(name: str, team: str, changes: Manifest | None = None, **template: Any) -> Manifest:
    """A NodePool whose nodes have a taint and a label of their own, and that disrupts nothing by itself.

    `changes` go over its spec, `template` over its template's spec, both one level deep; `labels` are added to the template's.
    """
    labels = {"team": team, **template.pop("labels", {})}
    spec = {
        "nodeClassRef": NODECLASS,
        "expireAfter": "720h",
        "taints": [{"key": "pool", "value": name, "effect": "NoSchedule"}],
        "requirements": requirements(),
        **template,
    }
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": name},
        "spec": {
            "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "Never"},
            "limits": {"cpu": "64"},
            "template": {"metadata": {"labels": labels}, "spec": spec},
            **(changes or {}),
        },
    }


def requirements(**values: str | Sequence[str]) -> list[Manifest]:
    """A NodePool's requirements: amd64 Linux on demand, and what `arch` and `cpus` say."""
    wanted: dict[str, str | Sequence[str]] = {
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "karpenter.sh/capacity-type": "on-demand",
        **{_KEYS[key]: value for key, value in values.items()},
    }
    return [
        {"key": key, "operator": "In", "values": [some] if isinstance(some, str) else list(some)} for key, some in wanted.items()
    ]


def workload(kind: str, namespace: str, name: str, pod: Manifest, **spec: Any) -> Manifest:
    """A Deployment or a DaemonSet; `pod` is the pod's spec, and may hold its `annotations` beside."""
    labels = {"app": name}
    inner = {key: value for key, value in pod.items() if key != "annotations"}
    template = {"metadata": {"labels": labels, "annotations": pod.get("annotations", {})}, "spec": inner}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {**spec, "selector": {"matchLabels": labels}, "template": template},
    }


def pod(namespace: str, name: str, spec: Manifest) -> Manifest:
    """A bare pod."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def pod_spec(pools: Sequence[str], *, cpu: str = "100m", memory: str = "128Mi", **spec: Any) -> Manifest:
    """A pod's spec: one container, and tolerations for the taints of those NodePools; `spec` goes over it."""
    requests = {"cpu": cpu, "memory": memory}
    return {
        "tolerations": [{"key": "pool", "value": name, "effect": "NoSchedule"} for name in pools],
        "containers": [{"name": "main", "image": "registry.k8s.io/pause:3.10", "resources": {"requests": requests}}],
        **spec,
    }


def pdb(namespace: str, name: str, app: str, **spec: Any) -> Manifest:
    """A PodDisruptionBudget over the pods of an app."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": app}}, **spec},
    }
