"""Everything that keeps Karpenter from disrupting a node."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from karpenter_check.disruption.blocker import Blocker, Lasts, Word
from karpenter_check.disruption.blockers import blockers
from karpenter_check.finding import Confidence
from karpenter_check.snapshot import Kind, Ref, Snapshot, Status, Version
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Condition, Metadata, OwnerReference
from karpenter_check.snapshot.pod_object import PodObject, PodSpec, PodStatus
from karpenter_check.snapshot.workload import (
    Deployment,
    DeploymentContainer,
    DeploymentPodSpec,
    DeploymentSpec,
    DeploymentTemplate,
    EnvVar,
)
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
    an_event,
    nominated,
)  # fmt: skip

V = Version(1, 13)
NODE, CLAIM = Ref("Node", "n1", "v1"), Ref("NodeClaim", "default-n1", "karpenter.sh/v1")
WEB = {"app": "web"}


def a_ref(pod: str, namespace: str = "shop") -> Ref:
    return Ref("Pod", pod, "v1", namespace)


def pdb(name: str) -> Ref:
    return Ref("PodDisruptionBudget", name, "policy/v1", "shop")


def kept(
    *things: Thing, version: Version | None = V, missing: Mapping[Kind, Status] | None = None, eventual: bool = False
) -> list[Blocker]:
    """What keeps `n1`, which is healthy unless `things` say otherwise."""
    node = [] if any(thing.metadata.name == "n1" for thing in things if not isinstance(thing, Event)) else [a_node("n1")]
    cluster = a_cluster(*node, *things, version=version, missing=missing)
    return list(blockers(cluster, cluster.nodes[0], eventual=eventual))


def test_nothing_keeps_a_healthy_node() -> None:
    logs = a_daemonset("logs")

    assert kept(logs, a_pod("logs-1", on="n1", of=logs), a_budget("web", selects=WEB), a_pod("web", on="n1", labels=WEB)) == []


def test_a_node_without_a_nodeclaim_is_not_karpenters() -> None:
    said = "it has no NodeClaim, so it is not Karpenter's to disrupt"

    assert kept(a_node("n1", pool=""), a_pod("web", on="n1", do_not_disrupt="true")) == [
        Blocker(Word.UNMANAGED, said, (NODE,), lasts=Lasts.FOR_EVER, since=ago("1h"))
    ]


def test_whether_a_node_is_karpenters_is_not_known_without_nodeclaims_or_while_it_is_young() -> None:
    forbidden = Blocker(
        Word.UNKNOWN, "whether it is Karpenter's is not known: NodeClaim is forbidden", (NODE,), Confidence.POSSIBLE, Lasts.UNKNOWN
    )
    young = "whether it is Karpenter's is not known: its NodeClaim may have come after NodeClaims were listed"

    assert kept(a_node("n1", pool=""), missing={Kind.NODECLAIM: Status.FORBIDDEN}) == [forbidden]
    assert kept(a_node("n1", pool="", age="59s")) == [Blocker(Word.UNKNOWN, young, (NODE,), Confidence.POSSIBLE, Lasts.UNKNOWN)]


def kept_claim(*things: Thing, missing: Mapping[Kind, Status] | None = None) -> list[Blocker]:
    cluster = a_cluster(a_nodepool(), *things, version=V, missing=missing)
    return list(blockers(cluster, cluster.nodeclaims[0]))


def test_a_nodeclaim_without_a_node_is_kept_for_that_and_for_its_own_words() -> None:
    claim = a_nodeclaim("c", node="", age="5m", do_not_disrupt="true")
    ref = Ref("NodeClaim", "c", "karpenter.sh/v1")
    own = Blocker(Word.DO_NOT_DISRUPT_NODE, 'NodeClaim c says karpenter.sh/do-not-disrupt: "true"', (ref,), lasts=Lasts.FOR_EVER)
    unknown = Blocker(
        Word.UNKNOWN, "whether it has a Node is not known: Node is failed", (ref,), Confidence.POSSIBLE, Lasts.UNKNOWN
    )

    assert kept_claim(claim) == [Blocker(Word.NO_NODE, "its NodeClaim has no Node", (ref,), since=ago("5m")), own]
    assert kept_claim(claim, missing={Kind.NODE: Status.FAILED}) == [unknown, own]


def test_a_node_is_told_by_its_nodeclaim_too() -> None:
    cluster = a_cluster(a_node("n1", do_not_disrupt="true"), version=V)

    assert blockers(cluster, cluster.nodeclaims[0]) == blockers(cluster, cluster.nodes[0]) != ()


def test_a_node_that_is_not_initialized_says_why() -> None:
    claim = a_nodeclaim(initialized=False, initialized_message='StartupTaint "a=b:NoSchedule" still exists')

    assert kept(a_node("n1", initialized=False), claim) == [
        Blocker(Word.NOT_INITIALIZED, 'it is not initialized: StartupTaint "a=b:NoSchedule" still exists', (NODE,), since=ago("1h"))
    ]


def test_a_label_that_karpenter_wrote_once_is_not_written_again() -> None:
    said = "its label karpenter.sh/initialized was taken away, and Karpenter does not write it again"

    assert kept(a_node("n1", initialized=False), a_nodeclaim()) == [
        Blocker(Word.NOT_INITIALIZED, said, (NODE,), lasts=Lasts.FOR_EVER)
    ]


def test_a_label_that_may_come_any_moment_is_not_said_to_be_taken_away() -> None:
    said = "its Node was listed without the label karpenter.sh/initialized, which it gets as it is initialized"

    assert kept(a_node("n1", initialized=False), a_nodeclaim(age="59s")) == [
        Blocker(Word.NOT_INITIALIZED, said, (NODE,), Confidence.LIKELY)
    ]


TERMINATING = Condition("InstanceTerminating", "True", last_transition_time=ago("2m"))
DISRUPTED = Condition("DisruptionReason", "True", "Empty", last_transition_time=ago("3m"))
TAINT = "karpenter.sh/disrupted:NoSchedule"


@pytest.mark.parametrize(
    ("things", "blocker"),
    [
        ((a_nodeclaim(deleted="4m", conditions=[TERMINATING, DISRUPTED]),), Blocker(Word.TERMINATING, "it is being deleted", (NODE, CLAIM), since=ago("4m"))),
        ((a_node("n1", deleted="5m"),), Blocker(Word.TERMINATING, "it is being deleted", (NODE, CLAIM), since=ago("5m"))),
        ((a_nodeclaim(conditions=[TERMINATING]),), Blocker(Word.TERMINATING, "its instance is being terminated", (NODE, CLAIM), since=ago("2m"))),
        (
            (a_nodeclaim(conditions=[DISRUPTED]), a_node("n1", taints=[TAINT])),
            Blocker(Word.TERMINATING, "Karpenter has begun to disrupt it as Empty", (NODE, CLAIM), Confidence.LIKELY, since=ago("3m")),
        ),
        (
            (a_node("n1", taints=[TAINT]),),
            Blocker(Word.TERMINATING, f"its taint {TAINT} says that Karpenter has begun to disrupt it", (NODE, CLAIM), Confidence.LIKELY),
        ),
    ],
)  # fmt: skip
def test_a_node_on_its_way_out_is_left_alone(things: tuple[Thing, ...], blocker: Blocker) -> None:
    assert kept(*things) == [blocker]


GHOST = a_pod("ghost", age="15m")


def for_ghost(*, since: str, until: str = "") -> Blocker:
    return Blocker(
        Word.NOMINATED,
        "Karpenter keeps it for Pod shop/ghost",
        (a_ref("ghost"),),
        Confidence.LIKELY,
        since=ago(since),
        until=ago(until) if until else None,
    )


@pytest.mark.parametrize("last", ["0s", "20s", "2m20s"])
def test_a_pod_that_waits_keeps_the_node_that_was_named_for_it_lately(last: str) -> None:
    said = nominated(GHOST, node="n1", first="14m", last=last, times=9)

    assert kept(GHOST, said) == [for_ghost(since="14m")]


def test_a_nomination_that_was_not_repeated_is_over() -> None:
    assert kept(GHOST, nominated(GHOST, node="n1", first="14m", last="2m21s", times=9)) == []


def test_a_nomination_outlives_the_pods_arrival_by_its_window() -> None:
    come, since = a_pod("ghost", on="n1", age="15m"), "20s"

    assert kept(come, nominated(GHOST, node="n1", first=since)) == [for_ghost(since=since, until="0s")]
    assert kept(come, nominated(GHOST, node="n1", first="21s")) == []


def test_a_pod_on_a_node_that_is_on_its_way_out_keeps_another_one() -> None:
    moving = a_pod("ghost", on="n2", age="15m")
    said = nominated(moving, node="n1", first="10m", last="1m")

    assert kept(a_node("n1"), a_node("n2", deleted="10m"), moving, said) == [for_ghost(since="10m")]
    assert kept(a_node("n1"), a_node("n2"), moving, said) == []


def a_controller(batch: EnvVar) -> Deployment:
    deployment = a_deployment("karpenter", namespace="karpenter", labels={"app.kubernetes.io/name": "karpenter"})
    container = DeploymentContainer("karpenter:1.13.0", (batch,))
    return replace(deployment, spec=DeploymentSpec(1, DeploymentTemplate(DeploymentPodSpec((container,)))))


@pytest.mark.parametrize(
    ("batch", "lasts"), [("60s", "2m"), ("1s", "10s"), ("soon", "20s"), ("", "20s")],
)  # fmt: skip
def test_the_window_is_twice_the_longest_batch(batch: str, lasts: str) -> None:
    come = a_pod("ghost", on="n1", age="15m")
    controller = a_controller(EnvVar("BATCH_MAX_DURATION", batch))

    assert kept(controller, come, nominated(GHOST, node="n1", first=lasts)) == [for_ghost(since=lasts, until="0s")]


def test_of_several_pods_the_longest_nominated_is_named() -> None:
    other = a_pod("other")
    (blocker,) = kept(
        GHOST, other, nominated(other, node="n1", first="20m", last="5s"), nominated(GHOST, node="n1", first="14m", last="5s")
    )

    assert (blocker.said, blocker.objects, blocker.since) == (
        "Karpenter keeps it for Pod shop/other and 1 more",
        (a_ref("other"), a_ref("ghost")),
        ago("20m"),
    )


def blocked_event(about: str, *, last: str, name: str = "n1", message: str = "Node is nominated for a pending pod") -> Event:
    return an_event("DisruptionBlocked", message, about=InvolvedObject(about, name=name), first="9m", last=last)


@pytest.mark.parametrize(("last", "confidence"), [("15s", Confidence.LIKELY), ("90s", Confidence.POSSIBLE)])
def test_karpenters_own_word_counts_where_no_pod_is_seen(last: str, confidence: Confidence) -> None:
    said = f"Karpenter said {'15s' if last == '15s' else '1m30s'} ago that it is nominated; no pod was seen that it is kept for"
    expected = [Blocker(Word.NOMINATED, said, (NODE,), confidence, since=ago("9m"))]

    assert kept(blocked_event("Node", last=last)) == expected
    assert kept(blocked_event("NodeClaim", last=last, name="default-n1")) == expected


def test_old_words_and_other_words_and_words_of_others_say_nothing() -> None:
    other = an_event(
        "DisruptionBlocked",
        "Node is nominated for a pending pod",
        about=InvolvedObject("Node", name="n1"),
        first="5s",
        component="x",
    )

    assert kept(blocked_event("Node", last="2m21s")) == []
    assert kept(blocked_event("Node", last="5s", message="Node isn't initialized")) == []
    assert kept(blocked_event("Node", last="5s", name="n2")) == []
    assert kept(other) == []


def test_without_events_a_nomination_is_unknown_while_somebody_waits() -> None:
    unread = {Kind.EVENT: Status.FORBIDDEN}
    unknown = Blocker(
        Word.UNKNOWN, "whether it is nominated for a pod is not known: Event is forbidden", (), Confidence.POSSIBLE, Lasts.UNKNOWN
    )

    assert kept(GHOST, missing=unread) == [unknown]
    assert kept(a_node("n1"), a_node("n2", deleted="1m"), a_pod("moving", on="n2"), missing=unread) == [unknown]
    assert kept(a_pod("web", on="n1"), missing=unread) == []


@pytest.mark.parametrize(("value", "keeps"), [("true", True), ("1h", False), ("True", False), ("", False)])
def test_of_a_nodes_annotation_only_true_counts(value: str, keeps: bool) -> None:  # noqa: FBT001  the expectation
    said = 'Node n1 says karpenter.sh/do-not-disrupt: "true"'
    blocker = Blocker(Word.DO_NOT_DISRUPT_NODE, said, (NODE,), lasts=Lasts.FOR_EVER)

    assert kept(a_node("n1", do_not_disrupt=value)) == [blocker] * keeps
    assert kept(a_nodeclaim(do_not_disrupt=value)) == [], "the Node's own counts once it is registered"


def test_until_a_node_is_registered_its_nodeclaims_annotation_counts() -> None:
    node = a_node("n1", initialized=False, labels={"karpenter.sh/registered": "false"})

    assert [blocker.word for blocker in kept(node, a_nodeclaim(initialized=False, do_not_disrupt="true"))] == [
        Word.NOT_INITIALIZED,
        Word.DO_NOT_DISRUPT_NODE,
    ]


def test_a_node_needs_its_nodepools_label_and_before_1_1_three_more() -> None:
    unlabelled = a_node("n1", pool="", labels={"karpenter.sh/registered": "true", "karpenter.sh/initialized": "true"})
    said = "Node n1 has no label karpenter.sh/nodepool"
    labels = {"karpenter.sh/capacity-type": "spot", "node.kubernetes.io/instance-type": "m5.large"}

    assert kept(unlabelled, a_nodeclaim()) == [Blocker(Word.MISSING_LABEL, said, (NODE,), lasts=Lasts.FOR_EVER)]
    assert [blocker.said for blocker in kept(a_node("n1", labels=labels), version=Version(1, 0, 8))] == [
        "Node n1 has no label topology.kubernetes.io/zone"
    ]
    assert kept(a_node("n1"), version=Version(1, 1)) == []


def test_a_nodepool_that_is_gone_keeps_its_nodes() -> None:
    cluster = replace_nodepools(a_cluster(a_node("n1"), version=V))
    unseen = replace_nodepools(a_cluster(a_node("n1"), version=V, missing={Kind.NODEPOOL: Status.FORBIDDEN}))
    ref = Ref("NodePool", "default", "karpenter.sh/v1")

    assert blockers(cluster, cluster.nodes[0]) == (
        Blocker(Word.NODEPOOL_NOT_FOUND, "there is no NodePool default", (ref,), lasts=Lasts.FOR_EVER),
    )
    assert blockers(unseen, unseen.nodes[0]) == (
        Blocker(
            Word.UNKNOWN,
            "whether there is NodePool default is not known: NodePool is forbidden",
            (ref,),
            Confidence.POSSIBLE,
            Lasts.UNKNOWN,
        ),
    )


def replace_nodepools(cluster: Snapshot) -> Snapshot:
    return Snapshot(
        cluster.taken_at,
        karpenter_version=cluster.karpenter_version,
        nodes=cluster.nodes,
        nodeclaims=cluster.nodeclaims,
        coverage=cluster.coverage,
    )


def test_all_blockers_come_in_karpenters_order() -> None:
    found = kept(
        a_node("n1", initialized=False, do_not_disrupt="true", deleted="1m"),
        a_nodeclaim(initialized=False, deleted="1m"),
        GHOST,
        nominated(GHOST, node="n1", first="5s"),
        a_budget("a", selects=WEB, allowed=0),
        a_budget("b", selects={"app": "db"}),
        a_budget("c", selects={"app": "db"}),
        a_pod("db", on="n1", labels={"app": "db"}),
        a_pod("web", on="n1", labels=WEB),
        a_pod("job", on="n1", do_not_disrupt="true"),
    )

    assert [blocker.word for blocker in found] == [
        Word.NOT_INITIALIZED,
        Word.TERMINATING,
        Word.NOMINATED,
        Word.DO_NOT_DISRUPT_NODE,
        Word.DO_NOT_DISRUPT_POD,
        Word.MULTIPLE_PDBS,
        Word.PDB,
    ]
    assert [blocker.word for blocker in found] == sorted((blocker.word for blocker in found), key=list(Word).index)


def owned(kind: str, api_version: str, name: str = "p") -> PodObject:
    pod = a_pod(name, on="n1", do_not_disrupt="true", tolerations=["*"])
    owner = OwnerReference(kind, "owner", "uid", api_version, controller=True)
    return replace(pod, metadata=replace(pod.metadata, owner_references=(owner,)))


@pytest.mark.parametrize(
    ("pod", "lasts"),
    [
        (owned("ReplicaSet", "apps/v1"), Lasts.FOR_EVER),
        (owned("DaemonSet", "apps/v1"), Lasts.FOR_EVER),
        (owned("Node", "v1"), Lasts.FOR_EVER),
        (owned("Job", "batch/v1"), Lasts.MAY_END),
        (owned("SparkApplication", "sparkoperator.k8s.io/v1beta2"), Lasts.UNKNOWN),
        (a_pod("p", on="n1", do_not_disrupt="true"), Lasts.UNKNOWN),
    ],
)
def test_a_pod_that_says_do_not_disrupt_keeps_its_node_whoever_owns_it(pod: PodObject, lasts: Lasts) -> None:
    said = 'Pod shop/p says karpenter.sh/do-not-disrupt: "true"'

    assert kept(pod) == [Blocker(Word.DO_NOT_DISRUPT_POD, said, (a_ref("p"),), lasts=lasts)]


@pytest.mark.parametrize("pod", [{"phase": "Succeeded"}, {"phase": "Failed"}, {"deleted": "1s"}, {"do_not_disrupt": "yes"}])
def test_a_pod_that_is_at_its_end_or_says_it_wrongly_keeps_nothing(pod: dict[str, str]) -> None:
    assert kept(a_pod("p", on="n1", **{"do_not_disrupt": "true", **pod})) == []  # type: ignore[arg-type]  # one keyword a case


def test_a_duration_keeps_the_node_until_it_elapses_where_karpenter_knows_them() -> None:
    pod, said = a_pod("p", on="n1", age="50m", do_not_disrupt="1h"), 'Pod shop/p says karpenter.sh/do-not-disrupt: "1h"'
    doubt = ", a duration, which Karpenter knows since 1.12; which version runs is not known"

    assert kept(pod) == [Blocker(Word.DO_NOT_DISRUPT_POD, said, (a_ref("p"),), until=ago("-10m"))]
    assert kept(pod, version=None) == [
        Blocker(Word.DO_NOT_DISRUPT_POD, said + doubt, (a_ref("p"),), Confidence.POSSIBLE, until=ago("-10m"))
    ]
    assert kept(pod, version=Version(1, 11)) == []


def test_a_budget_keeps_all_its_pods_in_one_blocker_and_says_how_it_stands() -> None:
    budget = a_budget("web", selects=WEB, allowed=0, healthy=1, desired_healthy=2)

    assert kept(budget, a_pod("web-1", on="n1", labels=WEB), a_pod("web-2", on="n1", labels=WEB)) == [
        Blocker(
            Word.PDB,
            "PodDisruptionBudget shop/web allows no disruption of Pod shop/web-1 and 1 more now: 1 healthy, 2 must be",
            (pdb("web"), a_ref("web-1"), a_ref("web-2")),
        )
    ]


def test_a_budget_that_never_allows_anything_keeps_the_node_for_ever() -> None:
    budget = a_budget("web", selects=WEB, allowed=0, max_unavailable=0, expected=2)

    assert kept(budget, a_pod("web-1", on="n1", labels=WEB)) == [
        Blocker(
            Word.PDB,
            "PodDisruptionBudget shop/web allows no disruption of Pod shop/web-1 now, nor ever: maxUnavailable: 0, no pod may be unavailable",
            (pdb("web"), a_ref("web-1")),
            lasts=Lasts.FOR_EVER,
        )
    ]


@pytest.mark.parametrize(
    ("replicas", "lasts"), [(2, Lasts.FOR_EVER), (3, Lasts.MAY_END), (None, Lasts.UNKNOWN)],
)  # fmt: skip
def test_a_budget_of_as_many_as_there_are_is_for_ever_if_no_more_are_wanted(replicas: int | None, lasts: Lasts) -> None:
    of = [a_deployment("web", replicas=replicas)] if replicas else []
    budget = a_budget("web", selects=WEB, allowed=0, min_available=2, expected=2)
    (blocker,) = kept(budget, *of, a_pod("web-1", on="n1", labels=WEB, of=of[0] if of else None))

    assert blocker.lasts is lasts


@pytest.mark.parametrize(
    "pod",
    [
        a_pod("web", on="n1", labels=WEB, phase="Succeeded"),
        a_pod("web", on="n1", labels=WEB, deleted="1s"),
        a_pod("web", on="n1", labels=WEB, tolerations=["*"]),
        a_pod("web", on="n1", labels={"app": "api"}),
        a_pod("web", on="n1", labels=WEB, namespace="data"),
        PodObject(Metadata("web", "shop", labels=WEB, owner_references=(OwnerReference("Node", "n1", "", "v1"),)), PodSpec("n1"), PodStatus("Running")),
    ],
)  # fmt: skip
def test_a_budget_is_not_asked_for_what_is_not_evicted_or_not_its_own(pod: PodObject) -> None:
    assert kept(a_budget("a", selects=WEB, allowed=0), a_budget("b", selects=WEB, allowed=0), pod) == []


def test_a_budget_is_asked_for_pods_of_daemonsets_and_for_pods_that_are_pending() -> None:
    logs = a_daemonset("logs", namespace="shop", tolerations=())
    found = kept(a_budget("all", allowed=0), logs, a_pod("logs-1", on="n1", of=logs), a_pod("new", on="n1", phase="Pending"))

    assert [blocker.objects for blocker in found] == [(pdb("all"), a_ref("logs-1"), a_ref("new"))]


def test_always_allow_lets_pods_go_that_are_not_ready() -> None:
    budget = a_budget("web", allowed=0, unhealthy_pods="AlwaysAllow")

    assert kept(budget, a_pod("web", on="n1", ready=False)) == []
    assert [blocker.word for blocker in kept(budget, a_pod("web", on="n1"))] == [Word.PDB]


TOGETHER = "PodDisruptionBudgets a and b match Pod shop/web together, and eviction refuses that"


@pytest.mark.parametrize("version", [Version(1, 7), V, Version(1, 14, 1)])
def test_several_budgets_of_a_pod_keep_the_node_for_ever_since_1_7(version: Version) -> None:
    assert kept(a_budget("a"), a_budget("b"), a_pod("web", on="n1"), version=version) == [
        Blocker(Word.MULTIPLE_PDBS, TOGETHER, (pdb("a"), pdb("b"), a_ref("web")), lasts=Lasts.FOR_EVER)
    ]


def test_before_1_7_several_budgets_keep_it_only_as_each_of_them_does() -> None:
    pod, old = a_pod("web", on="n1"), Version(1, 6)

    assert kept(a_budget("a"), a_budget("b"), pod, version=old) == []
    assert [blocker.objects for blocker in kept(a_budget("a"), a_budget("b", allowed=0), pod, version=old)] == [
        (pdb("b"), a_ref("web"))
    ]


def test_of_an_unknown_version_several_budgets_are_sure_to_keep_it_where_one_allows_nothing() -> None:
    pod, refs = a_pod("web", on="n1"), (pdb("a"), pdb("b"), a_ref("web"))
    doubt = "; Karpenter minds it since 1.7, and which version runs is not known"

    assert kept(a_budget("a"), a_budget("b"), pod, version=None) == [
        Blocker(Word.MULTIPLE_PDBS, TOGETHER + doubt, refs, Confidence.POSSIBLE, Lasts.FOR_EVER)
    ]
    assert kept(a_budget("a"), a_budget("b", allowed=0), pod, version=None) == [
        Blocker(Word.MULTIPLE_PDBS, TOGETHER, refs, lasts=Lasts.FOR_EVER)
    ]


def test_pods_and_budgets_that_were_not_seen_are_unknown() -> None:
    pods = Blocker(
        Word.UNKNOWN, "whether a pod keeps it is not known: Pod is not-collected", (NODE,), Confidence.POSSIBLE, Lasts.UNKNOWN
    )
    budgets = "whether PodDisruptionBudgets keep its pods is not known: PodDisruptionBudget is forbidden"
    forbidden = {Kind.PODDISRUPTIONBUDGET: Status.FORBIDDEN}

    assert kept(missing={Kind.POD: Status.NOT_COLLECTED}) == [pods]
    assert kept(a_pod("web", on="n1"), missing=forbidden) == [
        Blocker(Word.UNKNOWN, budgets, (), Confidence.POSSIBLE, Lasts.UNKNOWN)
    ]
    assert kept(a_pod("web", on="n1", tolerations=["*"]), missing=forbidden) == [], "it is not evicted, so no budget is asked"


KEEPING = (a_pod("job", on="n1", do_not_disrupt="true"), a_budget("web", allowed=0), a_pod("web", on="n1"))


def test_drift_minds_no_pod_where_the_nodeclaim_has_a_termination_grace_period() -> None:
    without = a_nodeclaim(termination_grace_period="")
    both = [Word.DO_NOT_DISRUPT_POD, Word.PDB]

    assert kept(*KEEPING, a_nodeclaim(termination_grace_period="0s"), eventual=True) == []
    assert [blocker.word for blocker in kept(*KEEPING, without, eventual=True)] == both
    assert [blocker.word for blocker in kept(*KEEPING, a_nodeclaim(), eventual=False)] == both


def test_drift_minds_the_nodes_own_annotation() -> None:
    assert [blocker.word for blocker in kept(a_node("n1", do_not_disrupt="true"), eventual=True)] == [Word.DO_NOT_DISRUPT_NODE]


def test_budgets_keep_a_node_since_they_allow_nothing_or_since_there_are_two() -> None:
    web = a_pod("web", on="n1", labels=WEB)
    closed = a_budget("a", selects=WEB, allowed=0, closed="5m")
    both = [a_budget(name, selects=WEB, age=age) for name, age in (("a", "9h"), ("b", "2h"))]

    assert [(blocker.word, blocker.since) for blocker in kept(web, closed)] == [(Word.PDB, ago("5m"))]
    assert [(blocker.word, blocker.since) for blocker in kept(web, *both)] == [(Word.MULTIPLE_PDBS, ago("2h"))]
