"""What RBAC has to grant, in the words of a ClusterRole."""

from collections.abc import Iterable
from typing import NamedTuple, Self

from karpenter_check.collect.answer import Answer

_LONGEST = 160


class Permission(NamedTuple):
    """The right to list one resource in the whole cluster, or to get one object."""

    group: str
    """Empty for the core group."""
    resource: str
    name: str = ""
    """Of the one object; empty for a list."""
    namespace: str = ""
    """Of the one object, where it has one."""

    @classmethod
    def to_list(cls, path: str) -> Self:
        """What a list at this path needs: `/apis/GROUP/VERSION/RESOURCE`, or `/api/VERSION/RESOURCE`."""
        *group, _, resource = path.removeprefix("/apis/").removeprefix("/api/").split("/")
        return cls("".join(group), resource)

    @classmethod
    def to_get(cls, path: str) -> Self:
        """What a GET of the one object at this path needs: `/apis/GROUP/VERSION/[namespaces/NAMESPACE/]RESOURCE/NAME`."""
        above, name = path.rsplit("/", 1)
        above, _, resource = above.rpartition("/")
        above, _, namespace = above.partition("/namespaces/")
        return cls(cls.to_list(f"{above}/{resource}").group, resource, name, namespace)

    def __str__(self) -> str:
        if not self.name:
            return _rule(self.group, [self.resource])
        rule = f'{{apiGroups: ["{self.group}"], resources: [{self.resource}], resourceNames: [{self.name}], verbs: [get]}}'
        return f"{rule} by a Role in {self.namespace}" if self.namespace else rule

    def refusal(self, answer: Answer) -> str:
        """The server's words, without those that name the resource again, and cut: some authorizers add a page."""
        said = answer.message.partition(" is forbidden: ")[2] or answer.message or answer.complaint
        return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"


def rules(permissions: Iterable[Permission]) -> str:
    """The rules of a ClusterRole that grant all of them, one for each group, on one line."""
    by_group: dict[str, list[str]] = {}
    for permission in permissions:
        by_group.setdefault(permission.group, []).append(permission.resource)
    return ", ".join(_rule(group, resources) for group, resources in by_group.items())


def _rule(group: str, resources: Iterable[str]) -> str:
    return f'{{apiGroups: ["{group}"], resources: [{", ".join(resources)}], verbs: [list]}}'
