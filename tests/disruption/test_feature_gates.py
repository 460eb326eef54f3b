import pytest

from karpenter_check.disruption.feature_gates import feature_gate, why_not_known
from karpenter_check.snapshot import Kind, Snapshot, Status
from karpenter_check.snapshot.part import Present
from karpenter_check.snapshot.workload import Deployment, EnvVar
from tests.build import a_cluster, a_controller, a_deployment


def known(*deployments: Deployment) -> bool | None:
    return feature_gate(a_cluster(*deployments), "StaticCapacity")


@pytest.mark.parametrize(
    "gates",
    ["StaticCapacity=true", "NodeRepair=false, StaticCapacity=True", "StaticCapacity=1"],
)
def test_a_gate_is_on_where_the_controllers_environment_says_so(gates: str) -> None:
    assert known(a_controller(gates)) is True


@pytest.mark.parametrize("gates", ["StaticCapacity=false", "NodeRepair=true", ""])
def test_a_gate_is_else_off(gates: str) -> None:
    assert known(a_controller(gates)) is False


@pytest.mark.parametrize(
    "deployments",
    [
        (),
        (a_deployment("web"),),
        (a_controller(EnvVar("FEATURE_GATES", value_from=Present())),),
        (a_controller("StaticCapacity=true"), a_controller("StaticCapacity=false", name="other")),
    ],
    ids=["no Deployment", "another one", "a value from elsewhere", "two that differ"],
)
def test_a_gate_that_nothing_tells_is_not_known(deployments: tuple[Deployment, ...]) -> None:
    assert known(*deployments) is None


def forbidden(*deployments: Deployment) -> Snapshot:
    return a_cluster(*deployments, missing={Kind.DEPLOYMENT: Status.FORBIDDEN})


def test_why_it_is_not_known() -> None:
    assert [why_not_known(a_cluster()), why_not_known(forbidden())] == [
        "no Deployment of Karpenter's with a readable FEATURE_GATES is in the cluster",
        "Deployment is forbidden",
    ]
