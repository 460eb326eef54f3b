"""Karpenter's own Deployment: the version it runs, and what it is told."""

from collections.abc import Iterable

from msgspec.structs import replace

from karpenter_check.snapshot.version import Version, image_version
from karpenter_check.snapshot.workload import Deployment, DeploymentContainer

SETTINGS = frozenset({"CLUSTER_NAME"})
"""The environment variables that are kept, of Karpenter's controller alone, where their value is written out
(pkg/operator/options/options.go: Options.AddFlags, in the providers of AWS and of Azure)."""


def is_controller(deployment: Deployment) -> bool:
    """Whether a Deployment is labelled as Karpenter's charts label the controller's."""
    return deployment.metadata.labels.get("app.kubernetes.io/name") == "karpenter"


def without_environment(deployment: Deployment) -> Deployment:
    """The Deployment without environment variables, which may be secret; Karpenter's own keeps `SETTINGS`."""
    kept = SETTINGS if is_controller(deployment) else frozenset()
    containers = deployment.spec.template.spec.containers
    if all(variable.name in kept for container in containers for variable in container.env):
        return deployment
    spec = deployment.spec
    bare = tuple(
        DeploymentContainer(container.image, tuple(variable for variable in container.env if variable.name in kept))
        for container in containers
    )
    template = replace(spec.template, spec=replace(spec.template.spec, containers=bare))
    return replace(deployment, spec=replace(spec, template=template))


def version_of(deployments: Iterable[Deployment]) -> Version | None:
    """The version that the image of Karpenter's controller names."""
    for container in _containers(deployments):
        if "karpenter" in container.image and (version := image_version(container.image)):
            return version
    return None


def cluster_name(deployments: Iterable[Deployment]) -> str:
    """What Karpenter's controller is told that the cluster is called; empty where nothing says so."""
    named = (variable.value for container in _containers(deployments) for variable in container.env)
    return next(filter(None, named), "")


def _containers(deployments: Iterable[Deployment]) -> Iterable[DeploymentContainer]:
    for deployment in filter(is_controller, deployments):
        yield from deployment.spec.template.spec.containers
