"""`karpenter-check metrics`."""

from typing import Any

import click

from karpenter_check.cli.push_options import push_options


@click.group()
def command() -> None:
    """Look after what was pushed."""


@command.command()
@push_options
def delete(**options: Any) -> None:
    """Delete a cluster's group from the Pushgateway.

    It keeps a group for ever, even of a cluster that is gone. Give the address, the job, the cluster and the labels that it was pushed with.
    """
    from karpenter_check.cli.push import PushOptions  # noqa: PLC0415  --help must not wait for prometheus_client
    from karpenter_check.metrics.transport import GatewayError  # noqa: PLC0415  as above

    target = PushOptions.taken_from(options).target("")
    try:
        there = target.delete()
    except GatewayError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{'deleted' if there else 'there is no group'} {target.group} {'from' if there else 'at'} {target.shown}", err=True)
