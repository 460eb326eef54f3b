"""terminationGracePeriod: too short for the pods, zero, or missing where something never lets an expired node go."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.termination_grace_trap import termination_grace_trap
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import Kind, NodePool, Snapshot, Status
from tests.build import (
    Thing,
    a_budget,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    ago,
)

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
NODE = Ref("Node", "n1", "v1")
CLAIM = Ref("NodeClaim", "default-n1", "karpenter.sh/v1")
WEB = Ref("Pod", "web-1", "v1", "shop")
VERIFY = Fix("verify", "karpenter-check scan --select termination-grace-trap --nodepool default")
LABELS = {"app": "web"}


def found(cluster: Snapshot) -> list[Finding]:
    return list(termination_grace_trap(cluster))


def judged(cluster: Snapshot) -> list[tuple[str, Severity | None]]:
    return [(finding.cause, finding.severity) for finding in found(cluster)]


def a_pool(grace: str) -> NodePool:
    pool = a_nodepool()
    spec = replace(pool.spec.template.spec, termination_grace_period=grace)
    return replace(pool, spec=replace(pool.spec, template=replace(pool.spec.template, spec=spec)))


def a_short_drain(*things: Thing, grace: str = "5m", expire_after: str = "72h", deleted: str = "") -> Snapshot:
    """A node that lasts for two days yet, and whose drain may take five minutes."""
    claim = a_nodeclaim(age="24h", expire_after=expire_after, termination_grace_period=grace, deleted=deleted)
    return a_cluster(a_pool(grace), a_node("n1", age="24h", deleted=deleted), claim, *things)


def an_endless_drain(*things: Thing, expire_after: str = "72h", age: str = "24h", deleted: str = "") -> Snapshot:
    """A node that expires in two days, without a terminationGracePeriod."""
    claim = a_nodeclaim(age=age, expire_after=expire_after, termination_grace_period="", deleted=deleted)
    return a_cluster(a_pool(""), a_node("n1", age=age, deleted=deleted), claim, *things)


PINNED = a_pod("web-1", on="n1", of=a_deployment(), do_not_disrupt="true")
SLOW = a_pod("web-1", on="n1", of=a_deployment(), grace=3600)


def test_a_terminationgraceperiod_that_is_shorter_than_a_pods_grace_is_found() -> None:
    cluster = a_short_drain(a_deployment(), SLOW, a_pod("quick", on="n1"))

    assert found(cluster) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="default",
            cause="shorter-than-pods",
            severity=Severity.MEDIUM,
            message="terminationGracePeriod 5m is shorter than the grace of 1 pod on 1 node, up to 1h: a drain deletes it at once, and it gets 5m to stop",
            why="a pod is deleted by force its own grace before the node's time is over: Pod shop/web-1 may take 1h, so as the drain begins; no do-not-disrupt and no PodDisruptionBudget is asked then",
            cost="Deployment shop/web (1h); node n1 expires at 2026-11-23 12:00Z (in 2d)",
            impact=Impact(nodes=1, pods=1),
            evidence=(
                Evidence(CLAIM, "spec.terminationGracePeriod", "5m"),
                Evidence(CLAIM, "spec.expireAfter", "72h"),
                Evidence(WEB, "spec.terminationGracePeriodSeconds", "3600"),
            ),
            occurrences=(Occurrence(NODE, cluster.nodeclaims[0].metadata.uid, "n1", "shorter_than_pods"),),
            fix=(
                Fix(
                    "fix",
                    "kubectl edit nodepool default",
                    "a terminationGracePeriod longer than 1h and what evictions take, or less terminationGracePeriodSeconds for these pods",
                    "a change drifts the pool's nodes; those that stand keep theirs, and cut their pods short as they are replaced",
                ),
                VERIFY,
            ),
        )
    ]


def test_an_expiry_without_a_terminationgraceperiod_on_a_node_that_something_holds_is_found() -> None:
    cluster = an_endless_drain(PINNED)

    assert found(cluster) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="default",
            cause="endless-drain",
            severity=Severity.MEDIUM,
            message='1 node will drain for ever after its expiry, in 2d: there is no terminationGracePeriod, and Pod shop/web-1 says karpenter.sh/do-not-disrupt: "true"',
            why="an expired NodeClaim is deleted whatever keeps its node; the drain then waits for pods that are never evicted, and only a terminationGracePeriod would end it",
            cost="node n1 expires at 2026-11-23 12:00Z (in 2d); it takes no new pods while it drains, and is paid for until somebody acts",
            impact=Impact(nodes=1, pods=1),
            evidence=(
                Evidence(CLAIM, "spec.terminationGracePeriod", "none"),
                Evidence(CLAIM, "spec.expireAfter", "72h"),
                Evidence(WEB, "metadata.annotations.karpenter.sh/do-not-disrupt", "true"),
            ),
            occurrences=(Occurrence(NODE, cluster.nodeclaims[0].metadata.uid, "n1", "do_not_disrupt_pod"),),
            fix=(
                Fix(
                    "fix",
                    "kubectl annotate pod -n shop web-1 karpenter.sh/do-not-disrupt-",
                    risk="it may be evicted then; its owner's template brings the annotation back with the next pod",
                ),
                Fix(
                    "fix",
                    """kubectl patch nodepool default --type merge -p '{"spec":{"template":{"spec":{"terminationGracePeriod":"24h"}}}}'""",
                    risk="drifts the pool's nodes; those that stand keep none, on later ones blocking pods are killed when it elapses",
                ),
                VERIFY,
            ),
        )
    ]


def test_an_expiry_that_is_further_away_is_low() -> None:
    assert judged(an_endless_drain(PINNED, expire_after="720h")) == [("endless-drain", Severity.LOW)]
    assert judged(a_short_drain(SLOW, expire_after="720h")) == [("shorter-than-pods", Severity.LOW)]


def test_how_far_to_look_ahead_is_a_setting() -> None:
    cluster = an_endless_drain(PINNED)

    assert [finding.severity for finding in termination_grace_trap(cluster, look_ahead=timedelta(days=1))] == [Severity.LOW]


def test_a_node_that_drains_since_it_expired_is_found_for_what_it_is() -> None:
    cluster = an_endless_drain(PINNED, age="24h10m", expire_after="24h", deleted="10m")
    (finding,) = found(cluster)

    assert (finding.severity, finding.confidence, finding.since) == (Severity.MEDIUM, Confidence.LIKELY, ago("10m"))
    assert finding.message.startswith("1 node expired and drains for ever: ")
    assert finding.cost.startswith("node n1 is drained since 11:50:00Z (10m ago); ")


def test_nodes_that_drain_come_before_those_that_will() -> None:
    pods = [a_pod(f"web-{node}", on=node, of=a_deployment(), do_not_disrupt="true") for node in ("n1", "n2", "n3")]
    claims = [
        a_nodeclaim(node="n1", expire_after="48h", termination_grace_period=""),
        a_nodeclaim(node="n2", age="24h10m", expire_after="24h", termination_grace_period="", deleted="10m"),
        a_nodeclaim(node="n3", expire_after="24h", termination_grace_period=""),
    ]
    (finding,) = found(a_cluster(a_node("n1"), a_node("n2", deleted="10m"), a_node("n3"), *claims, *pods))

    assert [place.node for place in finding.occurrences] == ["n2", "n3", "n1"]
    assert finding.message.startswith("1 node expired and drains for ever, 2 more will: ")
    assert finding.why.endswith("; 2 more hold out as well")


def test_of_several_nodes_the_first_expiry_is_told() -> None:
    pods = [a_pod(f"web-{node}", on=node, of=a_deployment(), do_not_disrupt="true") for node in ("n1", "n2")]
    claims = [
        a_nodeclaim(node=node, expire_after=life, termination_grace_period="") for node, life in (("n1", "49h"), ("n2", "25h"))
    ]
    (finding,) = found(a_cluster(a_node("n1"), a_node("n2"), *claims, *pods))

    assert finding.message.startswith("2 nodes will drain for ever after their expiry, the first in 1d: ")


def test_a_node_that_somebody_else_deletes_is_another_matter() -> None:
    assert judged(an_endless_drain(PINNED, deleted="10m")) == []


def test_budgets_that_never_let_a_pod_go_hold_a_drain_as_well() -> None:
    pod = a_pod("web-1", on="n1", of=a_deployment(), labels=LABELS)
    never = a_budget("web", selects=LABELS, allowed=0, max_unavailable=0)
    (one,) = found(an_endless_drain(pod, never))
    (two,) = found(an_endless_drain(pod, a_budget("a", selects=LABELS), a_budget("b", selects=LABELS)))

    assert [place.reason for finding in (one, two) for place in finding.occurrences] == ["pdb", "multiple_pdbs"]
    assert one.evidence[-1] == Evidence(Ref("PodDisruptionBudget", "web", "policy/v1", "shop"), "status.disruptionsAllowed", "0")
    assert two.fix[0].command == "kubectl get poddisruptionbudget -n shop a b"


@pytest.mark.parametrize(
    "cluster",
    [
        an_endless_drain(a_pod("web-1", on="n1", of=a_deployment())),
        an_endless_drain(PINNED, expire_after="Never"),
        an_endless_drain(PINNED, expire_after=""),
        an_endless_drain(a_pod("bare", on="n1", do_not_disrupt="true")),
        an_endless_drain(a_pod("web-1", on="n1", of=a_deployment(), do_not_disrupt="4h")),
        an_endless_drain(
            a_pod("web-1", on="n1", labels=LABELS), a_budget("web", selects=LABELS, allowed=0, max_unavailable=1, expected=2)
        ),
        a_short_drain(PINNED),
        a_cluster(a_node("n1", pool=""), a_nodeclaim(pool="", expire_after="24h", termination_grace_period=""), PINNED),
    ],
    ids=[
        "nothing holds it",
        "it never expires",
        "v1beta1 expires gracefully",
        "the pod may finish",
        "the annotation runs out",
        "the budget allows one later",
        "the terminationGracePeriod ends it",
        "a NodeClaim made by hand has no NodePool to mend",
    ],
)
def test_a_drain_that_ends_is_fine(cluster: Snapshot) -> None:
    assert judged(cluster) == []


@pytest.mark.parametrize(
    "pod",
    [
        a_pod("web", on="n1", grace=300),
        a_pod("web", on="n1", grace=None),
        a_pod("web", on="n1", grace=3600, phase="Succeeded"),
        a_pod("web", on="n1", grace=3600, tolerations=["*"]),
        a_pod("logs", on="n1", of=a_daemonset(), grace=3600),
    ],
    ids=["it is as long", "unknown", "finished", "tolerating the taint", "a DaemonSet's that tolerates everything"],
)
def test_a_pod_that_is_not_cut_short_is_fine(pod: Thing) -> None:
    assert judged(a_short_drain(pod)) == []


def test_a_daemonsets_pod_that_is_drained_is_cut_short_as_well() -> None:
    logs = a_daemonset(tolerations=[])

    assert judged(a_short_drain(a_pod("logs", on="n1", of=logs, grace=3600))) == [("shorter-than-pods", Severity.MEDIUM)]


def test_a_node_that_never_expires_is_drained_by_others() -> None:
    (finding,) = found(a_short_drain(SLOW, expire_after="Never"))

    assert finding.severity is Severity.LOW
    assert finding.cost.endswith("node n1 never expires; drift, consolidation and deletion drain it all the same")


@pytest.mark.parametrize("grace", [30, 86400, 604800], ids=["the default", "a day", "a week"])
def test_a_grace_that_nobody_needs_is_low(grace: int) -> None:
    pod = a_pod("rabbit", on="n1", grace=grace)

    assert judged(a_short_drain(pod, grace="20s")) == [("shorter-than-pods", Severity.LOW)]


@pytest.mark.parametrize(
    "things",
    [
        [a_pod("rabbit", on="n1", grace=604800, do_not_disrupt="true")],
        [a_pod("rabbit", on="n1", grace=604800, labels=LABELS), a_budget("rabbit", selects=LABELS)],
    ],
    ids=["do-not-disrupt", "a PodDisruptionBudget"],
)
def test_but_not_where_it_takes_a_protection_away(things: list[Thing]) -> None:
    (finding,) = found(a_short_drain(*things))

    assert finding.severity is Severity.MEDIUM
    assert "1 pod with do-not-disrupt or a PodDisruptionBudget, of no use there" in finding.cost


def test_a_grace_that_means_for_ever_is_taken_as_that() -> None:
    assert judged(a_short_drain(a_pod("rabbit", on="n1", grace=1 << 62))) == [("shorter-than-pods", Severity.LOW)]


def test_a_drain_that_goes_on_is_medium_whenever_it_would_have_expired() -> None:
    assert judged(a_short_drain(SLOW, expire_after="720h", deleted="2m")) == [("shorter-than-pods", Severity.MEDIUM)]


def test_a_terminationgraceperiod_of_zero_leaves_no_pod_any_time() -> None:
    (finding,) = found(a_short_drain(a_pod("web-1", on="n1"), a_pod("web-2", on="n1", grace=60), grace="0s"))

    assert (finding.cause, finding.severity) == ("zero", Severity.MEDIUM)
    assert finding.message == "terminationGracePeriod is 0s: a drain deletes 2 pods on 1 node at once, without time to stop"


def test_a_terminationgraceperiod_of_zero_on_an_empty_node_harms_nobody() -> None:
    assert judged(a_short_drain(grace="0s")) == []


def test_each_nodepool_and_cause_is_one_finding() -> None:
    claims = [a_nodeclaim(node="n1", termination_grace_period="5m"), a_nodeclaim(node="n2", termination_grace_period="10m")]
    pods = [a_pod("a", on="n1", grace=3600), a_pod("b", on="n2", grace=7200)]
    (finding,) = found(a_cluster(a_node("n1"), a_node("n2"), *claims, *pods))

    assert finding.message.startswith("terminationGracePeriod 5m, 10m is shorter than the grace of 2 pods on 2 nodes, up to 2h: ")
    assert finding.cost.startswith("Pod shop/b (2h), Pod shop/a (1h); ")


def test_a_template_that_was_mended_since_does_not_help_the_nodes_that_stand() -> None:
    claim = a_nodeclaim(termination_grace_period="5m")
    (short,) = found(a_cluster(a_pool("2h"), a_node("n1"), claim, SLOW))
    (none,) = found(a_cluster(a_pool("24h"), a_node("n1"), a_nodeclaim(termination_grace_period=""), PINNED))

    said = "; the NodePool's template says {} by now, but a node keeps what it was made with"
    assert [short.why.endswith(said.format("2h")), none.why.endswith(said.format("24h"))] == [True, True]
    assert short.fix == (
        Fix(
            "fix",
            text="new nodes have time enough; before one of these goes, let its pods stop in their own time, by a rollout or by hand",
        ),
        VERIFY,
    )
    assert [step.command for step in none.fix] == [
        "kubectl annotate pod -n shop web-1 karpenter.sh/do-not-disrupt-",
        VERIFY.command,
    ]


def test_whether_the_template_changed_is_not_known_where_nodepools_were_not_seen() -> None:
    cluster = a_cluster(a_node("n1"), a_nodeclaim(termination_grace_period="5m"), SLOW, missing={Kind.NODEPOOL: Status.FORBIDDEN})
    (finding,) = found(cluster)

    assert finding.why.endswith("; whether the NodePool's template has changed since is not known: NodePool is forbidden")


def test_pods_that_could_not_be_read_may_be_more() -> None:
    cluster = a_cluster(a_node("n1"), a_nodeclaim(termination_grace_period="5m"), SLOW, missing={Kind.POD: Status.PARTIAL})
    (finding,) = found(cluster)

    assert finding.cost.endswith("; there may be more: Pod is partial")


def test_without_poddisruptionbudgets_nothing_is_said_to_be_fine() -> None:
    cluster = a_cluster(a_node("n1"), missing={Kind.PODDISRUPTIONBUDGET: Status.FORBIDDEN})

    assert [run.outcome for run in scan(cluster, [termination_grace_trap]).runs] == [Outcome.SKIPPED]
