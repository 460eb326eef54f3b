"""Which labels Karpenter knows without a NodePool declaring them, by provider."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from karpenter_check.snapshot import Version

_CORE_WELL_KNOWN = frozenset({
    "karpenter.sh/nodepool", "karpenter.sh/capacity-type", "topology.kubernetes.io/zone", "topology.kubernetes.io/region",
    "node.kubernetes.io/instance-type", "node.kubernetes.io/windows-build", "kubernetes.io/arch", "kubernetes.io/os",
})  # fmt: skip
HOSTNAME = "kubernetes.io/hostname"
CAPACITY_TYPE = "karpenter.sh/capacity-type"
CAPACITY_TYPES = frozenset({"on-demand", "spot", "reserved"})
_CORE_NORMALIZED = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}
_AWS_WELL_KNOWN = frozenset(
    f"karpenter.k8s.aws/{name}"
    for name in (
        "capacity-reservation-id", "capacity-reservation-type", "capacity-reservation-interruptible", "instance-hypervisor",
        "instance-encryption-in-transit-supported", "instance-category", "instance-capability-flex", "instance-family",
        "instance-generation", "instance-size", "instance-local-nvme", "instance-cpu", "instance-cpu-manufacturer",
        "instance-cpu-sustained-clock-speed-mhz", "instance-memory", "instance-ebs-bandwidth", "instance-network-bandwidth",
        "instance-gpu-name", "instance-gpu-manufacturer", "instance-gpu-count", "instance-gpu-memory",
        "instance-accelerator-name", "instance-accelerator-manufacturer", "instance-accelerator-count", "instance-tenancy",
        "nitro-sandbox", "placement-group-id", "placement-group-partition",
    )
) | {"topology.k8s.aws/zone-id"}  # fmt: skip
_KWOK_WELL_KNOWN = frozenset(f"karpenter.kwok.sh/instance-{name}" for name in ("size", "family", "cpu", "memory"))


@dataclass(frozen=True)
class Provider:
    """The labels of one cloud provider of Karpenter's.

    Source: `apis/v1/labels.go` (core), `aws:pkg/apis/v1/labels.go` and `aws:pkg/operator/operator.go`, `kwok/apis/v1alpha1/labels.go`,
    all at 1.13.
    """

    well_known: frozenset[str] = _CORE_WELL_KNOWN
    normalized: Mapping[str, str] = field(default_factory=lambda: _CORE_NORMALIZED)
    domains: tuple[str, ...] = ()
    """Domains whose keys are taken as known, for providers whose list is not in Karpenter's own repositories."""
    restricted_domains: tuple[str, ...] = ("karpenter.sh",)
    """Domains of which nothing but the well-known labels may be set or asked for."""
    known_values: Mapping[str, frozenset[str]] = field(default_factory=lambda: {CAPACITY_TYPE: CAPACITY_TYPES})
    """All the values that a label can have, for those of which they are known (`WellKnownValuesForRequirements`)."""
    recognised: bool = True
    """Whether anything is known of it. If not, any key that has a domain may be one of its own."""

    @property
    def proven(self) -> bool:
        """Whether its list is Karpenter's own, whole."""
        return self.recognised and not self.domains

    def knows(self, key: str) -> bool:
        """Whether a NodePool may leave the (normalized) key undeclared and still be held compatible with it."""
        domain = key.rpartition("/")[0]
        if key in self.well_known or (domain and not self.recognised):
            return True
        return any(domain == known or domain.endswith(f".{known}") for known in self.domains)

    def restricts(self, key: str, version: Version | None) -> bool:
        """Whether no NodePool may set the label and no pod ask for it (`apis/v1/labels.go:IsRestrictedLabel`).

        Up to 1.8 most of Kubernetes' own domains are restricted too, and domains are compared by their ends, dot or not. What only
        some version restricts, an unknown one does not.
        """
        if key in self.well_known or may_be_known(key, version):
            return False
        if key == HOSTNAME or _within(key, *self.restricted_domains):
            return True
        early = version is not None and version < LETS_KUBERNETES_LABELS_BE_SET
        return early and self.recognised and _of_kubernetes(key)

    def values_of(self, key: str, version: Version | None) -> frozenset[str] | None:
        """All the values that Karpenter lets a label have, or None where it does not look, as an unknown version may not."""
        return self.known_values.get(key) if version and version >= CHECKS_VALUES else None

    def normalize(self, key: str) -> str:
        """The stable form of a key."""
        return self.normalized.get(key, key)


LETS_KUBERNETES_LABELS_BE_SET = Version(1, 9)
CHECKS_VALUES = Version(1, 5)
"""From here on Karpenter refuses a requirement none of whose values its label can have (`validateWellKnownValues`)."""
LISTED = Version(1, 13)
"""Karpenter's version that the lists are of."""


def is_listed(version: Version | None) -> bool:
    """Whether the lists are known to hold all that this version knows."""
    return version is not None and version[:2] <= LISTED[:2]


def may_be_known(key: str, version: Version | None) -> bool:
    """Whether a key is one of AWS's own labels that a version after the lists, which an unknown one may be, may have learnt."""
    return not is_listed(version) and key.startswith("karpenter.k8s.aws/")


def restricted(key: str, version: Version | None) -> bool:
    """Whether Karpenter refuses a NodePool that sets the label (`apis/v1/labels.go: IsRestrictedLabel`).

    Up to 1.8, which an unknown version may be, it refuses most of Kubernetes' own domains too.
    """
    if key == HOSTNAME or _within(key, "karpenter.sh", "karpenter.k8s.aws"):
        return True
    return not (version and version >= LETS_KUBERNETES_LABELS_BE_SET) and _of_kubernetes(key)


def _within(key: str, *parents: str) -> bool:
    """Whether the key's domain is one of those, or below one."""
    domain = key.partition("/")[0] if "/" in key else ""
    return any(domain == parent or domain.endswith(f".{parent}") for parent in parents)


def _of_kubernetes(key: str) -> bool:
    """Whether Karpenter keeps the key's domain for itself or for Kubernetes up to 1.8 (`apis/v1/labels.go:IsRestrictedLabel`, 1.8)."""
    domain = key.partition("/")[0] if "/" in key else ""
    excepted = ("kops.k8s.io", "node.kubernetes.io", "node-restriction.kubernetes.io")
    return domain.endswith(("kubernetes.io", "k8s.io", "karpenter.sh")) and not domain.endswith(excepted)


EKS_AUTO_MODE = "eks.amazonaws.com"
"""The API group of EKS Auto Mode's node classes; AWS runs its Karpenter: neither a Deployment nor settings of it are in the cluster."""
_AWS = Provider(
    _CORE_WELL_KNOWN | _AWS_WELL_KNOWN,
    {**_CORE_NORMALIZED, "topology.ebs.csi.aws.com/zone": "topology.kubernetes.io/zone"},
    restricted_domains=("karpenter.sh", "karpenter.k8s.aws"),
    known_values={CAPACITY_TYPE: CAPACITY_TYPES, "karpenter.k8s.aws/instance-tenancy": frozenset({"dedicated", "default"})},
)
_KWOK = Provider(_CORE_WELL_KNOWN | _KWOK_WELL_KNOWN, restricted_domains=("karpenter.sh", "karpenter.kwok.sh"))
_PROVIDERS = {
    "karpenter.k8s.aws": _AWS,
    "karpenter.kwok.sh": _KWOK,
    EKS_AUTO_MODE: Provider(_AWS.well_known, _AWS.normalized, (EKS_AUTO_MODE,)),
    "karpenter.azure.com": Provider(domains=("karpenter.azure.com", "kubernetes.azure.com", "topology.disk.csi.azure.com")),
}


def provider_of(node_class_group: str) -> Provider:
    """The provider that serves node classes of that API group. An unknown one may know every label that has a domain.

    v1beta1 may leave the group out: the labels of every provider then count as known.
    """
    if not node_class_group:
        return Provider(
            frozenset().union(*(provider.well_known for provider in _PROVIDERS.values())),
            _AWS.normalized,
            tuple(domain for provider in _PROVIDERS.values() for domain in provider.domains),
        )
    return _PROVIDERS.get(node_class_group) or Provider(recognised=False)
