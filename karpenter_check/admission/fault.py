"""One thing that is wrong with a manifest, and who minds it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.manifest import Path

_LONGEST = 120
"""Characters of a value that somebody wrote."""
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_UNTOLD = frozenset({"userData", "annotations"})
"""Fields in which people keep what is not for a report."""


class Fate(StrEnum):
    """What becomes of it."""

    REFUSED = "refused"
    """The API server refuses the object."""
    UNKNOWN = "unknown-field"
    """kubectl refuses the object; whoever does not ask the API server to be strict, as Helm, loses the field."""
    UNREADY = "refused-by-karpenter"
    """The API server takes the object, and Karpenter does not: it is not Ready, or not looked at."""
    UNREADABLE = "unreadable"
    """Everybody takes the object, and Karpenter cannot read this part of it, which has it do nothing of the kind."""
    UNMEANT = "not-meant"
    """It is taken, and does not do what it says."""
    UNSERVED = "not-served"
    """No Karpenter that is maintained knows this version of the API."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a value, or with its not being there."""

    path: Path
    fate: Fate
    wrong: str
    """What goes on after the field's name: `is "WhenIdle", and may be WhenEmpty or …`."""
    advice: str = ""
    """What to write, or where the field went."""
    value: str = ""
    grave: bool = True
    """Whether the harm is that of the fate; what only has no effect is less."""

    @property
    def field(self) -> str:
        """Where it stands, as people say it."""
        return said(self.path)

    @property
    def kind_of_place(self) -> str:
        """The same without places in lists, so that it stays when others come and go."""
        return said([part for part in self.path if isinstance(part, str)])


def said(path: Sequence[str | int]) -> str:
    """A path: `spec.template.metadata.labels[karpenter.sh/nodepool]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _FIELD.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{clip(part, _LONGEST)}]"
    return text or "the object"


def quoted(value: Any, path: Path = ()) -> str:
    """A value as its manifest has it, cut; of what is large, or not for reports, what it is."""
    if isinstance(value, dict | list):
        return ("an object" if isinstance(value, dict) else "a list") if value else "empty"
    if _UNTOLD & {str(part) for part in path}:
        return "a text" if isinstance(value, str) else "no text"
    text = clip(value, _LONGEST) if isinstance(value, str) else value
    return clip(msgspec.json.encode(text).decode(), _LONGEST + 40)


def one_of(words: Sequence[str], last: str = "or") -> str:
    """`a, b or c`."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)
