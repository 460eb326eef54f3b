"""Options that say what metrics are called, how much they tell, and what their counters go on from."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from karpenter_check import __version__
from karpenter_check.cli.option import option, options
from karpenter_check.cli.scan_types import DETAILS, NAMESPACE

if TYPE_CHECKING:
    from karpenter_check.cli.said import Said
    from karpenter_check.metrics.family import Family
    from karpenter_check.metrics.remembering import Run

_MAX_SERIES = 2000


class _StateFile(click.Path):
    name = "FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.parent.is_dir():
            self.fail(f"there is no folder {str(path.parent)!r}", param, ctx)
        return path


metrics_options = options(
    option("--metrics-namespace", type=NAMESPACE, default="karpenter_check", show_default=True, metavar="NAME", help="What stands before the names of all metrics."),
    option("--metrics-detail", type=click.Choice(DETAILS), default=DETAILS[0], show_default=True, help="Name objects in metrics, or nothing smaller than NodePools."),
    option("--max-series", type=click.IntRange(min=100), default=_MAX_SERIES, show_default=True, metavar="NUMBER", help="Leave out series of objects where there are more than so many series; those of rules and NodePools stay."),
    option("--state", type=_StateFile(dir_okay=False), metavar="FILE", help="Remember in this file what was counted, so that counters go on. Default: the Pushgateway remembers, if there is one."),
)  # fmt: skip
"""Gives a command the options that say what metrics are to be."""


@dataclass(frozen=True, kw_only=True)
class MetricsOptions:
    """What metrics are to be, as the command line and the environment say it."""

    metrics_namespace: str
    metrics_detail: str
    max_series: int
    state: Path | None

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> "MetricsOptions":
        """These options, taken out of all that a command was called with."""
        return cls(**{name: options.pop(name) for name in cls.__annotations__})

    def tell(self, families: "Sequence[Family]", said: "Said") -> None:
        """Say it where not everything has a series, or more has one than was wanted."""
        from karpenter_check.metrics.catalogue import SERIES_DROPPED  # noqa: PLC0415  --help must not wait for what a scan needs

        dropped = sum(value for family in families if family.metric == SERIES_DROPPED for value in family.samples.values())
        if dropped:
            said.note(f"{dropped:.0f} series were left out of the metrics: --max-series is {self.max_series}")
        every = sum(family.series for family in families)
        if every > self.max_series:
            said.warning(
                f"rules and NodePools alone have {every} series, more than --max-series {self.max_series}; none of them is left out"
            )

    def run(self, *, took: float, source: str, before: "Sequence[Family]") -> "Run":
        """A run of ours that tells as much as is wanted; `took` is in seconds."""
        from karpenter_check.metrics.bounded import Detail  # noqa: PLC0415  --help must not wait for what a scan needs
        from karpenter_check.metrics.remembering import Run  # noqa: PLC0415  as above

        return Run(
            version=__version__,
            took=took,
            source=source,
            before=before,
            detail=Detail(self.metrics_detail),
            max_series=self.max_series,
        )
