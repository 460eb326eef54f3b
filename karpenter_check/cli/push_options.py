"""Options that say where metrics go. Secrets come from files and the environment: an argument list can be read by everyone."""

from pathlib import Path

import click

from karpenter_check.cli.option import option, options
from karpenter_check.cli.scan_types import DURATION

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

push_options = options(
    option("--push-gateway-url", metavar="URL", help="The Pushgateway to push metrics to; http or https, a path is kept."),
    option("--push-job", default="karpenter-check", show_default=True, metavar="NAME", help="The group's job."),
    option("--cluster-name", metavar="NAME", help="The group's cluster. What a scan finds is pushed under the kubeconfig context's cluster, else Karpenter's CLUSTER_NAME."),
    option("--push-label", "push_labels", multiple=True, metavar="NAME=VALUE", help="A further label of the group. Repeatable."),
    option("--push-timeout", type=DURATION, default="10s", show_default=True, metavar="DURATION", help="How long one try may take; there are three."),
    option("--push-username", metavar="NAME", help="User for basic authentication."),
    option("--push-password-file", type=_FILE, metavar="FILE", help="File with its password; or set KARPENTER_CHECK_PUSH_PASSWORD."),
    option("--push-bearer-token-file", type=_FILE, metavar="FILE", help="File with a bearer token; or set KARPENTER_CHECK_PUSH_BEARER_TOKEN."),
    option("--push-ca-file", type=_FILE, metavar="FILE", help="CA that signed the gateway's certificate. Default: the system's."),
    option("--push-client-certificate-file", type=_FILE, metavar="FILE", help="Our certificate, for a gateway that asks for one."),
    option("--push-client-key-file", type=_FILE, metavar="FILE", help="Its key, if it is in a file of its own."),
)  # fmt: skip
"""Gives a command the options that say where a group of metrics is."""
