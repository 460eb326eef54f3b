"""Versions of Karpenter, as image tags and people write them."""

import re
from typing import NamedTuple

_FORM = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,6}))?(?:[-+].*)?")


class Version(NamedTuple):
    """`major.minor.patch`; compares as numbers."""

    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def parse_version(text: str) -> Version | None:
    """The version that a text such as `v1.13.0` or `1.13` names, or None."""
    form = _FORM.fullmatch(text)
    return Version(int(form[1]), int(form[2]), int(form[3] or 0)) if form else None


def image_version(image: str) -> Version | None:
    """The version that an image's tag names; None for an image with a digest alone."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return parse_version(tag)
