"""Whole answers to "why nodepool" of the recording, as people get them."""

from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from karpenter_check.reports.why_nodepool import render_why_nodepool
from karpenter_check.reports.why_nodepool_json import render_why_nodepool_json
from karpenter_check.scan import Report
from karpenter_check.why.nodepool import why_nodepool

GOLDEN = Path(__file__).parent / "golden"
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", ["general", "frozen", "tiny", "drifty", "broken"])
def test_a_nodepool_of_the_recording(
    name: str, width: int, recorded: Callable[[str], Report], golden: Callable[[Path, str], None]
) -> None:
    snapshot = recorded("faults").snapshot
    text = render_why_nodepool(snapshot, why_nodepool(snapshot, name), width=width, color=False, zone=BERLIN)

    golden(GOLDEN / f"why-nodepool-{name}-{width}.txt", text)


def test_a_nodepool_of_the_recording_as_json(recorded: Callable[[str], Report], golden: Callable[[Path, str], None]) -> None:
    snapshot = recorded("faults").snapshot

    golden(GOLDEN / "why-nodepool-general.json", render_why_nodepool_json(snapshot, why_nodepool(snapshot, "general"), "1.2.3"))
