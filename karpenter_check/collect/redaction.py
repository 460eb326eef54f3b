"""A snapshot's objects without the names in them, so that it can be shown to strangers (docs/decisions/0006-redaction.md)."""

import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec.structs import fields, replace

from karpenter_check.collect.free_text import FreeText, provider_id
from karpenter_check.collect.pseudonyms import Pseudonyms
from karpenter_check.collect.redacted_fields import DECISIONS
from karpenter_check.collect.redacted_values import Decision, Names
from karpenter_check.snapshot import CollectionError, Kind, NodePool

_INTEGER = re.compile(r"[+-]?[0-9]+")
_LATEST = datetime.max.replace(tzinfo=UTC)
AnyStruct = TypeVar("AnyStruct", bound=msgspec.Struct)


def redaction_key(nodepools: Iterable[NodePool]) -> bytes:
    """The key of a cluster's pseudonyms, the same as long as its oldest NodePool lives; a new one each time where it has none.

    It comes from that NodePool's UID, which a redacted snapshot does not show: who knows the UID can prove guessed names.
    """
    known = [nodepool.metadata for nodepool in nodepools if nodepool.metadata.uid]
    if not known:
        return secrets.token_bytes(32)
    oldest = min(known, key=lambda entry: (entry.creation_timestamp or _LATEST, entry.name))
    return hashlib.sha256(f"karpenter-check/redaction/v1\0{oldest.uid}".encode()).digest()


class _Noting:
    """Notes the names that it meets."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms

    def name(self, text: str, word: str) -> str:
        if text:
            self._pseudonyms.note(text, word)
        return text

    def key(self, key: str) -> str:
        self._pseudonyms.note_key(key)
        return key

    def value(self, text: str, word: str) -> str:
        self._pseudonyms.note_value(text, word)
        return text

    def kind(self, kind: str) -> str:
        self._pseudonyms.note_kind(kind)
        return kind

    def compare(self, key: str) -> None:
        self._pseudonyms.compared.add(key)

    def number(self, key: str, text: str) -> str:  # noqa: ARG002  whether the key is compared is known when all is learnt
        return text

    def template(self, replicaset: str, template_hash: str) -> None:
        self._pseudonyms.note_template(replicaset, template_hash)

    def open(self, text: str) -> str:
        self._pseudonyms.open.add(text)
        return text

    def template_hash(self, text: str) -> str:
        return text

    uid = provider_id = address = text = template_hash


class _Replacing:
    """Puts the pseudonyms in the names' place."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self.name = pseudonyms.name
        self.key = pseudonyms.key
        self.kind = pseudonyms.kind
        self.value = pseudonyms.value
        self.template_hash = pseudonyms.template_hash
        self.uid = pseudonyms.uid
        self.address = pseudonyms.address
        self.text = FreeText(pseudonyms).redacted
        self._pseudonyms = pseudonyms

    def template(self, replicaset: str, template_hash: str) -> None:
        """Known already."""

    def compare(self, key: str) -> None:
        """Known already."""

    def number(self, key: str, text: str) -> str:
        return text if key in self._pseudonyms.compared and _INTEGER.fullmatch(text) else self.value(text, "value")

    def open(self, text: str) -> str:
        return text

    def provider_id(self, text: str) -> str:
        return provider_id(self._pseudonyms, text)


class Redaction:
    """The redaction of one snapshot: first everything is learnt, then everything is redacted."""

    def __init__(self, key: bytes) -> None:
        self._pseudonyms = Pseudonyms(key)
        self._noting = _Noting(self._pseudonyms)
        self._replacing = _Replacing(self._pseudonyms)

    @property
    def names(self) -> frozenset[str]:
        """The names learnt so far, well-known ones among them."""
        return frozenset(self._pseudonyms)

    def learn(self, kind: Kind, object: Any) -> None:  # noqa: A002  objects are what the API calls them
        """Note the names in an object of the snapshot, so that they are known in every text."""
        _walked(self._noting, object, str(kind))

    def redacted(self, kind: Kind, object: Any) -> Any:  # noqa: A002  as above
        """The object with pseudonyms in place of names."""
        return _walked(self._replacing, object, str(kind))

    def name(self, name: str) -> str:
        """The pseudonym of a name."""
        return self._pseudonyms.name(name)

    def cluster(self, name: str) -> str:
        """The pseudonym of the cluster's name, which is then known in every text."""
        self._noting.name(name, "cluster")
        return self._pseudonyms.name(name, "cluster")

    def text(self, text: str) -> str:
        """Text for people with pseudonyms in place of names. A name that was not learnt stays where it is a word of the vocabulary."""
        return self._replacing.text(text)

    def error(self, error: CollectionError) -> CollectionError:
        """A collection error with pseudonyms in place of names."""
        namespace, slash, name = error.name.rpartition("/")
        shown = f"{self._pseudonyms.name(namespace, 'ns')}{slash}{self._pseudonyms.name(name)}"
        source = (
            self.text(error.source) if error.source.startswith(("/api/", "/apis/")) else self._pseudonyms.name(error.source, "file")
        )
        return replace(error, source=source, message=self.text(error.message), name=shown)


def _walked(names: Names, struct: AnyStruct, kind: str) -> AnyStruct:
    """A copy of a Struct with every text in it decided on."""
    changed = {}
    for field, decide in _plan(type(struct)):
        value = getattr(struct, field)
        made = decide(names, struct, value, kind)
        if made is not value:
            changed[field] = made
    return replace(struct, **changed) if changed else struct


@cache
def _plan(of: type[msgspec.Struct]) -> tuple[tuple[str, Decision], ...]:
    """The fields of a Struct in which there can be text, and what becomes of each. Raises LookupError where that is not decided."""
    decided = DECISIONS.get(of, {})
    found = []
    for field in fields(of):
        if decision := decided.get(field.name) or _inner(field.type):
            found.append((field.name, decision))
        elif holds_text(field.type):
            raise LookupError(f"{of.__name__}.{field.name}: redaction does not know what it is")
    return tuple(found)


def _inner(field_type: Any) -> Decision | None:
    """What becomes of a field that holds Structs."""
    if isinstance(field_type, type) and issubclass(field_type, msgspec.Struct):
        return lambda names, _owner, value, kind: _walked(names, value, kind)
    arguments = get_args(field_type)
    if get_origin(field_type) in {Union, UnionType} and any(_inner(entry) for entry in arguments):
        return lambda names, _owner, value, kind: value if value is None else _walked(names, value, kind)
    if get_origin(field_type) is tuple and _inner(arguments[0]):
        return lambda names, _owner, value, kind: tuple(_walked(names, entry, kind) for entry in value)
    return None


def holds_text(field_type: Any) -> bool:
    """Whether a value of that type can hold text itself, or anything."""
    return field_type in {str, Any} or any(holds_text(entry) for entry in get_args(field_type))
