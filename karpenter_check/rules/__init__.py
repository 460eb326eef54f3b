"""The rules. Each module here is one rule, found by being here."""

from importlib import import_module
from pkgutil import iter_modules

from karpenter_check.rule import AnyRule, Rule


def every_rule() -> tuple[AnyRule, ...]:
    """All rules, by slug. Raises TypeError for a module that holds no rule of its own name."""
    rules = []
    for module in iter_modules(__path__):
        found = getattr(import_module(f"{__name__}.{module.name}"), module.name, None)
        if not isinstance(found, Rule):
            raise TypeError(f"karpenter_check/rules/{module.name}.py holds no rule named {module.name}")
        rules.append(found)
    return tuple(sorted(rules, key=lambda entry: entry.slug))
