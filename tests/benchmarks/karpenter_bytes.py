"""NodePools, NodeClaims and the node class, as the API sends custom resources."""

from collections.abc import Iterator
from datetime import timedelta

from tests.benchmarks.managed import Json, written_by
from tests.benchmarks.node_bytes import HASHES, OWNED, labels_of, room, taints_of
from tests.benchmarks.plan import POOLS, TAKEN_AT, Plan, Pool, before, stamp

_CLASS = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}


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
            spec["template"]["spec"]["taints"] = taints_of(pool)
        used = {"cpu": str(pool.cpu * len(owned)), "memory": f"{pool.memory * len(owned)}Gi", "nodes": str(len(owned))}
        metadata = {"name": pool.name, "uid": _pool_uid(pool), "creationTimestamp": before(days=60), "annotations": HASHES}
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
            "subnetSelectorTerms": [{"tags": {"karpenter.sh/discovery": "made"}}],
            "securityGroupSelectorTerms": [{"tags": {"karpenter.sh/discovery": "made"}}]}  # fmt: skip
    status = {"amis": images, "conditions": [_condition("Ready", "True", before(days=60))], "subnets": subnets}
    metadata = {
        "name": "default",
        "uid": "00000000-0000-4000-a000-00000000000c",
        "creationTimestamp": before(days=60),
        "annotations": HASHES,
    }
    yield _custom("EC2NodeClass", "karpenter.k8s.aws/v1", metadata, spec, status)


def nodeclaims(plan: Plan) -> Iterator[Json]:
    """A NodeClaim for each node that Karpenter bought."""
    for node in sorted((node for node in plan.nodes if node.pool.name), key=lambda node: node.claim):
        born = TAKEN_AT - node.age
        born_at, up_at = stamp(born), stamp(born + timedelta(seconds=40))
        conditions = [
            _condition(kind, "True", up_at) for kind in ("Launched", "Registered", "Initialized", "Ready", "ConsistentStateFound")
        ]
        metadata: Json = {
            "name": node.claim, "generateName": f"{node.pool.name}-", "uid": node.claim_uid, "creationTimestamp": born_at, "annotations": HASHES,
            "finalizers": ["karpenter.sh/termination"], "labels": labels_of(node),
            "ownerReferences": [{**OWNED, "kind": "NodePool", "name": node.pool.name, "uid": _pool_uid(node.pool)}],
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
            spec["taints"] = taints_of(node.pool)
        capacity, allocatable = room(node.pool)
        status = {"allocatable": allocatable, "capacity": capacity, "conditions": conditions, "imageID": "ami-01111111111111111", "lastPodEventTime": before(minutes=40),
                  "nodeName": node.name, "providerID": f"aws:///{node.zone}/{node.instance}"}  # fmt: skip
        yield _custom("NodeClaim", "karpenter.sh/v1", metadata, spec, status)
