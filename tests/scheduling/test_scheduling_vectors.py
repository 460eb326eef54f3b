"""Karpenter's own answers about DaemonSets, pods and NodePools (tests/vectors/README.md)."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from karpenter_check.scheduling.daemonset import DaemonSetPod, refusals
from karpenter_check.scheduling.labels import provider_of
from karpenter_check.scheduling.pod import pod_requirements
from karpenter_check.scheduling.refusal import Refusal
from karpenter_check.scheduling.taints import untolerated
from karpenter_check.scheduling.template import NodeTemplate, template_of_nodepool
from karpenter_check.snapshot import NodePool
from karpenter_check.snapshot.pod_object import PodObject

VECTORS = Path(__file__).parent.parent / "vectors"
GROUPS = {"aws": "karpenter.k8s.aws", "kwok": "karpenter.kwok.sh"}


class Expectation(msgspec.Struct, rename="camel"):
    """What Karpenter answered; its texts are for reading."""

    compatible: bool
    tolerates: bool = False
    requirement_error: str = ""
    taint_error: str = ""


class Vector(msgspec.Struct, rename="camel"):
    """One question put to Karpenter."""

    id: str
    provider: str
    node_pool: NodePool
    pod: PodObject
    expect: Expectation

    @property
    def template(self) -> NodeTemplate:
        """The NodePool's template among the labels that were registered, whatever its own provider is."""
        return replace(template_of_nodepool(self.node_pool), provider=provider_of(GROUPS[self.provider]))

    @property
    def daemonset_pod(self) -> DaemonSetPod:
        """The pod as it is, unpinned."""
        spec = self.pod.spec
        affinity = spec.affinity.node_affinity if spec.affinity else None
        return DaemonSetPod(
            node_selector=spec.node_selector,
            terms=affinity.required.node_selector_terms if affinity and affinity.required else (),
            preferred=tuple((term.weight, term.preference) for term in affinity.preferred) if affinity else (),
            tolerations=spec.tolerations,
            requests={},
        )


def vectors(name: str) -> Iterator[Vector]:
    decoder = msgspec.json.Decoder(Vector)
    for line in gzip.decompress((VECTORS / f"{name}.jsonl.gz").read_bytes()).splitlines():
        yield decoder.decode(line)


def differing(
    name: str, ours: Callable[[Vector], tuple[Refusal, ...]], theirs: Callable[[Expectation], bool]
) -> tuple[int, list[str]]:
    """How many were asked, and where what we have against it is not what Karpenter answered: the case and both sides."""
    asked = list(vectors(name))
    return len(asked), [
        f"case {vector.id} ({vector.provider}): Karpenter: {vector.expect}; we: {'; '.join(map(str, said)) or 'nothing against it'}"
        for vector in asked
        if (not (said := ours(vector))) != theirs(vector.expect)
    ]


def test_daemonsets_are_counted_as_karpenter_counts_them() -> None:
    def against(vector: Vector) -> tuple[Refusal, ...]:
        return refusals(vector.daemonset_pod, vector.template)

    assert differing("daemon", against, lambda expect: expect.compatible) == (800, [])


def test_pods_tolerate_taints_as_in_karpenter() -> None:
    def against(vector: Vector) -> tuple[Refusal, ...]:
        return tuple(untolerated(vector.template.taints, vector.pod.spec.tolerations))

    assert differing("pod", against, lambda expect: expect.tolerates) == (800, [])


def test_pods_requirements_are_admitted_as_in_karpenter() -> None:
    def against(vector: Vector) -> tuple[Refusal, ...]:
        template, pod = vector.template, vector.daemonset_pod
        asked = pod_requirements(template.provider, pod.node_selector, pod.terms[:1])
        return tuple(template.requirements.refusals(asked, template.provider))

    assert differing("pod", against, lambda expect: expect.compatible) == (800, [])
