"""Names with wildcards."""

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def _pattern(glob: str) -> re.Pattern[str]:
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(character) or re.escape(character) for character in re.sub(r"\*+", "*", glob)), re.DOTALL)


def fits(name: str, glob: str) -> bool:
    """Whether the name is as the glob says: `*` stands for anything, `?` for one character, all else for itself.

    It knows upper from lower case, as Kubernetes does.
    """
    return _pattern(glob).fullmatch(name) is not None
