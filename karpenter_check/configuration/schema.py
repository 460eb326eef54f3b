"""The JSON Schema of a configuration file, for editors."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from karpenter_check.configuration.setting import DURATION, types_of
from karpenter_check.finding import Severity
from karpenter_check.rule import AnyRule
from karpenter_check.snapshot.duration import spoken

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_GLOB = "A glob: * stands for anything, ? for one character."


def schema(rules: Iterable[AnyRule]) -> dict[str, Any]:
    """The schema (draft 2020-12), with every rule and its settings."""
    entries = sorted(rules, key=lambda rule: rule.slug)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "karpenter-check configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "rules": {
                "description": "What holds for single rules.",
                "type": ["object", "null"],
                "additionalProperties": False,
                "properties": {rule.slug: _rule(rule) for rule in entries},
            },
            "ignore": {"description": "Findings to leave be.", "type": ["array", "null"], "items": _ignore()},
        },
    }


def _rule(rule: AnyRule) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "severity": {"description": f"What its findings have, whatever it says itself; by default {rule.severity} or as its page says.", "enum": [str(entry) for entry in Severity]},
    }  # fmt: skip
    if types := types_of(rule):
        settings = {name: _setting(of_type, rule.settings[name]) for name, of_type in types.items()}
        properties["settings"] = {"type": ["object", "null"], "additionalProperties": False, "properties": settings}
    return {"description": rule.summary, "type": ["object", "null"], "additionalProperties": False, "properties": properties}


def _setting(of_type: type, default: Any) -> dict[str, Any]:
    if of_type is timedelta:
        return {"description": f"{DURATION[0].upper()}{DURATION[1:]}.", "type": "string", "default": spoken(default)}
    bound = {"minimum": 0} if of_type in {int, float} else {}
    return {"type": _TYPES[of_type], "default": default, **bound}


def _ignore() -> dict[str, Any]:
    text = {"type": "string", "pattern": r"\S"}
    glob = {"type": "string", "pattern": r"^[^\[]*[^\s\[][^\[]*$"}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["rule", "reason"],
        "properties": {
            "rule": {**glob, "description": f"The rule. {_GLOB}"},
            "reason": {**text, "description": "Why these findings are left be."},
            "until": {**text, "description": "A date, whose day (UTC) it still holds, or a time as RFC 3339 writes it."},
            "kind": {**text, "description": "Of the object that a finding is about, or of its owner."},
            "namespace": {**glob, "description": f"Of that object. {_GLOB}"},
            "name": {**glob, "description": f"Of that object. {_GLOB}"},
            "nodePool": {**glob, "description": f"The NodePool that a finding is about. {_GLOB}"},
            "labels": {**text, "description": "A selector of that object's labels, as kubectl's -l takes it."},
        },
    }
