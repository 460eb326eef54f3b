"""What every `karpenter-check why` is called with, and how it writes its answer."""

from collections.abc import Callable
from dataclasses import dataclass

from karpenter_check.cli.input import Source
from karpenter_check.cli.output import use_color, width, write_stdout
from karpenter_check.cli.said import Said
from karpenter_check.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True)
class AnswerOptions:
    """What all of them are called with."""

    name: str
    source: Source
    form: str
    color: str
    width: int | None
    quiet: bool

    def snapshot(self) -> Snapshot:
        """What is asked about. Raises click.ClickException where it cannot be had."""
        self.source.check()
        return self.source.snapshot(Said(-1 if self.quiet else 0))

    def write(self, text: Callable[[int, bool], str], json: Callable[[], str]) -> None:
        """Write the answer to standard output: `text` is given a width and whether to colour."""
        write_stdout(json() if self.form == "json" else text(width(self.width), use_color(self.color)))
