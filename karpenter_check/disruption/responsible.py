"""Whose work a blocker is: what a finding that the blocker explains holds responsible."""

from collections.abc import Mapping

from karpenter_check.disruption.blocker import Blocker, Word
from karpenter_check.snapshot import Pod, Ref, Snapshot
from karpenter_check.snapshot.once import once


@once
def _pods_by_name(snapshot: Snapshot) -> Mapping[tuple[str, str], Pod]:
    return {(pod.metadata.namespace, pod.metadata.name): pod for pod in snapshot.pods}


def responsible(snapshot: Snapshot, blocker: Blocker) -> tuple[Ref, ...]:
    """Those of the blocker's objects that somebody would change, of pods their workload.

    The pods that a lone PodDisruptionBudget keeps are not to blame for it; those that several match together are, as their labels are.
    """
    found: dict[Ref, None] = {}
    for ref in blocker.objects:
        if ref.kind != "Pod":
            if blocker.word is not Word.NOMINATED:  # of a nomination for nobody that was seen, the node itself stands there
                found[ref] = None
        elif blocker.word is not Word.PDB:
            pod = _pods_by_name(snapshot).get((ref.namespace, ref.name))
            found[snapshot.owner(pod) if pod else ref] = None
    return tuple(found)
