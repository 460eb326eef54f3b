"""Whose pod is it: the workload that a person would name."""

import re
from collections.abc import Mapping

from karpenter_check.snapshot.metadata import Metadata, Ref
from karpenter_check.snapshot.pod import Pod
from karpenter_check.snapshot.workload import ReplicaSet

_GENERATED_SUFFIX = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}$")
"""What the API server appends to `generateName` (k8s.io/apimachinery/pkg/util/rand: no vowels, no 0, 1, 3)."""
_CRONJOB_SUFFIX = re.compile(r"-(2[6-9]|3[0-9])[0-9]{6}$")
"""The scheduled time, in minutes since 1970, that the CronJob controller appends to its Jobs' names; a date such as 20261121 is none."""


def owner_of(pod: Pod, replicasets: Mapping[tuple[str, str], ReplicaSet]) -> Ref:
    """The Deployment, StatefulSet, DaemonSet, CronJob, … that made the pod; a bare pod owns itself.

    `replicasets` is keyed by namespace and name.
    """
    metadata = pod.metadata
    controller = metadata.controller
    if controller is None:
        return Ref("Pod", metadata.name, "v1", metadata.namespace)
    if controller.kind == "ReplicaSet":
        return _owner_of_replicaset(controller.name, metadata, replicasets)
    if controller.kind == "Job" and (cron := _CRONJOB_SUFFIX.search(controller.name)):
        return Ref("CronJob", controller.name[: cron.start()], "batch/v1", metadata.namespace)
    return Ref(controller.kind, controller.name, controller.api_version, "" if controller.kind == "Node" else metadata.namespace)


def _owner_of_replicaset(name: str, metadata: Metadata, replicasets: Mapping[tuple[str, str], ReplicaSet]) -> Ref:
    """The ReplicaSet's Deployment; told from the pod-template-hash in its name where the ReplicaSet was not read."""
    replicaset = replicasets.get((metadata.namespace, name))
    if replicaset is not None:
        above = replicaset.metadata.controller
        return (
            Ref(above.kind, above.name, above.api_version, metadata.namespace)
            if above
            else Ref("ReplicaSet", name, "apps/v1", metadata.namespace)
        )
    template_hash = metadata.labels.get("pod-template-hash", "")
    if template_hash and name.endswith(f"-{template_hash}"):
        return Ref("Deployment", name.removesuffix(f"-{template_hash}"), "apps/v1", metadata.namespace)
    return Ref("ReplicaSet", name, "apps/v1", metadata.namespace)


def controller_by_pod_name(pod_name: str) -> str:
    """The name of the controller of a pod that is gone, told from the pod's name: what stands before its generated suffix.

    Empty where the name has none (StatefulSet pods and bare pods).
    """
    return _GENERATED_SUFFIX.sub("", pod_name) if _GENERATED_SUFFIX.search(pod_name) else ""
