"""What makes pods, and what protects them, as the API sends it."""

from collections.abc import Iterator

from tests.benchmarks.managed import Json, written_by
from tests.benchmarks.plan import Names, Plan, Workload, before
from tests.benchmarks.pod_bytes import labels, pod_spec, replicaset_uid


def _built_in(metadata: Json, spec: Json, status: Json, version: str = "apps/v1") -> Json:
    created = before(days=50)
    managed = [
        written_by("helm", created, {"metadata": {"labels": metadata.get("labels", {})}, "spec": spec}, version=version),
        written_by("kube-controller-manager", before(hours=6), {"status": status}, version=version, subresource="status"),
    ]
    metadata = {**metadata, "resourceVersion": "48213377", "generation": 3, "creationTimestamp": created, "managedFields": managed}
    return {"metadata": metadata, "spec": spec, "status": status}


def workloads(plan: Plan, kind: str) -> Iterator[Json]:
    """The DaemonSets, StatefulSets or Deployments."""
    for workload in plan.workloads:
        if workload.kind != kind:
            continue
        up, wanted = len(workload.nodes), workload.replicas
        spec = {
            "selector": _selector(workload),
            "template": {"metadata": {"labels": labels(workload)}, "spec": pod_spec(workload)},
            "revisionHistoryLimit": 10,
        }
        status = {
            "observedGeneration": 3,
            "replicas": wanted,
            "updatedReplicas": wanted,
            "readyReplicas": up,
            "availableReplicas": up,
        }
        if kind == "DaemonSet":
            status = {
                "currentNumberScheduled": up,
                "numberMisscheduled": 0,
                "desiredNumberScheduled": up,
                "numberReady": up,
                "observedGeneration": 3,
                "updatedNumberScheduled": up,
                "numberAvailable": up,
            }
        else:
            spec["replicas"] = wanted
        metadata = {"name": workload.name, "namespace": workload.namespace, "uid": workload.uid, "labels": labels(workload)}
        yield _built_in(metadata, spec, status)


def _selector(workload: Workload) -> Json:
    return {"matchLabels": {"app.kubernetes.io/name": workload.name}}


def replicasets(plan: Plan) -> Iterator[Json]:
    """Of each Deployment the ReplicaSet of now, and two of before."""
    names = Names(1)
    for workload in plan.workloads:
        if workload.kind != "Deployment":
            continue
        owner = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": workload.name,
            "uid": workload.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
        for template_hash, uid, replicas in (
            (workload.hash, replicaset_uid(workload), workload.replicas),
            *((names.suffix(10), names.uid(), 0) for _ in range(2)),
        ):
            own = labels(workload) | {"pod-template-hash": template_hash}
            metadata = {"name": f"{workload.name}-{template_hash}", "namespace": workload.namespace, "uid": uid, "labels": own,
                        "annotations": {"deployment.kubernetes.io/revision": "3"}, "ownerReferences": [owner]}  # fmt: skip
            template = {"metadata": {"labels": own}, "spec": pod_spec(workload)}
            yield _built_in(
                metadata,
                {"replicas": replicas, "selector": {"matchLabels": own}, "template": template},
                {"replicas": replicas, "observedGeneration": 3},
            )


def metadata_only(objects: Iterator[Json]) -> Iterator[Json]:
    """As a server answers who asks for PartialObjectMetadata."""
    for entry in objects:
        yield {"metadata": entry["metadata"]}


def poddisruptionbudgets(plan: Plan) -> Iterator[Json]:
    """One for every second workload; one in fifty lets nothing go."""
    for workload in plan.workloads:
        if workload.kind == "DaemonSet" or workload.number % 2:
            continue
        up, allowed = len(workload.nodes), 0 if workload.number % 50 == 0 else 1
        status = {
            "observedGeneration": 1,
            "disruptionsAllowed": allowed,
            "currentHealthy": up,
            "desiredHealthy": max(0, up - allowed),
            "expectedPods": workload.replicas,
        }
        metadata = {"name": workload.name, "namespace": workload.namespace, "uid": _pdb_uid(workload)}
        yield _built_in(metadata, {"selector": _selector(workload), "maxUnavailable": allowed}, status, "policy/v1")


def _pdb_uid(workload: Workload) -> str:
    return workload.uid[:-1] + ("3" if workload.uid[-1] == "2" else "2")
