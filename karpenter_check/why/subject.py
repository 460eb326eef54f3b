"""Which pod is meant by a name."""

from collections.abc import Sequence
from difflib import get_close_matches

from karpenter_check.snapshot import Pod, Ref, Snapshot

_KINDS = {
    "po": "Pod", "pod": "Pod", "pods": "Pod",
    "deploy": "Deployment", "deployment": "Deployment", "deployments": "Deployment",
    "sts": "StatefulSet", "statefulset": "StatefulSet", "statefulsets": "StatefulSet",
    "ds": "DaemonSet", "daemonset": "DaemonSet", "daemonsets": "DaemonSet",
    "rs": "ReplicaSet", "replicaset": "ReplicaSet", "replicasets": "ReplicaSet",
    "job": "Job", "jobs": "Job", "cj": "CronJob", "cronjob": "CronJob", "cronjobs": "CronJob",
}  # fmt: skip
"""What kubectl takes for a kind, too."""
_MOST = 5


class NotFound(Exception):
    """No pod, or no single one, is meant; the message says what is there."""


def pods_meant(snapshot: Snapshot, name: str, namespace: str | None = None) -> tuple[Ref, Sequence[Pod]]:
    """The object of that name, and its pods: those that wait first, the longest first; a pod stands for itself.

    `name` may be `KIND/NAME`, as kubectl takes it; without a kind a pod is tried before a workload. Raises NotFound.
    """
    kind_text, slash, bare = name.rpartition("/")
    kind = _KINDS.get(kind_text.lower(), "") if slash else ""
    if slash and not kind:
        raise NotFound(f"{kind_text!r} is no kind that has pods: one of {', '.join(sorted(set(_KINDS.values())))}")
    found: dict[Ref, list[Pod]] = {}
    for pod in snapshot.pods:
        if namespace is not None and pod.metadata.namespace != namespace:
            continue
        for ref in _names(snapshot, pod):
            if ref.name == bare and kind in {"", ref.kind}:
                found.setdefault(ref, []).append(pod)
    for ref in _without_pods(snapshot, bare, namespace, kind):
        found.setdefault(ref, [])
    refs = [ref for ref in found if ref.kind == "Pod"] or [ref for ref in found if found[ref]] or list(found)
    if not refs:
        raise NotFound(_nothing(snapshot, name, bare, namespace))
    if len(refs) > 1:
        listed = ", ".join(f"{ref.kind.lower()}/{ref.name} in {ref.namespace}" for ref in refs[:_MOST])
        raise NotFound(f"{name!r} may be {listed}: say which, with -n or KIND/NAME")
    (ref,) = refs
    if not found[ref]:
        raise NotFound(f"{ref} has no pods now, and a pod is what NodePools answer to")
    return ref, sorted(
        found[ref],
        key=lambda pod: (
            bool(pod.node_name),
            not pod.active,
            pod.metadata.creation_timestamp or snapshot.taken_at,
            pod.metadata.name,
        ),
    )


def _names(snapshot: Snapshot, pod: Pod) -> Sequence[Ref]:
    """All that a pod answers for: itself, what controls it, and the workload above that."""
    metadata = pod.metadata
    refs = [Ref("Pod", metadata.name, "v1", metadata.namespace), snapshot.owner(pod)]
    if metadata.controller:
        refs.append(Ref(metadata.controller.kind, metadata.controller.name, metadata.controller.api_version, metadata.namespace))
    return list(dict.fromkeys(refs))


def _without_pods(snapshot: Snapshot, name: str, namespace: str | None, kind: str) -> Sequence[Ref]:
    """The workloads of that name, pods or not."""
    workloads = (("Deployment", snapshot.deployments), ("StatefulSet", snapshot.statefulsets), ("DaemonSet", snapshot.daemonsets))
    return [
        Ref(of_kind, entry.metadata.name, "apps/v1", entry.metadata.namespace)
        for of_kind, entries in workloads
        for entry in entries
        if entry.metadata.name == name and kind in {"", of_kind} and namespace in {None, entry.metadata.namespace}
    ]


def _nothing(snapshot: Snapshot, name: str, bare: str, namespace: str | None) -> str:
    where = f" in namespace {namespace!r}" if namespace is not None else ""
    there = {pod.metadata.name for pod in snapshot.pods if namespace in {None, pod.metadata.namespace}}
    there |= {snapshot.owner(pod).name for pod in snapshot.pods if namespace in {None, pod.metadata.namespace}}
    close = get_close_matches(bare, sorted(there), n=3)
    return f"there is no pod or workload {name!r}{where}" + (f": did you mean {' or '.join(close)}?" if close else "")
