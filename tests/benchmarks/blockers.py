"""All that keeps each node of a made cluster, against going through its pods' labels once.

`python -m tests.benchmarks.blockers PODS REPEAT` prints what it measured, as JSON; nothing is fetched or written.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from statistics import median
from time import perf_counter
from typing import Any
from unittest.mock import patch

from karpenter_check.collect.decode import decode_listed_pods, decode_object
from karpenter_check.disruption.blockers import blockers
from karpenter_check.disruption.eviction import budgets_of
from karpenter_check.disruption.pods import is_evictable
from karpenter_check.snapshot import Coverage, Kind, Snapshot, Status, Version
from karpenter_check.snapshot.pod import Pod, PodShapes
from karpenter_check.snapshot.pod_reduction import PodReduction
from karpenter_check.snapshot.selector import LabelSelector
from tests.benchmarks import event_bytes, karpenter_bytes, node_bytes, workload_bytes
from tests.benchmarks.made import compact
from tests.benchmarks.managed import Json
from tests.benchmarks.plan import TAKEN_AT, plan
from tests.benchmarks.pod_bytes import pods_of

WORKLOADS = 1_006
"""So many have 500 PodDisruptionBudgets between them."""


@dataclass(frozen=True)
class Measured:
    """The blockers of every node, in numbers."""

    nodes: int
    pods: int
    budgets: int
    matches: int
    """Pairs of a pod that Karpenter would evict and a PodDisruptionBudget whose selector matches it."""
    asked: int
    """How often a selector was asked whether it matches."""
    found: int
    """Blockers."""
    times_labels: float
    """What it takes, in times of going through the labels of all pods on all nodes once."""
    times_half: float
    """The same with every second budget alone."""
    seconds: float
    seconds_labels: float
    seconds_half: float


def made_snapshot(pods: int, workloads: int = WORKLOADS) -> Snapshot:
    """The made cluster as a scan would have it, made in memory."""
    made = plan(pods, workloads, 1)
    reduction, kept = PodReduction(PodShapes()), list[Pod]()
    for workload in made.workloads:
        kept += [reduction.pod(pod) for item in pods_of(workload, made.names) for pod in decode_listed_pods(b"[%b]" % item)]

    def read(kind: Kind, objects: Iterator[Json]) -> Any:
        return tuple(decode_object(kind, compact(entry)) for entry in objects)

    return Snapshot(
        TAKEN_AT,
        karpenter_version=Version(1, 13),
        nodes=read(Kind.NODE, node_bytes.nodes(made)),
        pods=tuple(kept),
        nodepools=read(Kind.NODEPOOL, karpenter_bytes.nodepools(made)),
        nodeclaims=read(Kind.NODECLAIM, karpenter_bytes.nodeclaims(made)),
        poddisruptionbudgets=read(Kind.PODDISRUPTIONBUDGET, workload_bytes.poddisruptionbudgets(made)),
        replicasets=read(Kind.REPLICASET, workload_bytes.replicasets(made)),
        events=read(Kind.EVENT, event_bytes.karpenter_events(made)),
        coverage={kind: Coverage(Status.COMPLETE) for kind in Kind},
    )


def all_blockers(snapshot: Snapshot) -> int:
    """How many things keep its nodes, looked for on each."""
    return sum(len(blockers(snapshot, node)) for node in snapshot.nodes)


def all_labels(snapshot: Snapshot) -> int:
    """How many labels its pods have, node by node: what looks at pods cannot do with less."""
    return sum(
        len(label) > 0
        for node in snapshot.nodes
        for pod in snapshot.pods_on_node.get(node.name, ())
        for label in pod.metadata.labels
    )


def asked_of(snapshot: Snapshot) -> tuple[int, int]:
    """How often a selector is asked while all blockers are found, and the pairs of an evictable pod and a budget that matches it."""
    answers: list[bool] = []
    matches = LabelSelector.matches

    def counted(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
        answers.append(matches(selector, labels))
        return answers[-1]

    with patch.object(LabelSelector, "matches", counted):
        all_blockers(replace(snapshot))
    now, version = snapshot.taken_at, snapshot.karpenter_version
    evicted = (
        pod for node in snapshot.nodes for pod in snapshot.pods_on_node.get(node.name, ()) if is_evictable(pod, now, version)
    )
    return len(answers), sum(len(budgets_of(snapshot, pod)) for pod in evicted)


def measured(snapshot: Snapshot, repeat: int) -> Measured:
    """Each contestant in turn, each on a snapshot that has no index yet; ratios of neighbours."""
    half = replace(snapshot, poddisruptionbudgets=snapshot.poddisruptionbudgets[::2])
    turns = [(_took(all_labels, snapshot), _took(all_blockers, half), _took(all_blockers, snapshot)) for _ in range(repeat)]
    asked, matches = asked_of(snapshot)
    return Measured(
        nodes=len(snapshot.nodes),
        pods=len(snapshot.pods),
        budgets=len(snapshot.poddisruptionbudgets),
        matches=matches,
        asked=asked,
        found=all_blockers(snapshot),
        times_labels=median(whole / labels for labels, _, whole in turns),
        times_half=median(whole / halved for _, halved, whole in turns),
        seconds=median(whole for _, _, whole in turns),
        seconds_labels=median(labels for labels, _, _ in turns),
        seconds_half=median(halved for _, halved, _ in turns),
    )


def _took(work: Callable[[Snapshot], int], snapshot: Snapshot) -> float:
    fresh = replace(snapshot)
    started = perf_counter()
    work(fresh)
    return perf_counter() - started


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(measured(made_snapshot(int(sys.argv[1])), int(sys.argv[2])))))
