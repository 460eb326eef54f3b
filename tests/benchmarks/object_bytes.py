"""Nodes, what Karpenter made of them, and what makes pods, as the API sends them."""

from collections.abc import Iterator
from datetime import timedelta

from tests.benchmarks.managed import Json, written_by
from tests.benchmarks.plan import POOLS, TAKEN_AT, MadeNode, Names, Plan, Pool, Workload, before, stamp
from tests.benchmarks.pod_bytes import labels, pod_spec, replicaset_uid

_CLASS = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
_HASHES = {"karpenter.sh/nodepool-hash": "10362710844343880536", "karpenter.sh/nodepool-hash-version": "v3"}
_CLASS_HASHES = {"karpenter.k8s.aws/ec2nodeclass-hash": "17369281738495827364", "karpenter.k8s.aws/ec2nodeclass-hash-version": "v4"}
_OWNED = {"apiVersion": "karpenter.sh/v1", "blockOwnerDeletion": True}


def _condition(kind: str, status: str, time: str, reason: str = "", message: str = "") -> Json:
    return {
        "lastTransitionTime": time,
        "message": message,
        "observedGeneration": 1,
        "reason": reason or kind,
        "status": status,
        "type": kind,
    }


def _custom(kind: str, version: str, metadata: Json, spec: Json, status: Json) -> Json:
    """A custom resource, its keys in the order of the alphabet, written by Karpenter."""
    time = metadata["creationTimestamp"]
    own = {key: metadata[key] for key in ("annotations", "labels", "finalizers") if key in metadata}
    managed = [
        written_by("karpenter", time, {"metadata": own, "spec": spec}, version=version),
        written_by("karpenter", time, {"status": status}, version=version, subresource="status"),
    ]
    return {"apiVersion": version, "kind": kind, "metadata": dict(sorted({**metadata, "managedFields": managed, "generation": 1,
            "resourceVersion": "48213377"}.items())), "spec": spec, "status": status}  # fmt: skip


def _taints(pool: Pool) -> list[Json]:
    return [{"key": "dedicated", "value": pool.taint, "effect": "NoSchedule"}] if pool.taint else []


def _pool_uid(pool: Pool) -> str:
    return f"00000000-0000-4000-a000-{POOLS.index(pool):012}"


def _requirements(pool: Pool) -> list[Json]:
    wanted = {"kubernetes.io/os": ["linux"], "kubernetes.io/arch": [pool.arch], "karpenter.sh/capacity-type": ["on-demand", "spot"]}
    return [{"key": key, "operator": "In", "values": values} for key, values in wanted.items()]


def nodepools(plan: Plan) -> Iterator[Json]:
    """What the nodes were bought for."""
    for pool in sorted(POOLS, key=lambda pool: pool.name):
        owned = [node for node in plan.nodes if node.pool == pool]
        ready = [
            _condition(kind, "True", before(days=60))
            for kind in ("ValidationSucceeded", "NodeClassReady", "NodeRegistrationHealthy", "Ready")
        ]
        spec: Json = {
            "disruption": {
                "budgets": [{"nodes": "10%"}],
                "consolidateAfter": "5m",
                "consolidationPolicy": "WhenEmptyOrUnderutilized",
            },
            "limits": {"cpu": "200000"},
            "template": {
                "metadata": {"labels": {"team": "platform"}},
                "spec": {
                    "expireAfter": "720h",
                    "nodeClassRef": _CLASS,
                    "requirements": _requirements(pool),
                    "terminationGracePeriod": "48h",
                },
            },
            "weight": 10,
        }
        if pool.taint:
            spec["template"]["spec"]["taints"] = _taints(pool)
        used = {"cpu": str(pool.cpu * len(owned)), "memory": f"{pool.memory * len(owned)}Gi", "nodes": str(len(owned))}
        metadata = {"name": pool.name, "uid": _pool_uid(pool), "creationTimestamp": before(days=60), "annotations": _HASHES}
        yield _custom("NodePool", "karpenter.sh/v1", metadata, spec, {"conditions": ready, "resources": used})


def node_classes(_: Plan) -> Iterator[Json]:
    """The one EC2NodeClass."""
    subnets = [
        {"id": f"subnet-0{zone * 16}", "zone": f"eu-west-1{zone}", "zoneID": f"euw1-az{number}"}
        for number, zone in enumerate("abc", 1)
    ]
    images = [
        {
            "id": f"ami-0{digit * 16}",
            "name": f"bottlerocket-{arch}",
            "requirements": [{"key": "kubernetes.io/arch", "operator": "In", "values": [arch]}],
        }
        for digit, arch in (("1", "amd64"), ("2", "arm64"))
    ]
    spec = {"amiSelectorTerms": [{"alias": "bottlerocket@v1.42.0"}], "role": "KarpenterNodeRole-made",
            "subnetSelectorTerms": [{"tags": {"karpenter.sh/discovery": "made"}}]}  # fmt: skip
    status = {"amis": images, "conditions": [_condition("Ready", "True", before(days=60))], "subnets": subnets}
    metadata = {
        "name": "default",
        "uid": "00000000-0000-4000-a000-00000000000c",
        "creationTimestamp": before(days=60),
        "annotations": _CLASS_HASHES,
    }
    yield _custom("EC2NodeClass", "karpenter.k8s.aws/v1", metadata, spec, status)


def _labels_of(node: MadeNode) -> Json:
    """What Karpenter and the cloud provider write onto a node."""
    family, _, size = node.pool.instance_type.partition(".")
    common = {
        "kubernetes.io/arch": node.pool.arch, "kubernetes.io/os": "linux", "node.kubernetes.io/instance-type": node.pool.instance_type,
        "topology.kubernetes.io/zone": node.zone, "topology.kubernetes.io/region": "eu-west-1", "topology.k8s.aws/zone-id": f"euw1-az{node.zone[-1]}",
    }  # fmt: skip
    if not node.pool.name:
        return {**common, "eks.amazonaws.com/nodegroup": "system"}
    return common | {
        "karpenter.k8s.aws/ec2nodeclass": "default", "karpenter.k8s.aws/instance-category": family[0], "karpenter.k8s.aws/instance-cpu": str(node.pool.cpu),
        "karpenter.k8s.aws/instance-family": family, "karpenter.k8s.aws/instance-generation": family[1], "karpenter.k8s.aws/instance-hypervisor": "nitro",
        "karpenter.k8s.aws/instance-memory": str(node.pool.memory * 1024), "karpenter.k8s.aws/instance-size": size,
        "karpenter.sh/capacity-type": "on-demand" if node.zone[-1] == "a" else "spot", "karpenter.sh/nodepool": node.pool.name, "team": "platform",
    }  # fmt: skip


def _room(pool: Pool) -> tuple[Json, Json]:
    """Capacity, and what of it is allocatable."""
    whole = {
        "cpu": str(pool.cpu),
        "ephemeral-storage": "104779756Ki",
        "memory": f"{pool.memory * 1024 * 1024 - 400000}Ki",
        "pods": "110",
    }
    return whole, whole | {"cpu": f"{pool.cpu * 1000 - 110}m", "memory": f"{pool.memory * 1024 * 1024 - 1600000}Ki"}


def nodeclaims(plan: Plan) -> Iterator[Json]:
    """A NodeClaim for each node that Karpenter bought."""
    for node in sorted((node for node in plan.nodes if node.pool.name), key=lambda node: node.claim):
        born = TAKEN_AT - node.age
        born_at, up_at = stamp(born), stamp(born + timedelta(seconds=40))
        conditions = [
            _condition(kind, "True", up_at) for kind in ("Launched", "Registered", "Initialized", "Ready", "ConsistentStateFound")
        ]
        metadata: Json = {
            "name": node.claim, "generateName": f"{node.pool.name}-", "uid": node.claim_uid, "creationTimestamp": born_at, "annotations": {**_HASHES, **_CLASS_HASHES},
            "finalizers": ["karpenter.sh/termination"], "labels": _labels_of(node),
            "ownerReferences": [{**_OWNED, "kind": "NodePool", "name": node.pool.name, "uid": _pool_uid(node.pool)}],
        }  # fmt: skip
        if node.dying:
            metadata |= {"deletionTimestamp": before(hours=3), "deletionGracePeriodSeconds": 0}
            conditions.append(_condition("Drained", "Unknown", before(hours=3), "Draining", "Draining"))
        types = [
            f"{node.pool.instance_type.partition('.')[0][0]}{generation}i.{size}"
            for generation in (6, 7)
            for size in ("2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")
        ]
        spec: Json = {
            "expireAfter": "720h", "nodeClassRef": _CLASS,
            "requirements": [*_requirements(node.pool), {"key": "karpenter.sh/nodepool", "operator": "In", "values": [node.pool.name]},
                             {"key": "team", "operator": "In", "values": ["platform"]},
                             {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": [*types, node.pool.instance_type]}],
            "resources": {"requests": {"cpu": f"{node.pool.cpu * 700}m", "memory": f"{node.pool.memory * 700}Mi", "pods": "31"}},
            "terminationGracePeriod": "48h",
        }  # fmt: skip
        if node.pool.taint:
            spec["taints"] = _taints(node.pool)
        capacity, allocatable = _room(node.pool)
        status = {"allocatable": allocatable, "capacity": capacity, "conditions": conditions, "imageID": "ami-01111111111111111", "lastPodEventTime": before(minutes=40),
                  "nodeName": node.name, "providerID": f"aws:///{node.zone}/{node.instance}"}  # fmt: skip
        yield _custom("NodeClaim", "karpenter.sh/v1", metadata, spec, status)


def nodes(plan: Plan) -> Iterator[Json]:
    """All nodes, Karpenter's and others."""
    for node in sorted(plan.nodes, key=lambda node: node.name):
        born, up = stamp(TAKEN_AT - node.age), stamp(TAKEN_AT - node.age + timedelta(seconds=40))
        own = _labels_of(node) | {
            "kubernetes.io/hostname": node.name,
            "beta.kubernetes.io/arch": node.pool.arch,
            "beta.kubernetes.io/os": "linux",
        }
        if node.pool.name:
            own |= {"karpenter.sh/registered": "true", "karpenter.sh/initialized": "true"}
        capacity, allocatable = _room(node.pool)
        conditions = [
            {
                "type": kind,
                "status": status,
                "lastHeartbeatTime": before(minutes=2),
                "lastTransitionTime": up,
                "reason": f"Kubelet{kind}",
                "message": f"kubelet has {kind}",
            }
            for kind, status in (
                ("MemoryPressure", "False"),
                ("DiskPressure", "False"),
                ("PIDPressure", "False"),
                ("Ready", "True"),
            )
        ]
        status = {
            "capacity": capacity, "allocatable": allocatable, "conditions": conditions,
            "addresses": [{"type": "InternalIP", "address": node.address}, {"type": "Hostname", "address": node.name}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {"machineID": node.uid, "systemUUID": node.uid, "bootID": node.claim_uid, "kernelVersion": "6.12.46", "osImage": "Bottlerocket OS 1.42.0",
                         "containerRuntimeVersion": "containerd://2.1.4", "kubeletVersion": "v1.33.4", "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": node.pool.arch},
            "images": [{"names": [f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/team-{number:02}/service@sha256:{number:064}"], "sizeBytes": 10**8 + number} for number in range(25)],
        }  # fmt: skip
        taints = [*_taints(node.pool), *([{"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}] if node.dying else [])]
        spec: Json = {"providerID": f"aws:///{node.zone}/{node.instance}"} | ({"taints": taints} if taints else {})
        manager = "karpenter" if node.pool.name else "kubelet"
        managed = [
            written_by(manager, up, {"metadata": {"labels": own}, "spec": spec}),
            written_by("kubelet", before(minutes=2), {"status": status}, subresource="status"),
        ]
        if node.pool.label:
            by_hand = dict([node.pool.label.split("=")])
            managed.append(written_by("kubectl-label", up, {"metadata": {"labels": by_hand}}))
            own |= by_hand
        metadata: Json = {"name": node.name, "uid": node.uid, "resourceVersion": "48213377", "creationTimestamp": born}
        if node.dying:
            metadata |= {"deletionTimestamp": before(hours=3), "deletionGracePeriodSeconds": 0}
        metadata |= {"labels": own, "annotations": {**_HASHES, **_CLASS_HASHES, "node.alpha.kubernetes.io/ttl": "0"}}
        if node.pool.name:
            metadata |= {
                "ownerReferences": [{**_OWNED, "kind": "NodeClaim", "name": node.claim, "uid": node.claim_uid}],
                "finalizers": ["karpenter.sh/termination"],
            }
        yield {"metadata": {**metadata, "managedFields": managed}, "spec": spec, "status": status}


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
        for hash, uid, replicas in (
            (workload.hash, replicaset_uid(workload), workload.replicas),
            *((names.suffix(10), names.uid(), 0) for _ in range(2)),
        ):
            own = labels(workload) | {"pod-template-hash": hash}
            metadata = {"name": f"{workload.name}-{hash}", "namespace": workload.namespace, "uid": uid, "labels": own,
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
            "desiredHealthy": up - allowed,
            "expectedPods": workload.replicas,
        }
        metadata = {"name": workload.name, "namespace": workload.namespace, "uid": _pdb_uid(workload)}
        yield _built_in(metadata, {"selector": _selector(workload), "maxUnavailable": allowed}, status, "policy/v1")


def _pdb_uid(workload: Workload) -> str:
    return workload.uid[:-1] + ("3" if workload.uid[-1] == "2" else "2")
