"""Which API groups, versions and node classes a cluster serves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import msgspec

from karpenter_check.collect.answer import Answer
from karpenter_check.collect.api import Api
from karpenter_check.collect.refusal import CannotScan
from karpenter_check.collect.resources import Resource
from karpenter_check.collect.retry import MOST_TRIES
from karpenter_check.collect.undecodable import UNDECODABLE

Found = TypeVar("Found")


class _Version(msgspec.Struct):
    version: str


class _Group(msgspec.Struct, rename="camel"):
    name: str
    versions: list[_Version]
    preferred_version: _Version | None = None


class _GroupList(msgspec.Struct):
    """`/apis`."""

    groups: list[_Group]


class _ServedResource(msgspec.Struct):
    """A resource, or a subresource such as `nodepools/status`."""

    name: str
    kind: str


class _ResourceList(msgspec.Struct):
    """`/apis/GROUP/VERSION`."""

    resources: list[_ServedResource]


class _ServerVersion(msgspec.Struct, rename="camel"):
    """`/version`."""

    git_version: str = ""


@dataclass(frozen=True)
class Served:
    """What the API server serves."""

    kubernetes_version: str = ""
    """Such as `v1.36.2`; empty where the server does not say."""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The versions of each API group but the core one, the preferred one first."""
    answered_at: datetime | None = None
    """The server's time, if it says it."""

    def path(self, resource: Resource) -> str | None:
        """Where the kind is listed, in the first of its versions that is served; None where none is."""
        served = self.groups.get(resource.group, ()) if resource.group else resource.versions
        version = next((version for version in resource.versions if version in served), None)
        return resource.path(version) if version else None

    def absence(self, resource: Resource) -> str:
        """Why `path` is None."""
        served = self.groups.get(resource.group, ())
        if not served:
            return f"the server does not serve {resource.group}"
        only = " and ".join(f"{resource.group}/{version}" for version in served)
        if resource.group == "karpenter.sh" and "v1alpha5" in served:
            return f"the server serves {only} only: Provisioners, as Karpenter before 0.32 had them, are not read"
        return f"the server serves {only} only, not {' or '.join(resource.versions)}"


def discover(api: Api) -> Served:
    """Ask for the groups and the server's version. Raises CannotScan where the server does not answer as a Kubernetes API."""
    answer, found = _asked(api, "/apis", _GroupList)
    if answer.status != 200:
        raise CannotScan(f"{api.host} refuses GET /apis: {answer.complaint}{_advice(api, answer)}")
    if found is None:
        raise CannotScan(f"{api.host} is no Kubernetes API server: GET /apis gave no list of API groups")
    return Served(_kubernetes_version(api), {group.name: _versions(group) for group in found.groups}, answer.date)


def _kubernetes_version(api: Api) -> str:
    """For the report alone, so a server that hides it, or chokes on it, is scanned all the same."""
    try:
        _, version = _asked(api, "/version", _ServerVersion)
    except CannotScan:
        return ""
    return version.git_version if version else ""


def _asked(api: Api, path: str, of: type[Found]) -> tuple[Answer, Found | None]:
    """The answer, and what it holds; asked again where it should hold that and does not. Raises CannotScan where there is none."""
    tries = 0
    while True:
        tries += 1
        answer = api.get(path)
        if answer.status != 200:
            return answer, None
        try:
            return answer, msgspec.json.decode(answer.body, type=of)
        except UNDECODABLE:
            if tries == MOST_TRIES or not api.pause(tries):
                return answer, None


def _advice(api: Api, answer: Answer) -> str:
    if answer.status == 401:
        return f"; {api.advice}"
    if answer.status == 403 and "impersonate" in answer.message:
        return "; grant the verb impersonate on what it names, or leave out --as, --as-group and the kubeconfig's as"
    if answer.status == 403:
        return "; bind the ClusterRole system:discovery, or check whose credentials these are"
    return "" if answer.message or answer.status >= 500 else "; is it a Kubernetes API server?"


def _versions(group: _Group) -> tuple[str, ...]:
    versions = [entry.version for entry in group.versions]
    preferred = group.preferred_version.version if group.preferred_version else ""
    return tuple(sorted(versions, key=lambda version: version != preferred))


def node_class_path(api: Api, served: Served, group: str, kind: str) -> str | None:
    """Where a provider's node classes are listed; None where the server does not serve that kind.

    Raises CannotScan where the server does not say.
    """
    for version in served.groups.get(group, ()):
        path = f"/apis/{group}/{version}"
        answer, found = _asked(api, path, _ResourceList)
        if answer.status != 200:
            raise CannotScan(f"GET {path}: {answer.complaint}")
        if found is None:
            raise CannotScan(f"GET {path}: gave no list of resources")
        for resource in found.resources:
            if resource.kind == kind and "/" not in resource.name:
                return f"{path}/{resource.name}"
    return None
