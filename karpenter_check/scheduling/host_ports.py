"""Host ports: which two cannot be on one node."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from karpenter_check.snapshot.pod_object import ContainerPort


def _address(port: ContainerPort) -> IPv4Address | IPv6Address | None:
    """The address that it listens on, or None where it listens on every one, or on one that cannot be read."""
    try:
        address = ip_address(port.host_ip or "0.0.0.0")  # noqa: S104  an address in a pod's spec, nothing binds to it
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return None if address.is_unspecified else mapped or address


def clash(one: ContainerPort, other: ContainerPort) -> bool:
    """Whether the two want the same port of a node: 0.0.0.0 and :: stand for every address (`pkg/scheduling/hostportusage.go`, 1.13)."""
    if (one.host_port, one.protocol) != (other.host_port, other.protocol):
        return False
    addresses = _address(one), _address(other)
    return None in addresses or addresses[0] == addresses[1]
