"""Clusters of the test language as snapshot files, which the command line reads."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from karpenter_check.snapshot import Kind, Status
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import Thing, a_cluster


def a_snapshot_file(
    file: Path, *things: Thing, at: datetime, cluster: str = "prod", missing: Mapping[Kind, Status] | None = None
) -> Path:
    """Write a snapshot of these things, with what a cluster adds to them."""
    built = a_cluster(*things)
    lists: dict[Kind, Iterable[Any]] = {
        Kind.NODEPOOL: built.nodepools,
        Kind.NODECLAIM: built.nodeclaims,
        Kind.NODE: built.nodes,
        Kind.DAEMONSET: built.daemonsets,
        Kind.DEPLOYMENT: built.deployments,
        Kind.REPLICASET: built.replicasets,
        Kind.STATEFULSET: built.statefulsets,
        Kind.PODDISRUPTIONBUDGET: built.poddisruptionbudgets,
        Kind.POD: [thing for thing in things if isinstance(thing, PodObject)],
        Kind.EVENT: built.events,
        Kind.NODECLASS: [],
    }
    gone = missing or {}
    document = {
        "schema": "karpenter-check/snapshot/v1",
        "takenAt": at,
        "cluster": cluster,
        "kubernetesVersion": "v1.36.2",
        "karpenterVersion": "1.13.0",
        "coverage": {
            str(kind): {"status": str(gone.get(kind, Status.COMPLETE)), "count": 0 if kind in gone else len(list(objects))}
            for kind, objects in lists.items()
        },
        "errors": [],
        "lists": {str(kind): list(objects) for kind, objects in lists.items() if kind not in gone},
    }
    file.write_bytes(msgspec.json.encode(document))
    return file
