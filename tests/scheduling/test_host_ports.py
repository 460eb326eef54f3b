"""Host ports: which two cannot be on one node."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karpenter_check.scheduling.host_ports import clash
from karpenter_check.snapshot.pod_object import ContainerPort

EVERYWHERE = ContainerPort(8080)
ADDRESSES = ("", "0.0.0.0", "::", "10.0.0.1", "10.0.0.2", "fd00::1", "fd00:0::1")  # noqa: S104  in a pod's spec, nothing binds to it
ports = st.builds(
    ContainerPort, st.sampled_from((80, 8080)), st.sampled_from(ADDRESSES) | st.text(), st.sampled_from(("TCP", "UDP", "SCTP"))
)


@pytest.mark.parametrize(
    ("one", "other", "clashes"),
    [
        (EVERYWHERE, EVERYWHERE, True),
        (EVERYWHERE, ContainerPort(8081), False),
        (EVERYWHERE, ContainerPort(8080, protocol="UDP"), False),
        (EVERYWHERE, ContainerPort(8080, "0.0.0.0"), True),  # noqa: S104  as above
        (EVERYWHERE, ContainerPort(8080, "10.0.0.1"), True),
        (ContainerPort(8080, "::"), ContainerPort(8080, "10.0.0.1"), True),
        (ContainerPort(8080, "0.0.0.0"), ContainerPort(8080, "fd00::1"), True),  # noqa: S104  as above
        (ContainerPort(8080, "10.0.0.1"), ContainerPort(8080, "10.0.0.1"), True),
        (ContainerPort(8080, "10.0.0.1"), ContainerPort(8080, "10.0.0.2"), False),
        (ContainerPort(8080, "10.0.0.1", "UDP"), ContainerPort(8080, "10.0.0.1"), False),
        (ContainerPort(8080, "fd00::1"), ContainerPort(8080, "fd00:0:0::1"), True),
        (ContainerPort(8080, "fd00::1"), ContainerPort(8080, "10.0.0.1"), False),
    ],
)
def test_two_ports_clash(one: ContainerPort, other: ContainerPort, clashes: bool) -> None:  # noqa: FBT001  the expectation
    assert clash(one, other) is clashes


@settings(derandomize=True, deadline=None)
@given(ports, ports)
def test_whatever_is_written_both_see_it_alike_and_a_port_clashes_with_itself(one: ContainerPort, other: ContainerPort) -> None:
    assert clash(one, other) == clash(other, one)
    assert clash(one, one)
