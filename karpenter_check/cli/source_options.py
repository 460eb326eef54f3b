"""Where the snapshot comes from: options that every command has which looks at one."""

from pathlib import Path

import click

from karpenter_check.cli.option import option, options
from karpenter_check.cli.scan_types import DURATION, TIME, VERSION, InputPath

source_options = options(
    option(
        "-f",
        "--filename",
        "filenames",
        multiple=True,
        type=InputPath(),
        metavar="FILE|DIR|-",
        help="Look at what kubectl printed, manifests or a snapshot, instead of a cluster. Repeatable.",
    ),
    option("-R", "--recursive", is_flag=True, help="With -f DIR: go into the folders in it, too."),
    option("--complete", is_flag=True, help="With -f: every kind was asked for, so kinds that do not appear are empty."),
    option("--at", type=TIME, metavar="TIME", help="With -f: when the input was taken (RFC 3339). Default: the newest time in it."),
    option("--demo", is_flag=True, help="Look at a snapshot that comes with karpenter-check."),
    option(
        "--kubeconfig",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The kubeconfig to use. Default: KUBECONFIG, else ~/.kube/config, else the pod's own account.",
    ),
    option("--context", metavar="NAME", help="The kubeconfig's context to use."),
    option("--as", "as_user", metavar="USER", help="Ask the cluster as this user, if it lets you."),
    option("--as-group", "as_groups", multiple=True, metavar="GROUP", help="With --as: and as a member of this group. Repeatable."),
    option(
        "--request-timeout",
        type=DURATION,
        default="30s",
        show_default=True,
        metavar="DURATION",
        help="How long one request may take.",
    ),
    option(
        "--timeout",
        type=DURATION,
        default="5m",
        show_default=True,
        metavar="DURATION",
        help="How long reading the cluster may take; what was not read by then is reported as missing.",
    ),
    option("--no-events", is_flag=True, help="Do not read events; rules that know by them alone are skipped."),
    option("--karpenter-version", type=VERSION, metavar="X.Y.Z", help="Karpenter's version, where no Deployment tells it."),
)
"""Gives a command the options that say where its snapshot comes from."""
