"""Karpenter's own Deployment: the version it runs, and what it is told."""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from karpenter_check.snapshot import Kind
from karpenter_check.snapshot.controller_label import is_controllers
from karpenter_check.snapshot.version import Version, image_version
from karpenter_check.snapshot.workload import Deployment, DeploymentContainer, EnvVar

LEASE = "karpenter-leader-election"
"""Of the leader, by default (pkg/operator/options/options.go: LeaderElectionName, 1.13)."""
NAMESPACE = "kube-system"
"""Where Karpenter's documentation installs it."""
DEFINITIONS = ("nodepools.karpenter.sh", "nodeclaims.karpenter.sh")
"""The CustomResourceDefinitions of Karpenter itself; each provider's node classes have their own."""
CLUSTER_NAME = "CLUSTER_NAME"
SETTINGS = frozenset(
    {CLUSTER_NAME, "FEATURE_GATES", "BATCH_MAX_DURATION", "BATCH_IDLE_DURATION", "PREFERENCE_POLICY", "MIN_VALUES_POLICY"}
)
"""The environment variables that are kept, of Karpenter's controller alone, with their value where it is written out
(pkg/operator/options/options.go: Options.AddFlags, 1.13, in Karpenter and in the providers of AWS and of Azure)."""
PRESENCES = frozenset({"INTERRUPTION_QUEUE"})
"""Those of which only that they are set is kept; the value is then `set`."""


def namespaces(deployments: Iterable[Deployment]) -> list[str]:
    """Where the controller runs, of several each, in the order of their names."""
    return sorted({deployment.metadata.namespace for deployment in deployments if is_controllers(deployment.metadata)})


def is_of_others(kind: Kind, name: str) -> bool:
    """Whether an object of that name is none of Karpenter's, of kinds of which nothing else is kept."""
    if kind is Kind.LEASE:
        return name != LEASE
    plural, _, group = name.partition(".")
    return kind is Kind.CUSTOMRESOURCEDEFINITION and group != "karpenter.sh" and not plural.endswith("nodeclasses")


def without_environment(deployment: Deployment) -> Deployment:
    """The Deployment without environment variables, which may be secret; Karpenter's own keeps `SETTINGS` and `PRESENCES`."""
    containers = deployment.spec.template.spec.containers
    if not any(container.env for container in containers):
        return deployment
    spec, own = deployment.spec, is_controllers(deployment.metadata)
    bare = tuple(DeploymentContainer(container.image, tuple(_kept(container.env)) if own else ()) for container in containers)
    template = replace(spec.template, spec=replace(spec.template.spec, containers=bare))
    return replace(deployment, spec=replace(spec, template=template))


def _kept(environment: Iterable[EnvVar]) -> Iterator[EnvVar]:
    for variable in environment:
        if variable.name in SETTINGS:
            yield variable
        elif variable.name in PRESENCES and (variable.value or variable.value_from):
            yield EnvVar(variable.name, "set")


def version_of(deployments: Iterable[Deployment]) -> Version | None:
    """The version that the image of Karpenter's controller names."""
    for container in _containers(deployments):
        if "karpenter" in container.image and (version := image_version(container.image)):
            return version
    return None


def cluster_name(deployments: Iterable[Deployment]) -> str:
    """What Karpenter's controller is told that the cluster is called; empty where nothing says so."""
    named = (
        variable.value for container in _containers(deployments) for variable in container.env if variable.name == CLUSTER_NAME
    )
    return next(filter(None, named), "")


def _containers(deployments: Iterable[Deployment]) -> Iterable[DeploymentContainer]:
    for deployment in deployments:
        if is_controllers(deployment.metadata):
            yield from deployment.spec.template.spec.containers
