"""What the patterns of Karpenter's schemas mean, in words, and what people write instead."""

import re
from collections.abc import Callable

Advice = Callable[[str], str]

_DAYS = re.compile(r"([0-9]+)d")
_WEEKS = re.compile(r"([0-9]+)w")
_HALVES = re.compile(r"([0-9]+)\.([0-9]+)h")


def _none(_: str) -> str:
    return ""


def _duration(value: str) -> str:
    """A duration in the units that Karpenter takes."""
    text = value.strip()
    if found := _DAYS.fullmatch(text):
        return f"write {int(found[1]) * 24}h: there are no days in it"
    if found := _WEEKS.fullmatch(text):
        return f"write {int(found[1]) * 168}h: there are no weeks in it"
    if (found := _HALVES.fullmatch(text)) and (float(f"0.{found[2]}") * 60).is_integer():
        return f"write {found[1]}h{int(float(f'0.{found[2]}') * 60)}m: it takes whole numbers"
    if text.isdecimal():
        return f"it needs a unit: {text}s, {text}m or {text}h"
    return ""


def _duration_or_never(value: str) -> str:
    return "write Never" if value.strip().lower() in {"never", "none"} else _duration(value)


def _nodes(value: str) -> str:
    return "100% is the most" if value.endswith("%") and value[:-1].isdecimal() else ""


def _schedule(value: str) -> str:
    return f"write five fields, minute hour day-of-month month day-of-week; these are {len(value.split())}"


def _quantity(value: str) -> str:
    text = value.strip()
    if re.fullmatch(r"[0-9.]+ ?([kmgtpe]i?)b?", text, re.IGNORECASE):
        number, unit = re.match(r"[0-9.]+", text), re.search(r"[a-zA-Z]i?", text)
        if number and unit:
            return f"write {number[0]}{unit[0][0].upper()}i"
    return ""


_LIMITED_NAME = "letters, digits, -, _ and . alone, beginning and ending with a letter or digit"
_NAME = (f"{_LIMITED_NAME}, and may have a DNS name and a / before it", _none)
_VALUE = (_LIMITED_NAME, _none)
_SPAN = ("whole numbers with s, m or h, such as 720h or 1h30m, or Never", _duration_or_never)
_AMOUNT = ("a quantity, such as 100, 500m or 64Gi", _quantity)

PATTERNS: dict[str, tuple[str, Advice]] = {
    r"^(([0-9]+(s|m|h))+|Never)$": _SPAN,
    r"^(([0-9]+(s|m|h))+)|(Never)$": _SPAN,
    r"^([0-9]+(s|m|h))+$": ("whole numbers with s, m or h, such as 1h30m; it cannot be Never", _duration),
    r"^((([0-9]+(h|m))|([0-9]+h[0-9]+m))(0s)?)$": ("hours and minutes, such as 8h or 8h30m", _duration),
    r"^((100|[0-9]{1,2})%|[0-9]+)$": ("a number of nodes or a percentage of up to 100%", _nodes),
    r"^(@(annually|yearly|monthly|weekly|daily|midnight|hourly))|((.+)\s(.+)\s(.+)\s(.+)\s(.+))$": ("a cron schedule", _schedule),
    r"^[^/]*$": ("an API group without a version, such as karpenter.k8s.aws", lambda value: f"write {value.partition('/')[0]}"),
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(\/))?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$": _NAME,
    r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$": _VALUE,
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$": _AMOUNT,
    r"^((\d{1,2}(\.\d{1,2})?|100(\.0{1,2})?)%||(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?)$": (
        "a quantity or a percentage, such as 500Mi or 5%",
        _quantity,
    ),
    r"^\d+(\.\d+)?$": ("a number that is not negative", _none),
    r"^(([+-]{1}(\d*\.?\d+))|(\+{1}\d*\.?\d+%)|(^(-\d{1,2}(\.\d+)?%)$)|(-100%))$": ("a change with its sign, such as -10% or +0.5", _none),
    r"ami-[0-9a-z]+": ("the id of an image, such as ami-0123456789abcdef0", _none),
    r"sg-[0-9a-z]+": ("the id of a security group, such as sg-0123456789abcdef0", _none),
    r"subnet-[0-9a-z]+": ("the id of a subnet, such as subnet-0123456789abcdef0", _none),
    r"^cr-[0-9a-z]+$": ("the id of a capacity reservation, such as cr-0123456789abcdef0", _none),
    r"^pg-[0-9a-z]+$": ("the id of a placement group, such as pg-0123456789abcdef0", _none),
    r"^[0-9]{12}$": ("the twelve digits of an AWS account, in quotes", _none),
    r"^((?:[1-9][0-9]{0,3}|[1-4][0-9]{4}|[5][0-8][0-9]{3}|59000)Gi|(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|[6][0-3][0-9]{3}|64000)G|([1-9]||[1-5][0-7]|58)Ti|([1-9]||[1-5][0-9]|6[0-3]|64)T)$": (
        "a size in Gi, G, Ti or T, such as 100Gi",
        _quantity,
    ),
}  # fmt: skip
"""Words and advice by pattern; a contract test holds that every pattern of the schemas is here."""

ADVICE: dict[str, str] = {
    "self.matches('^[a-zA-Z0-9]+@.+$')": "write family@version, such as al2023@v20250117; al2023@latest replaces nodes with every release",
    "self.all(x, has(x.schedule) == has(x.duration))": "a schedule without a duration has no end: write both, or neither",
    "(has(self.role) && !has(self.instanceProfile)) || (!has(self.role) && has(self.instanceProfile))": "write one of them",
}
"""What to write instead, by the validation rule that is broken."""
