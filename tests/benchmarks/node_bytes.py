"""Nodes as the API sends them."""

from collections.abc import Iterator
from datetime import timedelta

from tests.benchmarks.managed import Json, written_by
from tests.benchmarks.plan import TAKEN_AT, MadeNode, Plan, Pool, before, stamp

HASHES = {
    "karpenter.sh/nodepool-hash": "10362710844343880536",
    "karpenter.sh/nodepool-hash-version": "v3",
    "karpenter.k8s.aws/ec2nodeclass-hash": "17369281738495827364",
    "karpenter.k8s.aws/ec2nodeclass-hash-version": "v4",
}
"""Annotations of nodes and NodeClaims that have not drifted."""
OWNED = {"apiVersion": "karpenter.sh/v1", "blockOwnerDeletion": True}
"""How a node refers to its NodeClaim, and that to its NodePool."""


def taints_of(pool: Pool) -> list[Json]:
    """What keeps other pods off a pool's nodes."""
    return [{"key": "dedicated", "value": pool.taint, "effect": "NoSchedule"}] if pool.taint else []


def labels_of(node: MadeNode) -> Json:
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


def room(pool: Pool) -> tuple[Json, Json]:
    """Capacity, and what of it is allocatable."""
    whole = {
        "cpu": str(pool.cpu),
        "ephemeral-storage": "104779756Ki",
        "memory": f"{pool.memory * 1024 * 1024 - 400000}Ki",
        "pods": "110",
    }
    return whole, whole | {"cpu": f"{pool.cpu * 1000 - 110}m", "memory": f"{pool.memory * 1024 * 1024 - 1600000}Ki"}


def nodes(plan: Plan) -> Iterator[Json]:
    """All nodes, Karpenter's and others."""
    for node in sorted(plan.nodes, key=lambda node: node.name):
        born, up = stamp(TAKEN_AT - node.age), stamp(TAKEN_AT - node.age + timedelta(seconds=40))
        own = labels_of(node) | {
            "kubernetes.io/hostname": node.name,
            "beta.kubernetes.io/arch": node.pool.arch,
            "beta.kubernetes.io/os": "linux",
        }
        if node.pool.name:
            own |= {"karpenter.sh/registered": "true", "karpenter.sh/initialized": "true"}
        capacity, allocatable = room(node.pool)
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
        taints = [*taints_of(node.pool), *([{"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}] if node.dying else [])]
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
        metadata |= {"labels": own, "annotations": {**HASHES, "node.alpha.kubernetes.io/ttl": "0"}}
        if node.pool.name:
            metadata |= {
                "ownerReferences": [{**OWNED, "kind": "NodeClaim", "name": node.claim, "uid": node.claim_uid}],
                "finalizers": ["karpenter.sh/termination"],
            }
        yield {"metadata": {**metadata, "managedFields": managed}, "spec": spec, "status": status}
