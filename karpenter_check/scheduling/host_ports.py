"""Host ports: which two cannot be on one node."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from karpenter_check.snapshot.pod_object import ContainerPort


def _address(port: ContainerPort) -> IPv4Address | IPv6Address | None:
    """The address that it listens on, as Go's `net.ParseIP` reads it; None for what that cannot read."""
    if "%" in port.host_ip:
        return None
    try:
        address = ip_address(port.host_ip or "0.0.0.0")  # noqa: S104  an address in a pod's spec, nothing binds to it
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def clash(one: ContainerPort, other: ContainerPort) -> bool:
    """Whether the two want the same port of a node (`pkg/scheduling/hostportusage.go:Matches`, 1.13).

    0.0.0.0 and :: stand for every address; one that cannot be read is like all others that cannot.
    """
    if (one.host_port, one.protocol) != (other.host_port, other.protocol):
        return False
    addresses = _address(one), _address(other)
    return addresses[0] == addresses[1] or any(address and address.is_unspecified for address in addresses)
