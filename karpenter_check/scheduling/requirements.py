"""Requirements by key, and whether a template admits a pod's.

Source: `pkg/scheduling/requirements.go` (1.13).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from karpenter_check.scheduling.labels import Provider
from karpenter_check.scheduling.refusal import NoOverlap, Refusal, UndefinedLabel
from karpenter_check.scheduling.requirement import Requirement


@dataclass(frozen=True)
class Requirements:
    """One requirement a key; several on one key are intersected."""

    by_key: Mapping[str, Requirement]

    @classmethod
    def of(cls, requirements: Iterable[Requirement]) -> "Requirements":
        """All of them together."""
        by_key: dict[str, Requirement] = {}
        for requirement in requirements:
            known = by_key.get(requirement.key)
            by_key[requirement.key] = known.intersection(requirement) if known else requirement
        return cls(by_key)

    def refusals(self, incoming: "Requirements", provider: Provider | None) -> Iterator[Refusal]:
        """Why a template with these requirements does not admit a pod with the incoming ones; nothing if it does.

        `provider` says which keys may stay undeclared; without one, as for a real node, none may. Not symmetric: these are
        the template's side (`Requirements.Compatible` and `Requirements.Intersects`).
        """
        for key, asked in incoming.by_key.items():
            declared = self.by_key.get(key)
            if declared is None:
                if not asked.excludes and not (provider and provider.knows(key)):
                    yield UndefinedLabel(asked, self.by_key.keys(), provider.well_known if provider else ())
            elif not declared.has_intersection(asked) and not (declared.excludes and asked.excludes):
                yield NoOverlap(declared, asked)
