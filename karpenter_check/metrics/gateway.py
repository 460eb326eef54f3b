"""A group of a Pushgateway: put, post, delete, and read back.

PUT replaces a group whole. POST replaces only the families it brings, and an empty family leaves the old one as it was
(https://github.com/prometheus/pushgateway, 1.11).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ijson
import msgspec
from prometheus_client import delete_from_gateway, push_to_gateway, pushadd_to_gateway

from karpenter_check.metrics.exposition import registry
from karpenter_check.metrics.family import NAMESPACE, Family
from karpenter_check.metrics.group import families_of_group
from karpenter_check.metrics.transport import MOST_BYTES, Credentials, GatewayError, TooLong, Transport

_NO_LIST = "no list of groups at /api/v1/metrics: is it a Pushgateway?"


class Gateway:
    """One group: its job, the cluster, and what the user adds."""

    def __init__(
        self,
        url: str,
        *,
        job: str,
        grouping: Mapping[str, str],
        credentials: Credentials,
        namespace: str = NAMESPACE,
        timeout: float = 10,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`url` may have a path; `timeout` is in seconds for each try. Raises GatewayError for files that cannot be used."""
        self._url = url.rstrip("/")
        self._job = job
        self._grouping = dict(grouping)
        self._namespace = namespace
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

    def put(self, families: Sequence[Family]) -> None:
        """Replace the whole group. Raises GatewayError."""
        push_to_gateway(self._url, self._job, registry(families, self._namespace), self._grouping, self._timeout, self._handler)

    def post(self, families: Sequence[Family]) -> None:
        """Replace only these families of the group. Raises GatewayError."""
        pushadd_to_gateway(self._url, self._job, registry(families, self._namespace), self._grouping, self._timeout, self._handler)

    def delete(self) -> bool:
        """Delete the group, and return whether there was one, or may have been where the gateway does not tell. Raises GatewayError."""
        try:
            there = self._group() is not None
        except GatewayError:
            there = True
        delete_from_gateway(self._url, self._job, self._grouping, self._timeout, self._handler)
        return there

    def read(self) -> tuple[Family, ...]:
        """Our families in the group as they were pushed last; none where there is no such group. Raises GatewayError."""
        try:
            return tuple(families_of_group(self._group() or {}, self._namespace))
        except (msgspec.MsgspecError, ValueError) as error:
            raise GatewayError(f"{self.shown} gives {_NO_LIST}") from error

    def _group(self) -> Mapping[str, Any] | None:
        """The group, with what the gateway tells of each family; None where there is none. Raises GatewayError."""
        ours = {"job": self._job, **self._grouping}
        with self._transport.stream(f"{self._url}/api/v1/metrics") as answer:
            try:
                for group in ijson.items(answer, "data.item"):
                    if group.get("labels") == ours:
                        found: Mapping[str, Any] = group
                        return found
            except TooLong as error:
                raise GatewayError(f"{self.shown} lists more than {MOST_BYTES >> 20} MiB of metrics at /api/v1/metrics") from error
            except (ijson.JSONError, ValueError, AttributeError) as error:
                raise GatewayError(f"{self.shown} gives {_NO_LIST}") from error
            if b'"data"' not in answer.start:
                raise GatewayError(f"{self.shown} gives {_NO_LIST}")
        return None

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
