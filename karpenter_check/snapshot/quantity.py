"""Kubernetes quantities: `1500m`, `2Gi`, `0.5`, `1e3`.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ (v1.36).
"""

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from typing import TypeAlias

Quantity: TypeAlias = str | int | float
Milli: TypeAlias = Mapping[str, int]
"""Amounts by resource name (`cpu`, `memory`, `pods`, …), in thousandths of the resource's own unit."""

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal("1e3"),
    "M": Decimal("1e6"), "G": Decimal("1e9"), "T": Decimal("1e12"), "P": Decimal("1e15"), "E": Decimal("1e18"),
    "Ki": Decimal(1 << 10), "Mi": Decimal(1 << 20), "Gi": Decimal(1 << 30),
    "Ti": Decimal(1 << 40), "Pi": Decimal(1 << 50), "Ei": Decimal(1 << 60),
}  # fmt: skip
_FORM = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))"
    r"(?:[eE](?P<exponent>[+-]?[0-9]{1,2})|(?P<suffix>Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?))"
)


@lru_cache(maxsize=65536)
def milli(quantity: Quantity) -> int:
    """The quantity in thousandths, rounded up as Kubernetes' `MilliValue()` does.

    Raises ValueError for text that is no quantity.
    """
    form = _FORM.fullmatch(str(quantity))
    if form is None:
        raise ValueError(f"{quantity!r} is not a Kubernetes quantity")
    scale = Decimal(10) ** int(form["exponent"]) if form["exponent"] else _SUFFIXES[form["suffix"] or ""]
    return int((Decimal(form["number"]) * scale * 1000).to_integral_value(ROUND_CEILING))


def amounts(resources: Mapping[str, Quantity]) -> dict[str, int]:
    """A resource list in thousandths. Raises ValueError naming the resource whose value is no quantity."""
    try:
        return {name: milli(quantity) for name, quantity in resources.items()}
    except ValueError as error:
        wrong = next(name for name, quantity in resources.items() if f"{quantity!r} " in str(error))
        raise ValueError(f"{wrong}: {error}") from None


def total(parts: Iterable[Milli]) -> dict[str, int]:
    """The sum of resource lists, resource by resource."""
    result: dict[str, int] = {}
    for part in parts:
        for name, amount in part.items():
            result[name] = result.get(name, 0) + amount
    return result


def shown(resource: str, amount: int) -> str:
    """An amount in thousandths as people write it: `600m` cpu, `2` cpu, `512Mi` memory, `3` pods."""
    if resource == "cpu":
        return f"{amount}m" if amount % 1000 else str(amount // 1000)
    whole = -(-amount // 1000)
    if resource in {"memory", "ephemeral-storage"} or resource.startswith("hugepages-"):
        for suffix in ("Ti", "Gi", "Mi", "Ki"):
            unit = int(_SUFFIXES[suffix])
            if whole >= unit and (whole % unit == 0 or whole >= 10 * unit):
                return f"{round(whole / unit)}{suffix}"
    return str(whole)
