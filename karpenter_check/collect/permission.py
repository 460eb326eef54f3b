"""What RBAC has to grant, in the words of a ClusterRole."""

from collections.abc import Iterable
from typing import NamedTuple, Self

from karpenter_check.collect.answer import Answer

_LONGEST = 160


class Permission(NamedTuple):
    """The right to list one resource in the whole cluster."""

    group: str
    """Empty for the core group."""
    resource: str

    @classmethod
    def to_list(cls, path: str) -> Self:
        """What a list at this path needs: `/apis/GROUP/VERSION/RESOURCE`, or `/api/VERSION/RESOURCE`."""
        *group, _, resource = path.removeprefix("/apis/").removeprefix("/api/").split("/")
        return cls("".join(group), resource)

    def __str__(self) -> str:
        return _rule(self.group, [self.resource])

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
