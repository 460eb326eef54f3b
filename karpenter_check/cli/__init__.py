"""The command line. Commands are imported when they are called, so that help and completion stay quick."""

import os
import sys
from importlib import import_module
from pathlib import Path

import click

from karpenter_check import __version__
from karpenter_check.cli.signals import Ended, deafen, listen

_COMMANDS = {
    "scan": "Find out what is wrong with Karpenter in a cluster, or in what kubectl printed of it.",
    "snapshot": "Keep in a file what a scan reads of a cluster, to scan it later or elsewhere.",
    "why": "Answer why one pod, node or NodePool is as it is.",
    "serve": "Scan again and again, and answer Prometheus with the metrics of the latest scan.",
    "metrics": "Look after what was pushed to a Pushgateway.",
    "rules": "List the rules, or explain one.",
    "completion": "Print the completion script of a shell.",
}
INTERRUPTED = 130


class _Lazy(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"{__name__}.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        """The help of the group, written from the table above instead of from every command's module."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
def group() -> None:
    """Find out why Karpenter's nodes and pods are not where they should be."""


def program() -> str:
    """What the user typed: `karpenter-check`, or `kubectl karpenter-check` for the plugin."""
    called = Path(sys.argv[0]).name
    return "kubectl karpenter-check" if called.startswith("kubectl-") else "karpenter-check"


def main() -> None:
    """Run the command line and exit: see docs/exit-codes.md for the codes."""
    try:
        listen()
        code = _run()
        deafen()
    except Ended as ended:
        ended.tell()
        discard_stdout()  # what is still to be written is half a report, and its reader may have stopped to read
        code = ended.code
    sys.exit(code)


def _run() -> int:
    """The exit code. Raises Ended."""
    if sys.stdout is None:  # closed by whoever called; what is written then goes nowhere
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  it stays open for as long as we run
    try:
        return int(group.main(prog_name=program(), standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except OSError as error:
        if error.filename is not None:  # not a write to standard output: a bug, whose traceback is wanted
            raise
        click.echo(f"Error: standard output cannot be written: {(error.strerror or str(error)).lower()}", err=True)
        discard_stdout()
        return 1


def discard_stdout() -> None:
    """Send what is still to be written nowhere: Python flushes standard output once more at exit, and would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
