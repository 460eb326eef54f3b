"""Where the volumes of pods can be used, as Karpenter reads it.

Source: `provisioning/scheduling/volumetopology.go` (1.13).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from karpenter_check.scheduling.labels import Provider
from karpenter_check.snapshot import Pod, Ref, Snapshot
from karpenter_check.snapshot.storage import PersistentVolume, PersistentVolumeClaim, StorageClass

ZONE = "topology.kubernetes.io/zone"
HOSTNAME = "kubernetes.io/hostname"


@dataclass(frozen=True)
class BoundVolume:
    """A volume of a pod, and the claim that is bound to it."""

    claim: PersistentVolumeClaim
    volume: PersistentVolume

    @property
    def claim_ref(self) -> Ref:
        """The claim."""
        return Ref("PersistentVolumeClaim", self.claim.metadata.name, "v1", self.claim.metadata.namespace)

    @property
    def ref(self) -> Ref:
        """The volume."""
        return Ref("PersistentVolume", self.volume.metadata.name, "v1")

    def storage_class(self, snapshot: Snapshot) -> StorageClass | None:
        """What had it made; None where that was not seen, or is gone."""
        name = self.claim.spec.storage_class_name or self.volume.spec.storage_class_name
        return snapshot.storageclasses_by_name.get(name)

    @property
    def on_one_host(self) -> bool:
        """Whether it can be used on nodes alone that its terms name: a disk of the machine."""
        required = self.volume.spec.node_affinity.required
        terms = required.node_selector_terms if required else ()
        return bool(terms) and all(any(entry.key == HOSTNAME for entry in term.match_expressions) for term in terms)

    def zones(self, provider: Provider) -> frozenset[str] | None:
        """The zones of which its node must be in one; None where it can be used in any, or that is not said by zones.

        Its terms are ORed, and the keys of drivers are those that the provider knows for the zone (`NormalizedLabels`).
        """
        required = self.volume.spec.node_affinity.required
        found: set[str] = set()
        for term in required.node_selector_terms if required else ():
            asked = [entry for entry in term.match_expressions if provider.normalize(entry.key) == ZONE and entry.operator == "In"]
            if not asked:
                return None
            found |= frozenset.intersection(*(frozenset(entry.values) for entry in asked))
        return frozenset(found) or None


def claim_refs(pod: Pod) -> tuple[Ref, ...]:
    """The claims that a pod mounts."""
    return tuple(Ref("PersistentVolumeClaim", name, "v1", pod.metadata.namespace) for name in pod.claims)


def bound_volumes(snapshot: Snapshot, pod: Pod) -> Iterator[BoundVolume]:
    """Of the claims that a pod mounts those that are bound, with their volumes."""
    for name in pod.claims:
        claim = snapshot.persistentvolumeclaims_by_name.get((pod.metadata.namespace, name))
        volume = snapshot.persistentvolumes_by_name.get(claim.spec.volume_name) if claim and claim.spec.volume_name else None
        if claim and volume:
            yield BoundVolume(claim, volume)
