"""A made cluster on disk: its lists, page by page, as a server would send them.

`python -m tests.benchmarks.made DATA PODS WORKLOADS` makes one, in a process whose memory nobody measures.
"""

import json
import shutil
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.benchmarks import event_bytes, karpenter_bytes, node_bytes, workload_bytes
from tests.benchmarks.managed import Json
from tests.benchmarks.plan import WORKLOADS, Plan, plan
from tests.benchmarks.pod_bytes import pods_of

VERSION = 2
"""Of the generator: what another one made is made again."""
PAGE = 500
METADATA_ONLY = "metadata-only"
"""The name of the variant of a list that holds metadata only."""


@dataclass(frozen=True)
class List:
    """A list that a server serves. `variant` is the field selector, or `METADATA_ONLY`."""

    path: str
    kind: str
    version: str
    objects: Callable[[Plan], Iterator[Json] | Iterator[bytes]]
    custom: bool = False
    variant: str = ""

    @property
    def folder(self) -> str:
        """Where its pages are."""
        return folder_of(self.path, self.variant)


def folder_of(path: str, variant: str = "") -> str:
    """The folder of a list by its path and variant."""
    return quote(f"{path}?{variant}", safe="")


def _all_events(cluster: Plan) -> Iterator[Json]:
    made = (event_bytes.karpenter_events, event_bytes.preempted_events, event_bytes.sandbox_events, event_bytes.other_events)
    return chain.from_iterable(events(cluster) for events in made)


LISTS = (
    List("/apis/karpenter.sh/v1/nodepools", "NodePool", "karpenter.sh/v1", karpenter_bytes.nodepools, custom=True),
    List("/apis/karpenter.sh/v1/nodeclaims", "NodeClaim", "karpenter.sh/v1", karpenter_bytes.nodeclaims, custom=True),
    List("/apis/karpenter.k8s.aws/v1/ec2nodeclasses", "EC2NodeClass", "karpenter.k8s.aws/v1", karpenter_bytes.node_classes, custom=True),
    List("/api/v1/nodes", "Node", "v1", node_bytes.nodes),
    List("/apis/apps/v1/daemonsets", "DaemonSet", "apps/v1", lambda made: workload_bytes.workloads(made, "DaemonSet")),
    List("/apis/apps/v1/deployments", "Deployment", "apps/v1", lambda made: workload_bytes.workloads(made, "Deployment")),
    List("/apis/apps/v1/statefulsets", "StatefulSet", "apps/v1", lambda made: workload_bytes.workloads(made, "StatefulSet")),
    List("/apis/apps/v1/replicasets", "ReplicaSet", "apps/v1", workload_bytes.replicasets),
    List(
        "/apis/apps/v1/replicasets", "PartialObjectMetadata", "meta.k8s.io/v1",
        lambda made: workload_bytes.metadata_only(workload_bytes.replicasets(made)), variant=METADATA_ONLY,
    ),
    List("/apis/policy/v1/poddisruptionbudgets", "PodDisruptionBudget", "policy/v1", workload_bytes.poddisruptionbudgets),
    List("/api/v1/events", "Event", "v1", _all_events),
    List("/api/v1/events", "Event", "v1", event_bytes.karpenter_events, variant="source=karpenter"),
    List("/api/v1/events", "Event", "v1", event_bytes.preempted_events, variant="reason=Preempted"),
    List("/api/v1/events", "Event", "v1", event_bytes.sandbox_events, variant="reason=FailedCreatePodSandBox"),
    List("/api/v1/pods", "Pod", "v1", lambda made: chain.from_iterable(pods_of(workload, made.names) for workload in made.workloads)),
)  # fmt: skip


def compact(value: Any) -> bytes:
    """JSON as an API server writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def token(page: int) -> str:
    """What a server gives for the page of that number; `server.py` reads it back."""
    return b64encode(compact({"v": "meta.k8s.io/v1", "rv": 48213377, "start": page})).decode()


def folder_for(data: Path, pods: int, workloads: int = WORKLOADS, seed: int = 1) -> Path:
    """Where a made cluster is, or will be."""
    return data / f"v{VERSION}-{pods}-{workloads}-{seed}"


def make(data: Path, pods: int, workloads: int = WORKLOADS, seed: int = 1) -> Path:
    """The folder of a made cluster; what was made once is taken again."""
    folder = folder_for(data, pods, workloads, seed)
    if folder.is_dir():
        return folder
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    cluster = plan(pods, workloads, seed)
    for entry in LISTS:
        _write(unfinished / entry.folder, entry, cluster)
    unfinished.rename(folder)
    return folder


def _write(folder: Path, entry: List, cluster: Plan) -> None:
    """Write a list's pages, one at a time: all pods do not fit into memory."""
    folder.mkdir(parents=True)
    found = entry.objects(cluster)
    objects = (item if isinstance(item, bytes) else compact(item) for item in found)
    if entry.kind == "Pod":
        total = sum(workload.replicas for workload in cluster.workloads)
    else:
        kept = list(objects)
        total, objects = len(kept), (item for item in kept)
    for page in range(max(1, -(-total // PAGE))):
        left = max(0, total - (page + 1) * PAGE)
        (folder / str(page)).write_bytes(_page(entry, b",".join(islice(objects, PAGE)), page, left))


def _page(entry: List, items: bytes, page: int, left: int) -> bytes:
    """A core list has its metadata before the items, one of custom resources after them."""
    metadata: Json = {"resourceVersion": "48213377"}
    if left:
        metadata |= {"continue": token(page + 1), "remainingItemCount": left}
    if entry.custom:
        metadata = dict(sorted({"continue": "", **metadata}.items()))
        return b'{"apiVersion":"%b","items":[%b],"kind":"%bList","metadata":%b}' % (
            entry.version.encode(),
            items,
            entry.kind.encode(),
            compact(metadata),
        )
    return b'{"kind":"%bList","apiVersion":"%b","metadata":%b,"items":[%b]}\n' % (
        entry.kind.encode(),
        entry.version.encode(),
        compact(metadata),
        items,
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
