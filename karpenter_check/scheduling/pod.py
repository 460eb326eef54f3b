"""What a pod asks of a node's labels, term by term."""

from collections.abc import Iterable, Iterator, Mapping

from karpenter_check.scheduling.labels import Provider
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.requirements import Requirements
from karpenter_check.snapshot.pod import PodShape
from karpenter_check.snapshot.pod_object import NodeSelectorTerm


def pod_requirements(provider: Provider, node_selector: Mapping[str, str], terms: Iterable[NodeSelectorTerm]) -> Requirements:
    """A pod's requirements: its nodeSelector and those terms, all ANDed. `matchFields` do not count.

    Source: `pkg/scheduling/requirements.go:newPodRequirements` (1.13).
    """
    expressions = (expression for term in terms for expression in term.match_expressions)
    return Requirements.of([
        *(Requirement.of(provider.normalize(key), "In", (value,)) for key, value in node_selector.items()),
        *(Requirement.of(provider.normalize(entry.key), entry.operator, entry.values) for entry in expressions),
    ])  # fmt: skip


def required_terms(shape: PodShape) -> tuple[NodeSelectorTerm, ...]:
    """The terms of its required node affinity: one of them is enough."""
    return shape.node_affinity.required.node_selector_terms if shape.node_affinity.required else ()


def alternatives(shape: PodShape, provider: Provider) -> Iterator[Requirements]:
    """What the pod strictly needs, one of these being enough: its nodeSelector with each required term in turn.

    A term without expressions asks nothing here, though kube-scheduler matches it with no node.
    """
    for term in required_terms(shape) or (NodeSelectorTerm(),):
        yield pod_requirements(provider, shape.node_selector, (term,))


def rounds(shape: PodShape, provider: Provider) -> Iterator[tuple[Requirements, bool]]:
    """What Karpenter tries in turn until something takes the pod, and whether no preference is left in it.

    It begins with the first required term and the heaviest preferred one. It gives up required terms first, all but the last, then
    preferred ones, the heaviest first, and never goes back (`provisioning/scheduling/preferences.go:Relax`, 1.13).
    """
    *dropped, last = required_terms(shape) or (NodeSelectorTerm(),)
    preferred = [term.preference for term in sorted(shape.node_affinity.preferred, key=lambda term: -term.weight)]
    for term in dropped:
        yield pod_requirements(provider, shape.node_selector, (term, *preferred[:1])), not preferred
    for preference in preferred:
        yield pod_requirements(provider, shape.node_selector, (last, preference)), False
    yield pod_requirements(provider, shape.node_selector, (last,)), True
