"""What the options of a scan are made from."""

import pytest

from karpenter_check.cli.scan_types import DURATION


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("1.5", 1.5), ("2m", 120), ("1h", 3600), ("250ms", 0.25), ("1m30s", 90), ("24h", 86400)]
)
def test_a_duration_reads_as_kubectl_reads_it(text: str, seconds: float) -> None:
    assert DURATION.convert(text, None, None) == seconds
