"""Which of its features Karpenter's controller is told to have on.

Source: `pkg/operator/options/options.go:ParseFeatureGates` (1.13, 1.14).
"""

from collections.abc import Mapping

from karpenter_check.snapshot import Kind, Snapshot
from karpenter_check.snapshot.controller_label import is_controllers
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.workload import DeploymentContainer

NODE_REPAIR, STATIC_CAPACITY, SPOT_TO_SPOT = "NodeRepair", "StaticCapacity", "SpotToSpotConsolidation"
_VARIABLE = "FEATURE_GATES"


def feature_gate(snapshot: Snapshot, name: str) -> bool | None:
    """Whether a feature that is off by default is on; None where nothing tells: no controller was seen, or its gates come from elsewhere.

    Arguments of the controller go over its environment, and are not read; Karpenter's charts set the environment.
    """
    gates = _gates(snapshot)
    return None if gates is None else gates.get(name, False)


def why_not_known(snapshot: Snapshot) -> str:
    """Why nothing tells of the gates, as a clause."""
    seen = snapshot.covered(Kind.DEPLOYMENT)
    if not snapshot.whole(Kind.DEPLOYMENT):
        return f"Deployment is {seen}"
    return f"no Deployment of Karpenter's with a readable {_VARIABLE} is in the cluster"


@once
def _gates(snapshot: Snapshot) -> Mapping[str, bool] | None:
    """Those that are written, of the one controller; None where several differ, or another one may not have been seen."""
    if not snapshot.whole(Kind.DEPLOYMENT):
        return None
    found = [_of_container(container) for container in _controllers(snapshot)]
    return found[0] if found and all(gates == found[0] for gates in found) else None


def _controllers(snapshot: Snapshot) -> list[DeploymentContainer]:
    return [
        container
        for deployment in snapshot.deployments
        if is_controllers(deployment.metadata)
        for container in deployment.spec.template.spec.containers
        if any(variable.name == _VARIABLE for variable in container.env)
    ]


def _of_container(container: DeploymentContainer) -> Mapping[str, bool] | None:
    written = next(variable for variable in container.env if variable.name == _VARIABLE)
    if written.value_from is not None:
        return None
    pairs = (entry.partition("=") for entry in written.value.split(",") if entry)
    return {name.strip(): value.strip().lower() in {"true", "t", "1"} for name, _, value in pairs}
