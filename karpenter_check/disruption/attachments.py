"""The volumes that a drained node waits for, and those that it does not.

Source: `node/termination/controller.go:filterVolumeAttachments` (1.13).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from karpenter_check.disruption.pods import is_drainable
from karpenter_check.scheduling.volumes import bound_volumes
from karpenter_check.snapshot import Kind, Snapshot
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.moments import at_and_distance
from karpenter_check.snapshot.storage import VolumeAttachment

_FEW = 3


@dataclass(frozen=True)
class Attachments:
    """The VolumeAttachments of a node."""

    awaited: tuple[VolumeAttachment, ...]
    """Those that its termination waits for."""
    passed_over: tuple[VolumeAttachment, ...]
    """Those that it does not: of pods that are not drained, and of volumes that are written into their pod."""


def attachments(snapshot: Snapshot, node_name: str) -> Attachments | None:
    """What is attached to a node; None where VolumeAttachments were not seen.

    Where its pods or their claims were not seen, all that is attached counts as awaited; `states` says so.
    """
    if not snapshot.covered(Kind.VOLUMEATTACHMENT).sufficient:
        return None
    staying = (
        pod
        for pod in snapshot.pods_on_node.get(node_name, ())
        if not is_drainable(pod, snapshot.taken_at, snapshot.karpenter_version)
    )
    kept = {bound.claim.spec.volume_name for pod in staying for bound in bound_volumes(snapshot, pod)} | {""}
    awaited: list[VolumeAttachment] = []
    passed_over: list[VolumeAttachment] = []
    for entry in snapshot.volumeattachments_of_node.get(node_name, ()):
        (passed_over if entry.spec.source.persistent_volume_name in kept else awaited).append(entry)
    return Attachments(tuple(awaited), tuple(passed_over))


def named(snapshot: Snapshot, entries: tuple[VolumeAttachment, ...]) -> str:
    """The volumes, with their claims where those are known."""
    return few([_named(snapshot, entry.spec.source.persistent_volume_name) for entry in entries], _FEW)


def _named(snapshot: Snapshot, name: str) -> str:
    volume = snapshot.persistentvolumes_by_name.get(name)
    claim = volume.spec.claim_ref if volume else None
    return f"PersistentVolume {name}" + (f" (PersistentVolumeClaim {claim.namespace}/{claim.name})" if claim else "")


def states(snapshot: Snapshot, found: Attachments) -> Iterator[str]:
    """What is known of those that are awaited, and how many are not."""
    asked = [entry for entry in found.awaited if entry.metadata.deletion_timestamp]
    if found.awaited and not asked:
        yield "nobody has asked to detach them yet, as the attach-detach controller does once no pod uses them"
    for entry in asked[:1]:
        since = at_and_distance(snapshot, entry.metadata.deletion_timestamp) if entry.metadata.deletion_timestamp else ""
        yield f"VolumeAttachment {entry.metadata.name} is being deleted since {since}"
    failed = next((entry for entry in found.awaited if entry.status.detach_error), None)
    if failed and failed.status.detach_error:
        yield f'{failed.spec.attacher} says of {failed.metadata.name}: "{clip(failed.status.detach_error.message)}"'
    if found.passed_over:
        yield f"{plural(len(found.passed_over), 'other')} of pods that are not drained, which it does not wait for"
    unseen = [
        kind for kind in (Kind.POD, Kind.PERSISTENTVOLUMECLAIM, Kind.PERSISTENTVOLUME) if not snapshot.covered(kind).sufficient
    ]
    if found.awaited and unseen:
        kinds = ", ".join(f"{kind} is {snapshot.covered(kind)}" for kind in unseen)
        yield f"which of them are of pods that are not drained, and so not waited for, is not known: {kinds}"
