"""Rules by their slugs."""

from collections.abc import Iterable
from difflib import get_close_matches

import click

from karpenter_check.rule import AnyRule
from karpenter_check.rules import every_rule


def find_rule(slug: str) -> AnyRule:
    """The rule of that slug. Raises click.UsageError that names what is probably meant."""
    by_slug = {rule.slug: rule for rule in every_rule()}
    if slug in by_slug:
        return by_slug[slug]
    close = get_close_matches(slug, by_slug, n=1)
    hint = f"did you mean {close[0]}?" if close else "karpenter-check rules list shows them all"
    raise click.UsageError(f"no rule {slug!r}: {hint}")


def listed(texts: Iterable[str]) -> list[str]:
    """The names in texts that may list several with commas."""
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


def choose_rules(select: Iterable[str], ignore: Iterable[str]) -> tuple[AnyRule, ...]:
    """The selected rules, or all, without the ignored ones; each text may list several slugs with commas.

    Raises click.UsageError for an unknown slug, and where no rule is left.
    """
    ignored = {find_rule(slug) for slug in listed(ignore)}
    selected = [find_rule(slug) for slug in listed(select)] or list(every_rule())
    rules = tuple(rule for rule in dict.fromkeys(selected) if rule not in ignored)
    if not rules:
        raise click.UsageError("--select and --ignore leave no rule")
    return rules
