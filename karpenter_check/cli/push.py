"""Pushing what a scan found."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from karpenter_check import __version__
from karpenter_check.cli.memory import Memory
from karpenter_check.cli.said import Said
from karpenter_check.metrics.catalogue import METRICS, REMEMBERED
from karpenter_check.metrics.family import NAMESPACE, Family
from karpenter_check.metrics.gateway import Gateway
from karpenter_check.metrics.run_families import status_families
from karpenter_check.metrics.transport import Credentials, GatewayError
from karpenter_check.scan import Report

_LABEL = re.compile(r"(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)=(?P<value>.*)", re.DOTALL)
_RESERVED = {"job", "cluster", "instance", "le"} | {label for metric in METRICS for label in metric.labels}


@dataclass(frozen=True, kw_only=True)
class PushOptions:
    """Where metrics go, as the command line and the environment say it."""

    push_gateway_url: str | None
    push_job: str
    cluster_name: str | None
    push_labels: tuple[str, ...]
    push_timeout: float
    push_username: str | None
    push_password_file: Path | None
    push_bearer_token_file: Path | None
    push_ca_file: Path | None
    push_client_certificate_file: Path | None
    push_client_key_file: Path | None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> "PushOptions":
        """These options, taken out of all that a command was called with."""
        return cls(**{name: options.pop(name) for name in cls.__annotations__ if name in options})

    def target(self, cluster: str, namespace: str = NAMESPACE) -> Gateway:
        """The group of that cluster, unless `--cluster-name` names another. Raises click.UsageError for what does not make a group."""
        url = self.push_gateway_url or ""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise click.UsageError("--push-gateway-url: give an address with http:// or https://")
        if parts.username or parts.password:
            raise click.UsageError(
                "--push-gateway-url: no user or password in an address; use --push-username and --push-password-file"
            )
        cluster = self.cluster_name or cluster
        if not self.push_job:
            raise click.UsageError("--push-job: it is empty, and a group has a job")
        if not cluster:
            raise click.UsageError("pushing needs a name for the cluster: give --cluster-name")
        try:
            return Gateway(
                url,
                job=self.push_job,
                grouping={"cluster": cluster, **self._labels()},
                credentials=self._credentials(),
                namespace=namespace,
                timeout=self.push_timeout,
            )
        except GatewayError as error:
            raise click.UsageError(str(error)) from error

    def _labels(self) -> dict[str, str]:
        labels = {}
        for text in self.push_labels:
            form = _LABEL.fullmatch(text)
            if form is None:
                raise click.UsageError(f"--push-label: {text!r} is not NAME=VALUE")
            if form["name"] in _RESERVED:
                raise click.UsageError(f"--push-label: {form['name']} is taken; the group has it, or its metrics do")
            labels[form["name"]] = form["value"]
        return labels

    def _credentials(self) -> Credentials:
        password = self._secret(self.push_password_file, "KARPENTER_CHECK_PUSH_PASSWORD")
        token = self._secret(self.push_bearer_token_file, "KARPENTER_CHECK_PUSH_BEARER_TOKEN")
        if password and not self.push_username:
            raise click.UsageError("a push password needs --push-username")
        if token and self.push_username:
            raise click.UsageError("--push-username and a bearer token exclude each other")
        return Credentials(
            self.push_username or "", password, token, self.push_ca_file, self.push_client_certificate_file, self.push_client_key_file
        )  # fmt: skip

    def _secret(self, file: Path | None, variable: str) -> str:
        """A secret from its file, else from the environment; a file's last newline is no part of it."""
        if file is None:
            return self.environment.get(variable, "")
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from error


def push_report(
    gateway: Gateway, report: Report, families: Sequence[Family], said: Said, memory: Memory
) -> tuple[Sequence[Family], bool]:
    """Push what a scan found; return what was pushed, or would have been, and whether the gateway took it.

    It replaces the group. Of an incomplete scan the families have what only the push before knows; where that could not be read back,
    only the run's status is pushed. Where it could not be read and nothing else remembers, counters stay in the gateway as they are.
    """
    try:
        if memory.pushed is None and report.lacks_input:
            said.warning("the scan was incomplete, so only the run's status is pushed")
            families = status_families(report.snapshot, version=__version__, at=report.snapshot.taken_at)
            gateway.post(families)
        elif memory.pushed is None and memory.last is None:
            said.warning("so counters stay in the Pushgateway as they are, and the next run goes on from them")
            families = tuple(family for family in families if family.metric not in REMEMBERED)
            gateway.post(families)
        else:
            gateway.put(families)
            if report.lacks_input:
                said.note("the scan was incomplete: findings of rules that were not evaluated stay in the Pushgateway as they were")
    except GatewayError as error:
        said.warning(f"metrics were not pushed: {error}")
        return families, False
    return families, True


def push_failure(gateway: Gateway, at: datetime, said: Said) -> None:
    """Push that a scan failed, and leave what the last one found."""
    try:
        gateway.post(status_families(None, version=__version__, at=at))
    except GatewayError as error:
        said.warning(f"metrics were not pushed: {error}")
