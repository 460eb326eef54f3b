"""What the options of a scan are made from. Nothing heavy is imported before a value has to be read."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from karpenter_check.snapshot.selector import LabelSelector
    from karpenter_check.snapshot.version import Version

SEVERITIES = ["critical", "high", "medium", "low", "info"]
PROMETHEUS = "prometheus"
FORMATS = ["table", "json", "jsonl", "yaml", "sarif", "junit", "github", "markdown", "html", "summary", PROMETHEUS]
DETAILS = ["object", "nodepool"]
"""As in karpenter_check.finding, karpenter_check.reports and karpenter_check.metrics, which help and completion do not wait for; a test holds them together."""
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SHORTEST, _LONGEST = 0.001, 24 * 3600
"""Seconds; 0, which kubectl takes for endless, would let a scan hang, and a socket takes no number of any size."""

_LAST_PORT = 65535
_FIRST_YEAR, _LAST_YEAR = 1970, 2999
"""Karpenter's durations are up to 292 years long, and what is counted from a snapshot's time has to lie within the calendar."""


class Output(NamedTuple):
    """A format, and the file that it goes to; None is standard output."""

    form: str
    file: Path | None


class _Output(click.ParamType[Output]):
    name = "FORMAT[=FILE]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Output:
        form, _, file = str(value).partition("=")
        if form not in FORMATS:
            self.fail(f"{form!r} is not one of {', '.join(FORMATS)}", param, ctx)
        if "=" in value and not file:
            self.fail(f"{value!r} names no file", param, ctx)
        path = Path(file) if file and file != "-" else None
        if path and not path.parent.is_dir():
            self.fail(f"there is no folder {str(path.parent)!r}", param, ctx)
        return Output(form, path)


class InputPath(click.Path):
    """A file or folder, or `-`, which reads as None. Whether it is there is asked when it is read."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, or None for standard input."""
        return None if value == "-" else Path(os.fsdecode(super().convert(value, param, ctx)))


class _Time(click.ParamType[datetime]):
    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            time = datetime.fromisoformat(str(value).strip())
        except ValueError:
            self.fail(f"{value!r} is no time (try 2026-11-21T08:17:14Z)", param, ctx)
        if time.tzinfo is None:
            self.fail(f"{value!r} has no time zone: end it with Z for UTC", param, ctx)
        if not _FIRST_YEAR <= time.year <= _LAST_YEAR:
            self.fail(f"{value!r} is not between {_FIRST_YEAR} and {_LAST_YEAR}", param, ctx)
        return time


class _Duration(click.ParamType[float]):
    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value)
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
            text = f"{text}s"
        if not re.fullmatch(rf"({_PART.pattern})+", text):
            self.fail(f"{value!r} is no duration (try 30s, 1m30s)", param, ctx)
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
        if not _SHORTEST <= seconds <= _LONGEST:
            self.fail(f"{value!r} is not between 1ms and 24h", param, ctx)
        return seconds


class _Version(click.ParamType["Version"]):
    name = "X.Y.Z"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Version:
        from karpenter_check.snapshot.version import parse_version  # noqa: PLC0415  as the module says

        version = parse_version(str(value))
        if version is None:
            self.fail(f"{value!r} is no version (try 1.13.0)", param, ctx)
        return version


class _Selector(click.ParamType["LabelSelector"]):
    name = "SELECTOR"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> LabelSelector:
        from karpenter_check.snapshot.selector import parse_selector  # noqa: PLC0415  as the module says

        try:
            return parse_selector(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Namespace(click.ParamType[str]):
    name = "NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", str(value)):
            self.fail(f"{value!r} is no name of a metric: letters, digits and underscores", param, ctx)
        return str(value)


class _Address(click.ParamType[tuple[str, int]]):
    name = "[HOST]:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        form = re.fullmatch(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})", str(value))
        if form is None or int(form["port"]) > _LAST_PORT:
            self.fail(f"{value!r} is no address (try :8080, 127.0.0.1:8080 or [::1]:8080)", param, ctx)
        return form["six"] or form["host"] or "", int(form["port"])


OUTPUT, TIME, DURATION, VERSION, SELECTOR, NAMESPACE = _Output(), _Time(), _Duration(), _Version(), _Selector(), _Namespace()
ADDRESS = _Address()
