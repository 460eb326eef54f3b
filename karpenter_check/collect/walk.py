"""From page to page of a list, by its continue tokens."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

import msgspec

from karpenter_check.collect.answer import Answer
from karpenter_check.collect.api import Api
from karpenter_check.collect.decode import ListMetadata
from karpenter_check.collect.refusal import CannotScan
from karpenter_check.collect.undecodable import UNDECODABLE

_MOST_EXPIRED = 5
"""How often a list may lose its token."""
_MOST_AGAIN = 2
"""How often a list is begun anew."""

# The token stands in front of the items of Kubernetes' own lists, and behind those of custom resources. A quotation mark inside a
# string is written \", so a key with its marks is found as a key alone.
_FRONT = re.compile(rb'\s*\{[^{}\[\]]*"metadata":\s*(\{[^{}]*\}),\s*"items"')
_BACK = re.compile(rb'\]\s*,[^{}\[\]]*"metadata":\s*(\{[^{}]*\})[^{}\[\]]*\}\s*$')
_REACH = 8192
"""Bytes at either end of a page in which its metadata stands."""


class _Tail(msgspec.Struct):
    metadata: ListMetadata = ListMetadata()


_METADATA = msgspec.json.Decoder(ListMetadata)
_TAIL = msgspec.json.Decoder(_Tail)


class Way(Enum):
    """How a list goes on after its token has expired."""

    LATER = auto()
    """From where it was, as of now: what came and went meanwhile may be in it or not."""
    AGAIN = auto()
    """From its start."""
    NOT = auto()


@dataclass(frozen=True)
class Page:
    """An answer to a page of a list, whatever its status, and what was asked."""

    answer: Answer
    query: Mapping[str, str]
    following: str
    """The token of the page after it."""


@dataclass(frozen=True)
class Expired:
    """The server did not know the token any more (410)."""

    way: Way
    answer: Answer


def walk(api: Api, path: str, query: Mapping[str, str], *, accept: str, token: str = "") -> Iterator[Page | Expired]:
    """Each page of a list, from its start or from a token on, until there is none or one is refused. Raises CannotScan."""
    expired = again = 0
    seen = {token}
    while True:
        asked = {**query, "continue": token} if token else dict(query)
        answer = api.get(path, asked, accept=accept)
        if token and answer.status == HTTPStatus.GONE:
            expired += 1
            token = next_token(answer.body)
            way = Way.LATER if token else Way.AGAIN
            again += not token
            seen = {token}
            if expired > _MOST_EXPIRED or again > _MOST_AGAIN:
                way = Way.NOT
            yield Expired(way, answer)
            if way is Way.NOT:
                return
            continue
        following = next_token(answer.body) if answer.status == HTTPStatus.OK else ""
        yield Page(answer, asked, following)
        if not following:
            return
        if following in seen:
            raise CannotScan(f"GET {path}: the list does not end: its continue tokens come again")
        seen.add(following)
        token = following


def next_token(body: bytes) -> str:
    """The token for the page after this one, without a look at the items where it can be; empty on the last page, and of what is no list."""
    found = _FRONT.match(body[:_REACH]) or _BACK.search(body[-_REACH:])
    try:
        metadata = _METADATA.decode(found[1]) if found else _TAIL.decode(body).metadata
    except UNDECODABLE:
        return ""
    return metadata.next or ""
