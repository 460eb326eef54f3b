"""What a made cluster consists of: NodePools, nodes, workloads, and which pod runs where. Deterministic by its seed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

TAKEN_AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
"""When the cluster is looked at; the server says so in its Date header."""

PODS_PER_NODE = 30
WORKLOADS = 355
"""DaemonSets, StatefulSets and Deployments together."""

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
"""The letters that Kubernetes makes names of (k8s.io/apimachinery, pkg/util/rand: alphanums)."""


def stamp(time: datetime) -> str:
    """As the API writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def before(**span: float) -> str:
    """The moment so long before `TAKEN_AT`, as the API writes it."""
    return stamp(TAKEN_AT - timedelta(**span))


@dataclass(frozen=True)
class Pool:
    """A NodePool and what it buys; without a name, the nodes that no NodePool made."""

    name: str
    share: float
    """Of all nodes."""
    instance_type: str
    cpu: int
    memory: int
    """Of a node, in GiB."""
    arch: str = "amd64"
    taint: str = ""
    """The value of its taint `dedicated`; empty for none."""
    label: str = ""
    """A label that somebody wrote onto its nodes by hand, as `key=value`."""


POOLS = (
    Pool("general", 0.6, "m6i.4xlarge", 16, 64),
    Pool("batch", 0.2, "c6i.8xlarge", 32, 64, taint="batch"),
    Pool("memory", 0.1, "r6i.4xlarge", 16, 128, taint="memory", label="disks=nvme"),
    Pool("arm", 0.1, "m6g.4xlarge", 16, 64, arch="arm64", taint="arm"),
)
SYSTEM = Pool("", 0.0, "m6i.2xlarge", 8, 32)


@dataclass(frozen=True)
class MadeNode:
    """A node, and its NodeClaim if its pool has a name."""

    name: str
    claim: str
    uid: str
    claim_uid: str
    instance: str
    pool: Pool
    zone: str
    address: str
    age: timedelta
    dying: bool = False
    """Its NodeClaim expired three hours ago, and its drain is stuck."""


@dataclass
class Workload:
    """A Deployment, StatefulSet or DaemonSet, and the nodes that its pods run on."""

    kind: str
    namespace: str
    name: str
    uid: str
    pool: Pool
    number: int
    hash: str = ""
    """Of its ReplicaSet's pod template."""
    cpu: int = 100
    """Requested by a pod, in millicores."""
    memory: int = 128
    """In MiB."""
    selector: str = ""
    """A node label that it selects, as `key=value`."""
    nodes: list[MadeNode] = field(default_factory=list)
    pending: int = 0

    @property
    def replicas(self) -> int:
        """Pods that run, and pods that wait."""
        return len(self.nodes) + self.pending


class Names:
    """Random names, UIDs and addresses that are the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311  a made cluster hides nothing

    def suffix(self, length: int = 5) -> str:
        """The end of a generated name."""
        return "".join(self.random.choices(_SUFFIX, k=length))

    def suffixes(self, count: int) -> list[str]:
        """Different ends, sorted as the API lists them."""
        found: set[str] = set()
        while len(found) < count:
            found.add(self.suffix())
        return sorted(found)

    def digits(self, count: int) -> str:
        """So many hexadecimal digits."""
        return f"{self.random.getrandbits(4 * count):0{count}x}"

    def uid(self) -> str:
        """A UID."""
        digits = self.digits(32)
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


@dataclass(frozen=True)
class Plan:
    """A whole cluster before it is bytes."""

    names: Names
    nodes: list[MadeNode]
    workloads: list[Workload]
    """In the API's order: by namespace and name."""


def plan(pods: int, workloads: int, seed: int) -> Plan:
    """A mostly healthy cluster of exactly so many pods. A small one has fewer workloads: one for eight pods."""
    names = Names(seed)
    nodes = list(_nodes(names, max(8, pods // PODS_PER_NODE)))
    made = list(_workloads(names, min(workloads, max(16, pods // 8))))
    for daemonset in made:
        if daemonset.kind == "DaemonSet":
            key, _, value = daemonset.selector.partition("=")
            daemonset.nodes = [node for node in nodes if not key or node.pool.label == f"{key}={value}"]
    others = [workload for workload in made if workload.kind != "DaemonSet"]
    made[-1].pending = max(2, pods // 1000)
    others.remove(made[-1])
    _place(names, nodes, others, pods - sum(workload.replicas for workload in made))
    made.sort(key=lambda workload: (workload.namespace, workload.name))
    return Plan(names, nodes, made)


def _nodes(names: Names, count: int) -> Iterator[MadeNode]:
    """Two of no NodePool, the others by share; ages spread evenly, so that no two expire together."""
    bounds = [round(sum(pool.share for pool in POOLS[: index + 1]) * (count - 2)) for index in range(len(POOLS))]
    for number in range(count):
        pool = SYSTEM if number >= count - 2 else POOLS[next(i for i, bound in enumerate(bounds) if number < bound)]
        address = f"10.{64 + number // 16384}.{number // 64 % 256}.{number % 64 * 4 + 2}"
        dying = number % 1000 == 7
        yield MadeNode(
            name=f"ip-{address.replace('.', '-')}.eu-west-1.compute.internal", claim=f"{pool.name}-{names.suffix()}",
            uid=names.uid(), claim_uid=names.uid(), instance=f"i-0{names.digits(16)}", pool=pool, zone=f"eu-west-1{'abc'[number % 3]}",
            address=address, age=timedelta(hours=723) if dying else timedelta(hours=1 + 690 * number / count, seconds=number), dying=dying,
        )  # fmt: skip


def _workloads(names: Names, count: int) -> Iterator[Workload]:
    """Six DaemonSets, Karpenter, one StatefulSet in eight, Deployments; each asks for an amount of its own, so that no two share a shape."""
    for number, name in enumerate(("aws-node", "ebs-csi-node", "fluent-bit", "kube-proxy", "node-exporter", "disk-metrics")):
        selector = "disks=nvme" if name == "disk-metrics" else ""
        yield Workload("DaemonSet", "kube-system", name, names.uid(), SYSTEM, number, cpu=50 + number, memory=64, selector=selector)
    yield Workload("Deployment", "kube-system", "karpenter", names.uid(), SYSTEM, 6, hash=names.suffix(10), cpu=1000, memory=1024)
    for number in range(7, count):
        kind = "StatefulSet" if number % 8 == 0 else "Deployment"
        huge = number == count - 1
        pool = POOLS[0] if huge or number % 10 < 6 else POOLS[min(3, number % 10 - 5)]
        yield Workload(
            kind, f"team-{number % 40:02}", f"{'store' if number % 8 == 0 else 'service'}-{number:04}", names.uid(), pool, number,
            hash=names.suffix(10), cpu=500_000 if huge else 50 + number % 400, memory=64 + 1500 * number // count,
        )  # fmt: skip


def _place(names: Names, nodes: list[MadeNode], workloads: list[Workload], pods: int) -> None:
    """Give every node about as many pods, of its pool's workloads: a few large ones and many small ones."""
    of_pool = {pool: [entry for entry in workloads if entry.pool == pool] for pool in (*POOLS, SYSTEM)}
    karpenter = of_pool.pop(SYSTEM)[0]
    karpenter.nodes = nodes[-2:]
    bought = [node for node in nodes if node.pool.name]
    left = pods - len(karpenter.nodes)
    for number, node in enumerate(bought):
        here = left * (number + 1) // len(bought) - left * number // len(bought)
        choice = of_pool[node.pool]
        weights = [1 / (1 + entry.number % 10) for entry in choice]
        for entry in names.random.choices(choice, weights, k=here):
            entry.nodes.append(node)
