"""Manifests, good and bad, and what a real API server said of each: `pytest tests/e2e/test_manifests.py --write-verdicts` asks it."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

FOLDER = Path(__file__).parent
VERDICTS = FOLDER / "verdicts.json"


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """What `kubectl create --dry-run=server --validate=strict` ended with."""

    accepted: bool
    said: str = ""
    """The refusal; for people, not to be matched."""


def manifests() -> list[Path]:
    """All of them, in order."""
    return sorted(FOLDER.glob("*/*.yaml"))


def name(manifest: Path) -> str:
    """What a manifest is called: its folder and its file, without the ending."""
    return str(manifest.relative_to(FOLDER).with_suffix(""))


def verdicts() -> Mapping[str, Verdict]:
    """What was said, by name."""
    return msgspec.json.decode(VERDICTS.read_bytes(), type=dict[str, Verdict])
