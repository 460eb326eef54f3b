"""Bytes to typed objects. A page is decoded whole; where that fails, item by item, so that one bad object costs one object."""

import json
import re
from collections.abc import Iterator
from types import GenericAlias
from typing import Any, Generic, TypeVar

import msgspec

from karpenter_check.collect.resources import RESOURCES
from karpenter_check.collect.undecodable import UNDECODABLE
from karpenter_check.snapshot import Kind
from karpenter_check.snapshot.listed_pod import ListedPod

Items = TypeVar("Items")

_WHERE = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)


class Head(msgspec.Struct, rename="camel"):
    """What tells objects apart before they are decoded."""

    kind: str = ""
    api_version: str = ""
    metadata: "HeadMetadata | None" = None


class HeadMetadata(msgspec.Struct, rename="camel"):
    """Of `metadata`, the name."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""


class ListMetadata(msgspec.Struct, rename="camel", frozen=True):
    """`metadata` of a list, or of the Status that says that a token has expired."""

    next: str | None = msgspec.field(name="continue", default=None)
    """The token for the next page."""
    remaining_item_count: int | None = None
    resource_version: str = ""


class _Page(msgspec.Struct, Generic[Items], gc=False):
    """A page of a list. Both fields are required: an answer without them is no list, least of all an empty one."""

    items: Items
    metadata: ListMetadata


class _NamelessHead(msgspec.Struct, rename="camel"):
    """What even an object with broken metadata tells."""

    kind: str = ""
    api_version: str = ""


_HEAD = msgspec.json.Decoder(Head)
_NAMELESS_HEAD = msgspec.json.Decoder(_NamelessHead)
_RAW_PAGE = msgspec.json.Decoder(_Page[msgspec.Raw])
_LISTED_PODS = msgspec.json.Decoder(list[ListedPod])
_LISTED_PODS_PAGE = msgspec.json.Decoder(_Page[list[ListedPod]])
_RAW_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECTS: dict[Kind, msgspec.json.Decoder[Any]] = {}
_ITEMS: dict[Kind, msgspec.json.Decoder[Any]] = {}
_PAGES: dict[Kind, msgspec.json.Decoder[_Page[list[Any]]]] = {}
for _kind, _resource in RESOURCES.items():
    _OBJECTS[_kind] = msgspec.json.Decoder(_resource.type)
    _ITEMS[_kind] = msgspec.json.Decoder(GenericAlias(list, (_resource.type,)))
    _PAGES[_kind] = msgspec.json.Decoder(GenericAlias(_Page, (GenericAlias(list, (_resource.type,)),)))


_WORDS = {"object": "an object", "array": "a list", "str": "a string", "int": "a number", "float": "a number", "bool": "a boolean"}
_TYPE = re.compile(rf"\b(Expected|got) ({'|'.join(_WORDS)})\b")


def explain(error: Exception) -> str:
    """A decoder's complaint in the words of the API: the field first, then what is wrong with it."""
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8"
    form = _WHERE.fullmatch(str(error))
    what = (form["what"] if form else str(error)).replace("`", "")
    what = _TYPE.sub(lambda found: f"{found[1].lower()} {_WORDS[found[2]]}", what)
    return f"{form['path']}: {what}" if form and form["path"] else what


def head_of(raw: msgspec.Raw | bytes) -> Head:
    """Kind and name of an object; without the name where that is no text, and empty where the kind is none."""
    try:
        return _HEAD.decode(raw)
    except UNDECODABLE:
        try:
            said = _NAMELESS_HEAD.decode(raw)
        except UNDECODABLE:
            return Head()
        return Head(said.kind, said.api_version)


def items_of(raw: msgspec.Raw | bytes) -> list[msgspec.Raw]:
    """The items of a list; null is an empty one. Raises msgspec.ValidationError where it is none."""
    return [] if bytes(raw) == b"null" else _RAW_ITEMS.decode(raw)


def decode_items(kind: Kind, raw: msgspec.Raw | bytes) -> list[Any] | None:
    """All objects of a list's items, or None if one of them does not decode."""
    try:
        decoded: list[Any] = _ITEMS[kind].decode(raw)
    except UNDECODABLE:
        return None
    return decoded


def decode_page(kind: Kind, body: bytes) -> tuple[list[Any] | msgspec.Raw, ListMetadata]:
    """A page of a list as the API serves it, in one go: its objects, or its items as they came where one of them does not decode.

    Raises msgspec.MsgspecError, RecursionError or UnicodeDecodeError where it is no list.
    """
    try:
        page = _PAGES[kind].decode(body)
    except UNDECODABLE:
        raw = _RAW_PAGE.decode(body)
        return raw.items, raw.metadata
    return page.items, page.metadata


def decode_listed_pods(items: msgspec.Raw | bytes) -> list[ListedPod]:
    """The items of a list of pods, their repeating parts still JSON. Raises as `decode_page` does."""
    return _LISTED_PODS.decode(items)


def decode_pods_page(body: bytes) -> tuple[list[ListedPod], ListMetadata]:
    """A page of pods, their repeating parts still JSON. Raises as `decode_page` does."""
    page = _LISTED_PODS_PAGE.decode(body)
    return page.items, page.metadata


def decode_object(kind: Kind, raw: msgspec.Raw | bytes) -> Any:
    """One object; where it does not decode as it is, without its nulls, which mean absent everywhere in the API.

    Raises msgspec.ValidationError, RecursionError or UnicodeDecodeError.
    """
    try:
        return _OBJECTS[kind].decode(raw)
    except msgspec.ValidationError:
        return _OBJECTS[kind].decode(msgspec.json.encode(_without_nulls(json.loads(bytes(raw)))))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_nulls(part) for part in value if part is not None]
    return value


def documents(text: bytes) -> Iterator[tuple[int, bytes]]:
    """The JSON values that stand one after another in a text, and the line each begins in. Raises json.JSONDecodeError for a malformed one."""
    decoder, position, line = json.JSONDecoder(), 0, 1
    string = text.decode()
    rest = len(string) - len(string.lstrip())
    while rest < len(string):
        line += string.count("\n", position, rest)
        _, end = decoder.raw_decode(string, rest)
        yield line, string[rest:end].encode()
        position, rest = rest, end + len(string[end:]) - len(string[end:].lstrip())
