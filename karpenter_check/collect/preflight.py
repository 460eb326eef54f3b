"""What a scan would be able to read, asked for without reading it."""

from dataclasses import dataclass

from karpenter_check.collect.api import Api
from karpenter_check.collect.discovery import discover
from karpenter_check.collect.lists import Lists
from karpenter_check.collect.live import nothing_listed, read_all
from karpenter_check.collect.resources import RESOURCES
from karpenter_check.snapshot import Kind, Status

_BY_NAME = tuple(f"{RESOURCES[kind].group}/" for kind in (Kind.LEASE, Kind.CUSTOMRESOURCEDEFINITION))


@dataclass(frozen=True)
class Look:
    """One kind: how a list of one object was answered, where it is served, and what is missing."""

    kind: Kind
    status: Status
    served: tuple[str, ...] = ()
    """Where it was asked for: group, version and resource, such as `karpenter.sh/v1 nodepools`; of one object with its place and name."""
    reason: str = ""
    """Why it cannot be listed, with the RBAC rule that is missing."""


@dataclass(frozen=True)
class Preflight:
    """Which cluster this is, and every kind in the order of collection."""

    cluster: str
    host: str
    kubernetes_version: str
    looks: tuple[Look, ...]
    refusal: str
    """Why a scan would end without looking at anything; empty where it would not."""

    @property
    def nodepools(self) -> Look:
        """The kind without which there is no Karpenter."""
        return next(look for look in self.looks if look.kind is Kind.NODEPOOL)


def preflight(api: Api, *, events: bool = True) -> Preflight:
    """Ask for one object of each kind; for all NodePools, since they name the node classes. `events` says whether they are read at all.

    Raises CannotScan where nothing can be asked, or the answers carry no time.
    """
    served = discover(api)
    lists = Lists(api)
    coverage = read_all(api, served, lists, lists.peek, events=events)
    looks = (
        Look(kind, one.status, tuple(_where(path) for path in lists.read_at[kind]), one.reason) for kind, one in coverage.items()
    )
    return Preflight(api.cluster, api.host, served.kubernetes_version, tuple(looks), nothing_listed(coverage, lists))


def _where(path: str) -> str:
    """`karpenter.sh/v1 nodepools` of `/apis/karpenter.sh/v1/nodepools`, `v1 pods` of `/api/v1/pods`."""
    shown = path.removeprefix("/apis/").removeprefix("/api/")
    if shown.startswith(_BY_NAME):
        place, _, name = shown.rpartition("/")
        version, _, namespace = place.rpartition("/")[0].partition("/namespaces/")
        return f"{version} {namespace}/{name}" if namespace else f"{version} {name}"
    version, _, resource = shown.rpartition("/")
    return f"{version} {resource}"
