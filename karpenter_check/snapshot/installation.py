"""How Karpenter is installed: who leads, and which versions of its API are served and stored."""

from karpenter_check.snapshot.metadata import Metadata
from karpenter_check.snapshot.part import Part, Timestamp


class LeaseSpec(Part, frozen=True):
    """`spec` of a Lease."""

    holder_identity: str = ""
    """The leader's pod, `_` and a UUID (controller-runtime, pkg/leaderelection); empty once it has let go."""
    acquire_time: Timestamp | None = None
    renew_time: Timestamp | None = None
    lease_duration_seconds: int = 0


class Lease(Part, frozen=True):
    """A Lease (coordination.k8s.io/v1)."""

    metadata: Metadata
    spec: LeaseSpec = LeaseSpec()


class CustomResourceDefinitionVersion(Part, frozen=True):
    """An entry of `spec.versions`; its schema is not decoded."""

    name: str = ""
    served: bool = False
    storage: bool = False
    """Whether objects are written in this version."""


class CustomResourceDefinitionSpec(Part, frozen=True):
    """`spec` of a CustomResourceDefinition."""

    versions: tuple[CustomResourceDefinitionVersion, ...] = ()


class CustomResourceDefinitionStatus(Part, frozen=True):
    """`status` of a CustomResourceDefinition."""

    stored_versions: tuple[str, ...] = ()
    """Every version in which objects may still be stored."""


class CustomResourceDefinition(Part, frozen=True):
    """A CustomResourceDefinition (apiextensions.k8s.io/v1)."""

    metadata: Metadata
    spec: CustomResourceDefinitionSpec = CustomResourceDefinitionSpec()
    status: CustomResourceDefinitionStatus = CustomResourceDefinitionStatus()
