"""Manifests with something wrong in them that nobody thought of."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

Path = tuple[str | int, ...]

_VALUES: tuple[Any, ...] = (
    None, "", 0, 1, -1, 3, 101, 1.5, True, "a", "a b", "Never", "1h", "1d", "30", "101%", [], {}, ["a"], {"a": "b"}, [{}], [None], {"a": None},
    "karpenter.sh/x", "example.com/a", "Exists", "Gt", "x" * 64, "@daily", "al2023@latest", "al2023", "Custom", "1Gi", "1GB", 1 << 31, 1 << 63,
)  # fmt: skip
_NAMES = ("foo", "key", "values", "minValues", "expireAfter", "kubelet", "tags", "id", "weight", "replicas", "limits", "schedule", "reasons", "alias", "role", "labels", "cpu", "example.com/x")  # fmt: skip


def mutant(manifests: Sequence[Mapping[str, Any]], random: Random) -> dict[str, Any]:
    """One of the manifests with up to three values of its spec changed, taken out, or put in from elsewhere."""
    made: dict[str, Any] = copy.deepcopy(dict(random.choice(manifests)))
    for _ in range(random.choice((1, 1, 2, 3))):
        places = [place for place in _places(made) if place[:1] == ("spec",)]
        if places:
            _change(made, random.choice(places), random)
    return made


def _change(made: dict[str, Any], place: Path, random: Random) -> None:
    parent: Any = made
    for part in place[:-1]:
        parent = parent[part]
    new = copy.deepcopy(random.choice(_VALUES))
    match random.choice(("set", "set", "take out", "put in")):
        case "set":
            parent[place[-1]] = new
        case "take out":
            del parent[place[-1]]
        case _ if isinstance(parent, dict):
            parent[random.choice(_NAMES)] = new
        case _:
            parent.append(new)


def _places(value: Any, above: Path = ()) -> Iterator[Path]:
    """The way to every value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, below in parts:
        yield (*above, part)
        yield from _places(below, (*above, part))
