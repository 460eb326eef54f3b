import pytest

from karpenter_check.snapshot import Version
from karpenter_check.snapshot.version import image_version, parse_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.13.0", Version(1, 13)),
        ("v1.13.2", Version(1, 13, 2)),
        ("1.2", Version(1, 2)),
        ("v0.37.7", Version(0, 37, 7)),
        ("1.14.0-rc.1", Version(1, 14)),
        ("1.14.0+build5", Version(1, 14)),
        ("1", None),
        ("latest", None),
        ("v0-3f2a1c", None),
        ("1.2.3.4", None),
        ("", None),
        ("12345.1", None),
    ],
)
def test_a_text_names_a_version(text: str, version: Version | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("public.ecr.aws/karpenter/controller:1.13.0", Version(1, 13)),
        ("public.ecr.aws/karpenter/controller:v1.13.0@sha256:0123abcd", Version(1, 13)),
        ("localhost:5000/karpenter/controller:1.2.1", Version(1, 2, 1)),
        ("localhost:5000/karpenter/controller", None),
        ("public.ecr.aws/karpenter/controller@sha256:0123abcd", None),
        ("karpenter:main", None),
        ("", None),
    ],
)
def test_an_images_tag_names_a_version(image: str, version: Version | None) -> None:
    assert image_version(image) == version


def test_versions_compare_as_numbers() -> None:
    assert sorted([Version(1, 13), Version(1, 2, 10), Version(1, 2, 9), Version(0, 37)]) == [
        Version(0, 37),
        Version(1, 2, 9),
        Version(1, 2, 10),
        Version(1, 13),
    ]
    assert str(Version(1, 13)) == "1.13.0"
