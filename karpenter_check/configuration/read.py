"""A configuration from what YAML or JSON holds. Nothing that is not known is passed over."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec

from karpenter_check.configuration.configuration import Configuration, ConfigurationError
from karpenter_check.configuration.setting import setting_of, types_of
from karpenter_check.finding import Severity
from karpenter_check.rule import AnyRule
from karpenter_check.snapshot.selector import parse_selector
from karpenter_check.suppression.glob import fits
from karpenter_check.suppression.ignore import Ignore
from karpenter_check.suppression.until import parse_until

Entry = TypeVar("Entry", bound=msgspec.Struct)

_NARROWING = {"until", "kind", "namespace", "name", "nodePool", "labels"}
"""What an ignore can say beside its rule and reason."""
_GLOBS = {"rule", "namespace", "name", "nodePool"}
_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "str": "a text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
}
"""What msgspec calls things, in the words of YAML."""


class RuleEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of a rule."""

    severity: Severity | None = None
    settings: dict[str, Any] | None = None


class IgnoreEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Findings to leave be."""

    rule: str
    reason: str
    until: str | None = None
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None
    node_pool: str | None = None
    labels: str | None = None


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A configuration file."""

    rules: dict[str, Any] | None = None
    ignore: tuple[Any, ...] | None = None


def configuration_of(written: Any, rules: Iterable[AnyRule], source: str) -> Configuration:
    """The configuration that a document holds. `source` names it in ignores. Raises ConfigurationError with the place and what is wrong."""
    by_slug = {rule.slug: rule for rule in rules}
    document = _converted(written if written is not None else {}, Document, "")
    settings, severities = {}, {}
    for slug, said in (document.rules or {}).items():
        if slug not in by_slug:
            raise ConfigurationError(f"rules: there is no rule {slug!r}{_perhaps(slug, by_slug)}")
        entry = _converted(said if said is not None else {}, RuleEntry, f"rules.{slug}")
        if given := _settings(by_slug[slug], entry.settings or {}):
            settings[slug] = given
        if entry.severity:
            severities[slug] = entry.severity
    ignores = tuple(_ignore(said, f"ignore[{place}]", by_slug, source) for place, said in enumerate(document.ignore or ()))
    return Configuration(settings, severities, ignores)


def _converted(written: Any, into: type[Entry], where: str) -> Entry:
    """A part of a document. Raises ConfigurationError."""
    try:
        return msgspec.convert(written, into)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `")
        place = f"{where}{path.rstrip('`').removeprefix('$')}".removeprefix(".")
        raise ConfigurationError(f"{place}{': ' if place else ''}{_in_words(said, into)}") from error


def _in_words(said: str, into: type[msgspec.Struct]) -> str:
    """What msgspec said is wrong, as somebody says it who never heard of msgspec."""
    if said.startswith("Invalid enum value "):
        value = said.removeprefix("Invalid enum value ").strip("'")
        return f"{value!r} is none of {', '.join(Severity)}{_perhaps(value.lower(), list(Severity))}"
    if said.startswith("Object contains unknown field `"):
        unknown = said.partition("`")[2].rstrip("`")
        return f"there is no key {unknown!r} here{_perhaps(unknown, into.__struct_encode_fields__)}"
    if said.startswith("Object missing required field `"):
        return f"the key {said.partition('`')[2].rstrip('`')!r} is missing"
    if expected := re.fullmatch(r"Expected `([a-z]+)(?: \| null)?`, got `([a-z]+)`", said):
        wanted, found = (_WORDS.get(word, "nothing") for word in expected.groups())
        quotes = "; put it between quotes" if wanted == "a text" and found not in {"nothing", "a list", "a mapping"} else ""
        return f"expected {wanted}, got {found}{quotes}"
    return f"{said[:1].lower()}{said[1:]}"


def _perhaps(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _settings(rule: AnyRule, written: Mapping[str, Any]) -> dict[str, Any]:
    known, where = types_of(rule), f"rules.{rule.slug}.settings"
    for name in written:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise ConfigurationError(f"{where}: {rule.slug} has no setting {name!r}; {has}")
    return {name: setting_of(known[name], value, f"{where}.{name}") for name, value in written.items()}


def _ignore(said: Any, where: str, slugs: Mapping[str, AnyRule], source: str) -> Ignore:
    entry = _converted(said, IgnoreEntry, where)
    for key in _NARROWING & set(said):
        if not str(said[key] or "").strip():  # taken as not said, as an unset variable of a template, it would leave everything be
            raise ConfigurationError(f"{where}.{key}: is empty; leave the key out if it is not to matter")
    for key in _GLOBS & set(said):
        if "[" in said[key]:
            raise ConfigurationError(f"{where}.{key}: {said[key]!r} can match nothing: a glob knows * and ? alone")
    if not any(fits(slug, entry.rule) for slug in slugs):
        raise ConfigurationError(f"{where}.rule: there is no rule {entry.rule!r}{_perhaps(entry.rule, slugs)}")
    if not entry.reason.strip():
        raise ConfigurationError(f"{where}.reason: say why")
    try:
        until = parse_until(entry.until) if entry.until else None
    except ValueError as error:
        raise ConfigurationError(f"{where}.until: {error}") from error
    try:
        labels = parse_selector(entry.labels) if entry.labels else None
    except ValueError as error:
        raise ConfigurationError(f"{where}.labels: {error}") from error
    return Ignore(
        entry.rule, entry.reason.strip(), until, entry.kind or "", entry.namespace or "", entry.name or "", entry.node_pool or "",
        labels, f"{source}, {where}",
    )  # fmt: skip
