"""Karpenter's words about spread and (anti-)affinity that no domain satisfies."""

import pytest

from karpenter_check.scheduling.topology import Form, TopologyRefusal, topology_refusals

ZONE = "topology.kubernetes.io/zone"
SPREAD = (
    f"unsatisfiable topology constraint for topology spread, key={ZONE} (counts = a: 1, b: 0, podDomains = {ZONE} Exists, "
    f"nodeDomains = {ZONE} In [a]"
)
REFUSAL = TopologyRefusal(Form.SPREAD, ZONE, "a: 1, b: 0", f"{ZONE} Exists", f"{ZONE} In [a]")


@pytest.mark.parametrize(
    "message",
    [
        f"Failed to schedule pod, {SPREAD}",
        f'Failed to schedule pod, incompatible with nodepool "x", daemonset overhead={{"cpu":"1"}}, {SPREAD}; did not tolerate a=b:NoSchedule',
        f"Failed to schedule pod, did not tolerate taint (taint=a:NoSchedule); {SPREAD}; {SPREAD}",
    ],
    ids=["alone", "before 1.5, with another NodePool's", "said of two NodePools"],
)
def test_a_refusal_is_read_in_every_versions_words(message: str) -> None:
    assert topology_refusals(message) == (REFUSAL,)


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("topology spread", f"spread:{ZONE}"),
        ("pod affinity", f"affinity:{ZONE}"),
        ("pod anti-affinity", f"anti-affinity:{ZONE}"),
    ],
)
def test_each_form_has_its_word(words: str, cause: str) -> None:
    assert [refusal.cause for refusal in topology_refusals(SPREAD.replace("topology spread", words))] == [cause]


def test_other_refusals_are_none() -> None:
    assert topology_refusals("Failed to schedule pod, no instance type has enough resources") == ()


def test_domains_that_are_written_whole_are_known() -> None:
    assert (REFUSAL.counted, REFUSAL.reachable) == ({"a": 1, "b": 0}, frozenset({"a"}))


def test_domains_that_the_pod_may_not_have_do_not_count() -> None:
    assert TopologyRefusal(Form.SPREAD, ZONE, "a: 1, b: 0", f"{ZONE} In [a c]", "").counted == {"a": 1}


@pytest.mark.parametrize(
    ("counts", "pod", "node"),
    [
        ("a: 1 and 12 other(s)", "Exists", "Exists"),
        ("", "Exists", "In [a b c d e and 2 others]"),
        ("a: 1", "NotIn [c]", "NotIn [b]"),
        ("a: 1", "In [a b c d e and 2 others]", "DoesNotExist"),
    ],
)
def test_domains_that_are_not_written_whole_are_not(counts: str, pod: str, node: str) -> None:
    refusal = TopologyRefusal(Form.SPREAD, ZONE, counts, f"{ZONE} {pod}", f"{ZONE} {node}")

    assert (refusal.counted, refusal.reachable) == (None, None)
