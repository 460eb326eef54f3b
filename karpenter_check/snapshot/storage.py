"""Where volumes can be used and where they are: claims, volumes, storage classes, attachments. Nothing of what a driver keeps in them is decoded."""

from msgspec.structs import force_setattr

from karpenter_check.snapshot.clip import MAXIMUM_MESSAGE, capped
from karpenter_check.snapshot.metadata import Metadata
from karpenter_check.snapshot.part import Part, Timestamp
from karpenter_check.snapshot.pod_object import NodeSelector


class PersistentVolumeClaimSpec(Part, frozen=True):
    """`spec` of a PersistentVolumeClaim."""

    volume_name: str = ""
    """Empty as long as it is not bound."""
    storage_class_name: str | None = None
    """None means the default class until the claim is bound, empty no class at all."""
    access_modes: tuple[str, ...] = ()


class PersistentVolumeClaimStatus(Part, frozen=True):
    """`status` of a PersistentVolumeClaim."""

    phase: str = ""
    """Pending, Bound or Lost."""


class PersistentVolumeClaim(Part, frozen=True):
    """A PersistentVolumeClaim."""

    metadata: Metadata
    spec: PersistentVolumeClaimSpec = PersistentVolumeClaimSpec()
    status: PersistentVolumeClaimStatus = PersistentVolumeClaimStatus()


class VolumeNodeAffinity(Part, frozen=True):
    """`spec.nodeAffinity` of a PersistentVolume."""

    required: NodeSelector | None = None


class ClaimReference(Part, frozen=True):
    """`spec.claimRef` of a PersistentVolume."""

    namespace: str = ""
    name: str = ""
    uid: str = ""


class CSIPersistentVolumeSource(Part, frozen=True):
    """`spec.csi` of a PersistentVolume; its handle and attributes are not decoded."""

    driver: str = ""


class PersistentVolumeSpec(Part, frozen=True):
    """`spec` of a PersistentVolume."""

    node_affinity: VolumeNodeAffinity = VolumeNodeAffinity()
    claim_ref: ClaimReference | None = None
    storage_class_name: str = ""
    csi: CSIPersistentVolumeSource | None = None


class PersistentVolumeStatus(Part, frozen=True):
    """`status` of a PersistentVolume."""

    phase: str = ""
    """Pending, Available, Bound, Released or Failed."""


class PersistentVolume(Part, frozen=True):
    """A PersistentVolume."""

    metadata: Metadata
    spec: PersistentVolumeSpec = PersistentVolumeSpec()
    status: PersistentVolumeStatus = PersistentVolumeStatus()


class TopologySelectorLabelRequirement(Part, frozen=True):
    """An entry of `matchLabelExpressions`: the key has one of the values."""

    key: str
    values: tuple[str, ...] = ()


class TopologySelectorTerm(Part, frozen=True):
    """An entry of `allowedTopologies`."""

    match_label_expressions: tuple[TopologySelectorLabelRequirement, ...] = ()


class StorageClass(Part, frozen=True):
    """A StorageClass; its parameters are not decoded."""

    metadata: Metadata
    provisioner: str = ""
    volume_binding_mode: str = "Immediate"
    allowed_topologies: tuple[TopologySelectorTerm, ...] = ()


class VolumeError(Part, frozen=True):
    """Why a volume could not be detached, and when that was said."""

    time: Timestamp | None = None
    message: str = ""

    def __post_init__(self) -> None:
        if len(self.message) > MAXIMUM_MESSAGE:
            force_setattr(self, "message", capped(self.message))


class VolumeAttachmentSource(Part, frozen=True):
    """`spec.source`; of a volume that is written into its pod nothing is decoded."""

    persistent_volume_name: str = ""


class VolumeAttachmentSpec(Part, frozen=True):
    """`spec` of a VolumeAttachment."""

    attacher: str = ""
    node_name: str = ""
    source: VolumeAttachmentSource = VolumeAttachmentSource()


class VolumeAttachmentStatus(Part, frozen=True):
    """`status` of a VolumeAttachment."""

    attached: bool = False
    detach_error: VolumeError | None = None


class VolumeAttachment(Part, frozen=True):
    """A VolumeAttachment (storage.k8s.io/v1): a volume that is, or is to be, on a node."""

    metadata: Metadata
    spec: VolumeAttachmentSpec = VolumeAttachmentSpec()
    status: VolumeAttachmentStatus = VolumeAttachmentStatus()
