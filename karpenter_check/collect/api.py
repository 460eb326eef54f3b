"""The API server, read with GET and with nothing else."""

from collections.abc import Mapping
from http import HTTPStatus
from threading import Lock
from time import sleep
from urllib.parse import urlencode

from karpenter_check import __version__
from karpenter_check.collect.answer import Answer
from karpenter_check.collect.credentials import Credential, Credentials
from karpenter_check.collect.deadline import Deadline
from karpenter_check.collect.impersonation import Impersonation
from karpenter_check.collect.refusal import CannotScan, often
from karpenter_check.collect.retry import ASKED_AGAIN, MOST_SILENCES, MOST_TRIES, pause_after, retry_after
from karpenter_check.collect.transport import Transport
from karpenter_check.collect.wire import Cause, Unanswered, ask

JSON = "application/json"
_SLOW_LINE = 10_000_000
"""Bytes a second. An API server makes 45 to 70 MB/s of JSON on two cores: what is slower than this is the line."""
_TELLING = 1_000_000
"""Bytes; of a smaller answer the time says nothing of the line."""


class Api:
    """One cluster's API server."""

    def __init__(
        self,
        transport: Transport,
        credentials: Credentials,
        impersonation: Impersonation,
        *,
        cluster: str = "",
        request_timeout: float = 30,
        timeout: float = 300,
    ) -> None:
        """`request_timeout` is for each request as a whole, `timeout` for all of them together, from now on; both in seconds."""
        self._transport = transport
        self._credentials = credentials
        self._impersonation = impersonation
        self._request_timeout = request_timeout
        self._has_answered = False
        self._one_at_a_time = Lock()
        self._packed = not transport.is_local
        self.asked_again = 0
        """How often something had to be asked for once more."""
        self.deadline = Deadline(timeout)
        """When all has to be read."""
        self.cluster = cluster
        """The name that the kubeconfig's context gives the cluster; empty in a pod."""
        self.host = transport.server
        """Scheme, host and port, and a path where the server stands behind one."""

    @property
    def advice(self) -> str:
        """What to check when the server does not know who asks."""
        return self._credentials.advice

    def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON) -> Answer:
        """The answer to one GET; redirects are not followed.

        It is asked again, a few times and with pauses, where the server has a bad moment or the connection breaks, and once more where
        the credentials had expired and there are others. A server that has never answered is not waited for.
        Raises CannotScan where there is no whole answer: no credentials, no connection, no trust, a timeout, a body cut short.
        """
        url = f"{self.host}{path}?{urlencode(query)}" if query else f"{self.host}{path}"
        tries = 0
        while True:
            tries += 1
            answer, unanswered, most = None, None, MOST_TRIES
            try:
                answer = self._authorized(url, accept)
            except Unanswered as error:
                if error.cause is Cause.UNREACHED and not self._has_answered:
                    raise
                unanswered, most = error, MOST_SILENCES if error.cause is Cause.SILENT else MOST_TRIES
            else:
                self._has_answered = True
                if answer.status not in ASKED_AGAIN:
                    return answer
            if tries < most and self.pause(tries, answer):
                continue
            if answer:
                wanted = retry_after(answer) if tries < most else None
                return answer._replace(tries=tries, asked_to_wait=wanted)
            raise CannotScan(f"{unanswered}{often(tries)}") from unanswered

    def pause(self, tries: int, answer: Answer | None = None) -> bool:
        """Wait before the next try, as long as the answer asks for, if it asks; at once False where that is longer than is left."""
        seconds = pause_after(tries, answer)
        if seconds >= self.deadline.left:
            return False
        self.asked_again += 1
        sleep(seconds)
        return True

    def _authorized(self, url: str, accept: str) -> Answer:
        credential = self._credential()
        answer = self._ask(url, accept, credential)
        if answer.status == HTTPStatus.UNAUTHORIZED and (renewed := self._credential(instead_of=credential)) != credential:
            answer = self._ask(url, accept, renewed)
        return answer

    def _credential(self, *, instead_of: Credential | None = None) -> Credential:
        """What to send; in the place of one that was refused, another one if there is any. One thread at a time: a plugin may ask a person."""
        with self._one_at_a_time:
            current = self._credentials.current()
            if current == instead_of and self._credentials.renew():
                return self._credentials.current()
            return current

    def _ask(self, url: str, accept: str, credential: Credential) -> Answer:
        from urllib3 import HTTPHeaderDict  # noqa: PLC0415  `karpenter-check --help` must not wait for it

        left = self.deadline.left
        if not left:
            raise CannotScan(f"{self.deadline} is over")
        headers = HTTPHeaderDict(
            {
                "accept": accept,
                "accept-encoding": "gzip" if self._packed else "identity",
                "user-agent": f"karpenter-check/{__version__}",
            }
        )
        if credential.authorization:
            headers["authorization"] = credential.authorization
        for name, value in self._impersonation.headers():
            headers.add(name, value)
        pool = self._transport.pool(credential.certificate)
        try:
            answer = ask(pool, self.host, url, headers, min(self._request_timeout, left))
        except Unanswered as error:
            if self.deadline.passed:
                raise CannotScan(f"{self.host} does not answer: {self.deadline} is over") from error
            raise
        # a tunnel has a loopback address, too: what is slow gains by gzip, though it costs the server a little
        self._packed = self._packed or (len(answer.body) > _TELLING and len(answer.body) < _SLOW_LINE * answer.took)
        return answer
