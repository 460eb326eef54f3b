"""Label selectors: those in objects, and those that people type after `-l`."""

import re
from collections.abc import Mapping

from karpenter_check.snapshot.part import Part


class LabelSelectorRequirement(Part, frozen=True):
    """An entry of `matchExpressions`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy it. NotIn holds for an absent key, as in k8s.io/apimachinery/pkg/labels."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
            case _:
                return False


class LabelSelector(Part, frozen=True):
    """A selector; an empty one matches everything."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy every requirement."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )


_KEY = r"(?P<key>[A-Za-z0-9]([-A-Za-z0-9_.]*/?[-A-Za-z0-9_.]*[A-Za-z0-9])?)"
_SET = re.compile(rf"{_KEY}\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUAL = re.compile(rf"{_KEY}\s*(?P<operator>==|=|!=)\s*(?P<value>[-A-Za-z0-9_.]*)")
_PRESENT = re.compile(rf"(?P<absent>!?)\s*{_KEY}")


def parse_selector(text: str) -> LabelSelector:
    """A selector as kubectl's `-l` takes it: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.

    Raises ValueError that names the part which is none.
    """
    requirements = []
    for written in re.split(r",(?![^()]*\))", text):
        part = written.strip()
        if form := _SET.fullmatch(part):
            values = tuple(value.strip() for value in form["values"].split(","))
            requirements.append(LabelSelectorRequirement(form["key"], "In" if form["operator"] == "in" else "NotIn", values))
        elif form := _EQUAL.fullmatch(part):
            requirements.append(
                LabelSelectorRequirement(form["key"], "NotIn" if form["operator"] == "!=" else "In", (form["value"],))
            )
        elif form := _PRESENT.fullmatch(part):
            requirements.append(LabelSelectorRequirement(form["key"], "DoesNotExist" if form["absent"] else "Exists"))
        else:
            raise ValueError(f"{part!r} is not a label selector (try key=value, key!=value, key in (a,b), key or !key)")
    return LabelSelector(match_expressions=tuple(requirements))
