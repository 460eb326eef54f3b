"""A group of a Pushgateway: put, post, delete, and read back.

PUT replaces a group whole. POST replaces only the families it brings, and an empty family leaves the old one as it was
(https://github.com/prometheus/pushgateway, 1.11).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from prometheus_client import delete_from_gateway, push_to_gateway, pushadd_to_gateway

from karpenter_check.metrics.exposition import registry
from karpenter_check.metrics.gauges import LABELS, Gauge
from karpenter_check.metrics.transport import Credentials, GatewayError, Transport


class Gateway:
    """One group: its job, the cluster, and what the user adds."""

    def __init__(
        self,
        url: str,
        *,
        job: str,
        grouping: Mapping[str, str],
        credentials: Credentials,
        timeout: float = 10,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`url` may have a path; `timeout` is in seconds for each try. Raises GatewayError for files that cannot be used."""
        self._url = url.rstrip("/")
        self._job = job
        self._grouping = dict(grouping)
        self._timeout = timeout
        self._transport = Transport(self._url, credentials, timeout=timeout, pause=pause)

    @property
    def shown(self) -> str:
        """The address, without what may be secret in it."""
        return self._transport.shown

    @property
    def group(self) -> str:
        """The labels of the group, as Prometheus writes them."""
        return "{" + ", ".join(f'{name}="{value}"' for name, value in {"job": self._job, **self._grouping}.items()) + "}"

    def put(self, gauges: Sequence[Gauge]) -> None:
        """Replace the whole group. Raises GatewayError."""
        push_to_gateway(self._url, self._job, registry(gauges), self._grouping, self._timeout, self._handler)

    def post(self, gauges: Sequence[Gauge]) -> None:
        """Replace only these families of the group. Raises GatewayError."""
        pushadd_to_gateway(self._url, self._job, registry(gauges), self._grouping, self._timeout, self._handler)

    def delete(self) -> None:
        """Delete the group; it is no error if there is none. Raises GatewayError."""
        delete_from_gateway(self._url, self._job, self._grouping, self._timeout, self._handler)

    def read(self) -> tuple[Gauge, ...]:
        """Our gauges in the group as they were pushed last; none where there is no such group. Raises GatewayError."""
        body = self._transport.request("GET", f"{self._url}/api/v1/metrics")
        ours = {"job": self._job, **self._grouping}
        try:
            groups = msgspec.json.decode(body, type=_Groups).data
            found = next((group for group in groups if group.get("labels") == ours), {})
            return tuple(_gauge(name, msgspec.convert(found[name], _Family)) for name in LABELS if name in found)
        except (msgspec.MsgspecError, ValueError) as error:
            raise GatewayError(f"{self.shown} gives no list of groups at /api/v1/metrics: is it a Pushgateway?") from error

    def _handler(
        self,
        url: str,
        method: str,
        timeout: float | None,  # noqa: ARG002  prometheus_client's signature; the transport has its own
        headers: list[tuple[str, str]],
        data: bytes,
    ) -> Callable[[], None]:
        """A request as prometheus_client wants one made."""

        def handle() -> None:
            self._transport.request(method, url, data, dict(headers))

        return handle


class _Groups(msgspec.Struct):
    """`/api/v1/metrics`: each group's labels and families."""

    data: list[dict[str, Any]]


class _Sample(msgspec.Struct):
    value: str
    labels: dict[str, str] = {}


class _Family(msgspec.Struct):
    metrics: list[_Sample]
    help: str = ""


def _gauge(name: str, family: _Family) -> Gauge:
    """A family as it was pushed, without the labels of its group. Raises ValueError for a value that is no number."""
    samples = {tuple(sample.labels.get(label, "") for label in LABELS[name]): float(sample.value) for sample in family.metrics}
    return Gauge(name, family.help, LABELS[name], samples)
