"""Which words are nobody's names: the words of Kubernetes', Karpenter's and the clouds' messages, and everyday English."""

import re
from functools import cache, lru_cache
from importlib.resources import files

_PARTS = re.compile(r"[A-Z]+[0-9]+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+[0-9]*")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]{0,99}")


@lru_cache(maxsize=1 << 16)
def is_public_word(text: str) -> bool:
    """Whether a word, or every part of a CamelCase word, is in the vocabulary, such as `FailedScheduling` and `EC2NodeClass`."""
    if not _WORD.fullmatch(text):
        return False
    if text.lower() in _vocabulary():
        return True
    parts = _PARTS.findall(text)
    return len(parts) > 1 and "".join(parts) == text and all(_is_part(part) for part in parts)


def _is_part(part: str) -> bool:
    """Whether a part of a CamelCase word is public. Single letters are none: they would spell names."""
    return len(part) > 1 and part.lower() in _vocabulary()


@cache
def _vocabulary() -> frozenset[str]:
    """The words in public_words.txt, in lower case. Read when first asked for: only redaction needs them."""
    return frozenset(files("karpenter_check.collect").joinpath("public_words.txt").read_text(encoding="ascii").split())
