"""The label by which Karpenter's own Deployment and pods are told."""

from karpenter_check.snapshot.metadata import Metadata

CONTROLLER_LABEL = ("app.kubernetes.io/name", "karpenter")
"""What Karpenter's charts label the controller's Deployment and its pods with."""


def is_controllers(metadata: Metadata) -> bool:
    """Whether an object is labelled as Karpenter's charts label the controller's."""
    key, value = CONTROLLER_LABEL
    return metadata.labels.get(key) == value
