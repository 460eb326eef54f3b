"""What a pod asks of labels, put to nodes that are there: thousands of them, most alike."""

from collections.abc import Mapping

from karpenter_check.scheduling.refusal import NoOverlap, UndefinedLabel
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.requirements import Requirements


class Asked:
    """What a pod asks of labels in one round, put to many nodes; a label's value is compared once."""

    def __init__(self, asked: Requirements) -> None:
        """`asked` is what a pod asks in one of the rounds in which Karpenter tries it."""
        self.keys = tuple(asked.by_key)
        """The labels that it asks about."""
        self._asked = asked.by_key
        self._answers: dict[tuple[str, str], NoOverlap | None] = {}

    def refusals(self, labels: Mapping[str, str]) -> tuple[UndefinedLabel | NoOverlap, ...]:
        """What the labels of a real node lack: what is not there gets no benefit of the doubt."""
        found: list[UndefinedLabel | NoOverlap] = []
        for key, asked in self._asked.items():
            value = labels.get(key)
            if value is not None:
                if (key, value) not in self._answers:
                    has = Requirement.of(key, "In", (value,))
                    self._answers[key, value] = None if has.has_intersection(asked) else NoOverlap(has, asked)
                if refusal := self._answers[key, value]:
                    found.append(refusal)
            elif not asked.excludes:
                found.append(UndefinedLabel(asked, labels.keys()))
        return tuple(found)
