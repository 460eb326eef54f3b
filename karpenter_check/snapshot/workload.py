"""What owns pods, and what protects them: DaemonSets, ReplicaSets, Deployments, StatefulSets, PodDisruptionBudgets."""

from karpenter_check.snapshot.metadata import Condition, Metadata
from karpenter_check.snapshot.part import Part, Present
from karpenter_check.snapshot.pod_object import PodSpec
from karpenter_check.snapshot.selector import LabelSelector


class PodTemplate(Part, frozen=True):
    """`spec.template` of a DaemonSet."""

    spec: PodSpec = PodSpec()


class DaemonSetSpec(Part, frozen=True):
    """`spec` of a DaemonSet."""

    template: PodTemplate = PodTemplate()


class DaemonSet(Part, frozen=True):
    """A DaemonSet."""

    metadata: Metadata
    spec: DaemonSetSpec = DaemonSetSpec()


class ReplicasSpec(Part, frozen=True):
    """`spec` of what runs a number of replicas; Kubernetes defaults it to one."""

    replicas: int = 1


class ReplicaSet(Part, frozen=True):
    """A ReplicaSet. Only its metadata is asked of the API server, so how many pods it wants is not known."""

    metadata: Metadata


class StatefulSet(Part, frozen=True):
    """A StatefulSet."""

    metadata: Metadata
    spec: ReplicasSpec = ReplicasSpec()


class EnvVar(Part, frozen=True):
    """An environment variable; its value is empty where it comes from elsewhere."""

    name: str = ""
    value: str = ""
    value_from: Present | None = None


class DeploymentContainer(Part, frozen=True):
    """A container of a Deployment's template: what tells Karpenter's version and how it is set. Only Karpenter's own keeps `env`."""

    image: str = ""
    env: tuple[EnvVar, ...] = ()


class DeploymentPodSpec(Part, frozen=True):
    """`spec.template.spec` of a Deployment."""

    containers: tuple[DeploymentContainer, ...] = ()


class DeploymentTemplate(Part, frozen=True):
    """`spec.template` of a Deployment."""

    spec: DeploymentPodSpec = DeploymentPodSpec()


class DeploymentSpec(Part, frozen=True):
    """`spec` of a Deployment; Kubernetes defaults the replicas to one."""

    replicas: int = 1
    template: DeploymentTemplate = DeploymentTemplate()


class Deployment(Part, frozen=True):
    """A Deployment."""

    metadata: Metadata
    spec: DeploymentSpec = DeploymentSpec()


class PodDisruptionBudgetSpec(Part, frozen=True):
    """`spec` of a PodDisruptionBudget. Without a selector it matches nothing."""

    selector: LabelSelector | None = None
    unhealthy_pod_eviction_policy: str = ""
    min_available: int | str | None = None
    """A number of pods or a percentage; at most one of this and `max_unavailable` is set."""
    max_unavailable: int | str | None = None


class PodDisruptionBudgetStatus(Part, frozen=True):
    """`status` of a PodDisruptionBudget."""

    disruptions_allowed: int = 0
    expected_pods: int = 0
    """How many pods its controllers want, of those that it matches."""
    current_healthy: int = 0
    desired_healthy: int = 0
    conditions: tuple[Condition, ...] = ()
    """DisruptionAllowed, which tells since when it allows none."""


class PodDisruptionBudget(Part, frozen=True):
    """A PodDisruptionBudget (policy/v1)."""

    metadata: Metadata
    spec: PodDisruptionBudgetSpec = PodDisruptionBudgetSpec()
    status: PodDisruptionBudgetStatus = PodDisruptionBudgetStatus()
