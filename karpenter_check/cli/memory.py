"""What earlier runs knew: from the state file, else from what the Pushgateway holds."""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from karpenter_check.cli.output import write_bytes
from karpenter_check.cli.said import Said
from karpenter_check.metrics.family import Family
from karpenter_check.metrics.gateway import Gateway
from karpenter_check.metrics.recall import recalled
from karpenter_check.metrics.remembering import NOTHING
from karpenter_check.metrics.transport import GatewayError
from karpenter_check.snapshot.last_run import LastRun, NotUnderstood, decoded, encoded

STATE, PUSHGATEWAY = "state", "pushgateway"


class Memory(NamedTuple):
    """What is known of earlier runs."""

    last: LastRun | None
    source: str
    """`state`, `pushgateway`, or `nothing`."""
    pushed: Sequence[Family] | None = None
    """What was pushed last; None where that was not asked for, or the gateway does not tell."""


def recall(state: Path | None, gateway: Gateway | None, cluster: str, said: Said, *, read_back: bool) -> Memory:
    """What earlier runs knew. `read_back` asks the gateway for what was pushed last even where the file remembers.

    A memory that is refused is said so, and counting begins anew.
    """
    last = _from_file(state, cluster, said) if state else None
    pushed = _pushed(gateway, said) if gateway and (read_back or last is None) else None
    if last is not None:
        return Memory(last, STATE, pushed)
    if pushed is not None:
        try:
            last = recalled(pushed, cluster)
        except ValueError as error:
            said.warning(f"what the Pushgateway holds cannot be gone on from: {error}")
    unread = gateway is not None and pushed is None
    if last is None and not unread:
        said.note("no earlier run is remembered: what stands now is where counters begin")
    return Memory(last, PUSHGATEWAY if last else NOTHING, pushed)


def keep(state: Path, memory: LastRun, said: Said) -> None:
    """Write the memory, whole or not at all."""
    try:
        write_bytes([encoded(memory)], state)
    except click.FileError as error:
        said.warning(f"what was counted cannot be kept in {state}, so that it may count again: {error.message}")


def _from_file(state: Path, cluster: str, said: Said) -> LastRun | None:
    """The file's memory; None where there is no file, or where it is refused: then it is put aside, for somebody may want it.

    Raises click.FileError for what is no file, such as a device.
    """
    try:
        data = state.read_bytes()
        last = decoded(gzip.decompress(data) if state.suffix.lower() == ".gz" else data)
        if last.cluster == cluster or not (last.cluster and cluster):
            return last  # in a cluster its name may be missing once, when Karpenter's Deployment was not read
        why = f"it is of cluster {last.cluster}"
    except FileNotFoundError:
        return None
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or str(error)
    except NotUnderstood as error:
        why = str(error)
    if not state.is_file():
        raise click.FileError(str(state), why)
    aside = state.with_name(f"{state.name}.refused")
    try:
        state.replace(aside)
        then = f"; it is {aside} now"
    except OSError:
        then = ""
    said.warning(f"what {state} remembers is not used: {why}{then}")
    return None


def _pushed(gateway: Gateway, said: Said) -> Sequence[Family] | None:
    try:
        return gateway.read()
    except GatewayError as error:
        said.warning(f"what was pushed last cannot be read: {error}")
        return None
