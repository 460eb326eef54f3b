"""Whom to act as."""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from urllib.parse import quote

import msgspec

from karpenter_check.collect.kubeconfig import Context
from karpenter_check.collect.refusal import CannotScan

_IN_NO_HEADER = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters, and what UTF-8 cannot encode: bytes of a command line that are no UTF-8, half characters of YAML."""


class Impersonation(msgspec.Struct, frozen=True):
    """Whom to act as, as `kubectl --as` does: the server asks whether we may."""

    user: str = ""
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, list[str]] = {}

    def headers(self) -> Iterator[tuple[str, str]]:
        """One header for each group and each extra value."""
        if self.user:
            yield "Impersonate-User", _in_header(self.user)
        if self.uid:
            yield "Impersonate-Uid", _in_header(self.uid)
        for group in self.groups:
            yield "Impersonate-Group", _in_header(group)
        for key, values in self.extra.items():
            for value in values:
                yield f"Impersonate-Extra-{quote(key, safe='')}", _in_header(value)


def impersonation(context: Context | None, user: str | None, groups: tuple[str, ...]) -> Impersonation:
    """What `--as` and `--as-group` ask for, else the kubeconfig. Another user does not inherit the kubeconfig's groups.

    Raises CannotScan for groups without a user, and for what no header can hold: it names the field, not the value.
    """
    of_file = context.user if context else None
    if user:
        chosen = Impersonation(user, groups)
    elif of_file and of_file.as_user:
        chosen = Impersonation(of_file.as_user, groups or tuple(of_file.as_groups), of_file.as_uid, of_file.as_user_extra)
    elif groups or (of_file and (of_file.as_groups or of_file.as_uid or of_file.as_user_extra)):
        raise CannotScan("groups are impersonated along with a user: give --as USER, too")
    else:
        chosen = Impersonation()
    for field, values in (
        ("--as" if user else "as in the kubeconfig", [chosen.user]),
        ("--as-group" if groups else "as-groups in the kubeconfig", chosen.groups),
        ("as-uid in the kubeconfig", [chosen.uid]),
        ("as-user-extra in the kubeconfig", [*chosen.extra, *chain.from_iterable(chosen.extra.values())]),
    ):
        if any(map(_IN_NO_HEADER.search, values)):
            raise CannotScan(f"{field} holds characters that no header can hold, such as line breaks or what is no UTF-8")
    return chosen


def _in_header(value: str) -> str:
    """As kubectl sends it: UTF-8, where http.client encodes as Latin-1."""
    return value.encode().decode("latin-1")
