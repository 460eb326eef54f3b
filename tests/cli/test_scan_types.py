"""What the options of a scan are made from."""

import pytest

from karpenter_check.cli.scan import command
from karpenter_check.cli.scan_types import DETAILS, DURATION
from karpenter_check.metrics.bounded import MAX_SERIES, Detail
from karpenter_check.metrics.family import NAMESPACE


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("1.5", 1.5), ("2m", 120), ("1h", 3600), ("250ms", 0.25), ("1m30s", 90), ("24h", 86400)]
)
def test_a_duration_reads_as_kubectl_reads_it(text: str, seconds: float) -> None:
    assert DURATION.convert(text, None, None) == seconds


def test_what_help_says_of_metrics_is_what_metrics_have() -> None:
    defaults = {parameter.name: parameter.default for parameter in command.params}

    assert list(map(str, Detail)) == DETAILS
    assert (defaults["metrics_detail"], defaults["max_series"], defaults["metrics_namespace"]) == (
        Detail.OBJECT,
        MAX_SERIES,
        NAMESPACE,
    )
