"""Which label somebody probably meant."""

from collections.abc import Collection
from difflib import get_close_matches
from functools import lru_cache

_SHORTEST = 4
"""A key shorter than this is part of too many others to be a hint."""
_ALIKE = 0.84


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def probably_meant(key: str, declared: Collection[str], well_known: Collection[str] = ()) -> str:
    """The key that an undefined one is a slip of, those that are declared before those that Karpenter knows; else empty.

    The same name in another domain, a key that it is a part of (the shortest), or one that differs by a letter or two. Karpenter's own hint has
    the first two, over a set without an order (`pkg/scheduling/requirements.go:labelHint`, 1.13).
    """
    return _meant(key, frozenset(declared)) or _meant(key, frozenset(well_known))


@lru_cache(maxsize=4096)
def _meant(key: str, known: frozenset[str]) -> str:
    others = sorted(known - {key}, key=lambda other: (len(other), other))
    for other in others:
        if _name(key) and _name(other) == _name(key):
            return other
    for other in others:
        if len(key) >= _SHORTEST and key in other:
            return other
    if close := get_close_matches(key, others, n=1, cutoff=_ALIKE):
        return close[0]
    names = {_name(other): other for other in reversed(others)}
    close = get_close_matches(_name(key), sorted(names), n=1, cutoff=_ALIKE)
    return names[close[0]] if close else ""
