"""What Karpenter says of pods whose spread or (anti-)affinity leaves no domain for them.

Source: `provisioning/scheduling/topology.go:topologyError`, which says the same from 1.0 to 1.15; counts are cut after 25 domains
(`utils/pretty:Map`), lists of values after five (`scheduling.Requirement.String`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

_REFUSAL = re.compile(
    r"unsatisfiable topology constraint for (?P<form>topology spread|pod affinity|pod anti-affinity), key=(?P<key>[^ ,;]{1,400})"
    r" \(counts = (?P<counts>[^;]*?), podDomains = (?P<pod>[^;]*?), nodeDomains = (?P<node>[^;]*)"
)
_COUNT = re.compile(r"([^ ,:]+): ([0-9]{1,9})(?:, |$)")


class Form(StrEnum):
    """What a pod asks of where other pods are."""

    SPREAD = "topology spread"
    AFFINITY = "pod affinity"
    ANTI_AFFINITY = "pod anti-affinity"

    @property
    def word(self) -> str:
        """A stable word for it."""
        return {Form.SPREAD: "spread", Form.AFFINITY: "affinity", Form.ANTI_AFFINITY: "anti-affinity"}[self]


@dataclass(frozen=True)
class TopologyRefusal:
    """One NodePool's refusal of a pod, for want of a domain."""

    form: Form
    key: str
    counts: str
    """How many pods Karpenter counts in each domain, as it writes them."""
    pod_domains: str
    """Where the pod may be, by its own selectors, and ..."""
    node_domains: str
    """... where a new node may be: by the NodePool, the pod's selectors and its volumes."""

    @property
    def cause(self) -> str:
        """A stable word for it."""
        return f"{self.form.word}:{self.key}"

    @property
    def counted(self) -> Mapping[str, int] | None:
        """The domains that count for the pod, with their pods; None where the event does not say them all."""
        found = {domain: int(count) for domain, count in _COUNT.findall(self.counts)}
        whole = found and _COUNT.sub("", self.counts) == ""
        allowed = self.pod_domains == f"{self.key} Exists" or _values(self.key, self.pod_domains)
        if not whole or not allowed:
            return None
        return found if allowed is True else {domain: count for domain, count in found.items() if domain in allowed}

    @property
    def reachable(self) -> frozenset[str] | None:
        """The domains where the new node may be; None where the event does not say them all."""
        return _values(self.key, self.node_domains)


def _values(key: str, written: str) -> frozenset[str] | None:
    """The values of an `In` that is written whole; else None."""
    form = re.fullmatch(re.escape(key) + r" In \[([^\]]*)\]", written)
    return frozenset(form[1].split()) if form and not re.search(r"and [0-9]+ others$", form[1]) else None


def topology_refusals(message: str) -> tuple[TopologyRefusal, ...]:
    """Those in the message of one of Karpenter's `FailedScheduling` events: one a NodePool at most, joined by "; "."""
    return tuple(
        dict.fromkeys(
            TopologyRefusal(Form(found["form"]), found["key"], found["counts"], found["pod"], found["node"].strip())
            for found in _REFUSAL.finditer(message)
        )
    )
