"""A configuration from what YAML or JSON holds. Nothing that is not known is passed over."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import msgspec

from karpenter_check.configuration.configuration import Configuration, ConfigurationError
from karpenter_check.configuration.setting import setting_of, types_of
from karpenter_check.finding import Severity
from karpenter_check.rule import AnyRule
from karpenter_check.snapshot.selector import parse_selector
from karpenter_check.suppression.ignore import Ignore
from karpenter_check.suppression.until import parse_until

Entry = TypeVar("Entry", bound=msgspec.Struct)


class RuleEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of a rule."""

    severity: Severity | None = None
    settings: dict[str, Any] = {}


class IgnoreEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Findings to leave be."""

    rule: str
    reason: str
    until: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    node_pool: str = ""
    labels: str = ""


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A configuration file."""

    rules: dict[str, Any] = {}
    ignore: tuple[Any, ...] = ()


def configuration_of(written: Any, rules: Iterable[AnyRule], source: str) -> Configuration:
    """The configuration that a document holds. `source` names it in ignores. Raises ConfigurationError with the place and what is wrong."""
    by_slug = {rule.slug: rule for rule in rules}
    document = _converted(written if written is not None else {}, Document, "")
    settings, severities = {}, {}
    for slug, said in document.rules.items():
        if slug not in by_slug:
            raise ConfigurationError(f"rules: there is no rule {slug!r}{_perhaps(slug, by_slug)}")
        entry = _converted(said if said is not None else {}, RuleEntry, f"rules.{slug}")
        if given := _settings(by_slug[slug], entry.settings):
            settings[slug] = given
        if entry.severity:
            severities[slug] = entry.severity
    ignores = tuple(_ignore(said, f"ignore[{place}]", by_slug, source) for place, said in enumerate(document.ignore))
    return Configuration(settings, severities, ignores)


def _converted(written: Any, into: type[Entry], where: str) -> Entry:
    """A part of a document. Raises ConfigurationError."""
    try:
        return msgspec.convert(written, into)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `")
        place = f"{where}{path.rstrip('`').removeprefix('$')}".removeprefix(".")
        unknown = said.partition("unknown field `")[2].rstrip("`")
        hint = _perhaps(unknown, into.__struct_encode_fields__) if unknown else ""
        raise ConfigurationError(f"{place}{': ' if place else ''}{said[:1].lower()}{said[1:]}{hint}") from error


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
    if not any(fnmatchcase(slug, entry.rule) for slug in slugs):
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
        entry.rule, entry.reason.strip(), until, entry.kind, entry.namespace, entry.name, entry.node_pool, labels, f"{source}, {where}",
    )  # fmt: skip
