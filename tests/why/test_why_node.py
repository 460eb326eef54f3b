"""Why is this node still here, or why is it gone?"""

from dataclasses import replace

import pytest

from karpenter_check.disruption.blocker import Word
from karpenter_check.reports.why_node import render_why_node, render_why_node_json
from karpenter_check.snapshot import Kind, NodeClaim, Snapshot, Status, Version
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import Budget
from karpenter_check.snapshot.pod_object import PodObject
from karpenter_check.why.node import NodeAnswer, why_node
from karpenter_check.why.node_checks import Mark
from karpenter_check.why.node_gone import GoneNode
from karpenter_check.why.subject import NotFound
from tests.build import (
    a_budget,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    about,
    ago,
    an_attachment,
    an_event,
    nominated,
)

NODE = InvolvedObject("Node", name="n1")


def answered(snapshot: Snapshot, name: str = "n1") -> NodeAnswer:
    answer = why_node(snapshot, name)
    assert isinstance(answer, NodeAnswer)
    return answer


def gone(snapshot: Snapshot, name: str = "n1") -> GoneNode:
    answer = why_node(snapshot, name)
    assert isinstance(answer, GoneNode)
    return answer


def text(snapshot: Snapshot, name: str = "n1") -> str:
    return render_why_node(snapshot, why_node(snapshot, name), width=200, color=False)


def condition(kind: str, reason: str = "", since: str = "10m") -> Condition:
    return Condition(kind, "True", reason or kind, last_transition_time=ago(since))


def blocking(answer: NodeAnswer) -> list[Word]:
    return [check.word for check in answer.checks if check.mark is Mark.BLOCKS]


def unknown(answer: NodeAnswer) -> list[Word]:
    return [check.word for check in answer.checks if check.mark is Mark.UNKNOWN]


def test_an_empty_node_that_nothing_keeps_goes_soon() -> None:
    answer = answered(a_cluster(a_node("n1"), a_nodeclaim(node="n1", conditions=[condition("Consolidatable")])))

    assert answer.wanted is not None
    assert (answer.wanted.reason, blocking(answer), unknown(answer)) == ("Empty", [], [])
    assert answer.kept == "nothing that was checked keeps it: Karpenter should take it soon; if it does not, its log says why"


def test_a_node_whose_time_has_not_come_says_when_it_may() -> None:
    nodepool = a_nodepool(consolidate_after="1h")
    answer = answered(a_cluster(nodepool, a_node("n1"), a_nodeclaim(node="n1", last_pod_event="30m")))

    assert answer.wanted is not None
    assert answer.wanted.said == (
        "no: may be consolidated from 12:30:00Z (in 30m) on, if no pod comes or goes (lastPodEventTime and consolidateAfter 1h)"
    )
    assert (answer.kept, answer.fix) == ("nothing wants it gone", ())


def test_all_blockers_are_told_in_karpenters_order() -> None:
    web = a_deployment("web", replicas=2)
    answer = answered(
        a_cluster(
            a_nodepool(budgets=[Budget("0")]),
            a_node("n1", do_not_disrupt="true"),
            a_nodeclaim(node="n1", conditions=[condition("Drifted", "NodePoolDrifted")], termination_grace_period=""),
            web,
            a_pod("web-1", on="n1", of=web, do_not_disrupt="true"),
            a_pod("db-1", on="n1", labels={"app": "db"}),
            a_budget("db", selects={"app": "db"}, allowed=0, max_unavailable=0),
        )
    )

    assert blocking(answer) == [Word.DO_NOT_DISRUPT_NODE, Word.DO_NOT_DISRUPT_POD, Word.PDB, Word.BUDGET]
    assert answer.kept == 'it is kept because Node n1 says karpenter.sh/do-not-disrupt: "true"; 3 more do, too'
    assert [step.command for step in answer.fix] == [
        "kubectl annotate node n1 karpenter.sh/do-not-disrupt-",
        "kubectl annotate pod -n shop web-1 karpenter.sh/do-not-disrupt-",
        "kubectl describe poddisruptionbudget -n shop db",
    ]


def test_a_node_that_karpenter_has_begun_to_disrupt_is_on_its_way_out() -> None:
    conditions = [condition("Drifted", "NodePoolDrifted"), condition("DisruptionReason", "Drifted")]
    answer = answered(a_cluster(a_node("n1"), a_nodeclaim(node="n1", conditions=conditions)))

    assert answer.kept == "it is on its way out: Karpenter has begun to disrupt it as Drifted, since 11:50:00Z (10m ago)"


def test_a_pod_that_is_about_to_come_is_no_fault() -> None:
    pod = a_pod("web", age="20s")
    snapshot = a_cluster(
        a_node("n1"),
        a_nodeclaim(node="n1", conditions=[condition("Consolidatable")]),
        pod,
        nominated(pod, node="n1", first="10s"),
    )

    assert answered(snapshot).kept == "Karpenter expects the pod here, since 11:59:50Z (10s ago); it may be about to come"


def test_drift_with_a_grace_period_does_not_ask_the_pods() -> None:
    answer = answered(
        a_cluster(
            a_node("n1"),
            a_nodeclaim(node="n1", conditions=[condition("Drifted", "NodePoolDrifted")], termination_grace_period="1h"),
            a_pod("web-1", on="n1", do_not_disrupt="true"),
        )
    )

    assert (blocking(answer), unknown(answer)) == ([], [Word.PODS_WOULD_NOT_SCHEDULE])
    assert "drift does not ask them (terminationGracePeriod 1h)" in " ".join(check.said for check in answer.checks)


def test_a_drifted_node_that_a_budget_keeps_may_still_go_as_an_empty_one() -> None:
    answer = answered(
        a_cluster(
            a_nodepool(budgets=[Budget("0", reasons=("Drifted",))]),
            a_node("n1"),
            a_nodeclaim(node="n1", conditions=[condition("Drifted", "NodePoolDrifted"), condition("Consolidatable")]),
        )
    )

    assert answer.wanted is not None
    assert (answer.wanted.reason, blocking(answer)) == ("Empty", [])
    assert answer.wanted.said == (
        "gone, as Drifted: NodePoolDrifted since 11:50:00Z (10m ago); also gone, as Empty: Consolidatable since 11:50:00Z (10m ago) "
        "(WhenEmptyOrUnderutilized, consolidateAfter 1m)"
    )


def test_a_budget_with_a_schedule_says_when_it_opens() -> None:
    closed = Budget("0", schedule="0 9 * * *", duration="8h")
    snapshot = a_cluster(
        a_nodepool(budgets=[closed]), a_node("n1"), a_nodeclaim(node="n1", conditions=[condition("Consolidatable")])
    )

    assert "✗ budget for Empty: 0 of 1 may go now (spec.disruption.budgets[0]); opens 17:00:00Z (in 5h)" in text(snapshot)


@pytest.mark.parametrize(
    ("budget", "todo"),
    [
        (Budget("0"), "change its spec.disruption.budgets, which never let it go as they are"),
        (Budget("0", schedule="0 9 * * *", duration="8h"), "change its spec.disruption.budgets, or wait for them"),
        (
            Budget("1", schedule="0 25 * * *", duration="8h"),
            "change its spec.disruption.budgets, which never let it go as they are",
        ),
    ],
)
def test_nobody_is_told_to_wait_for_a_budget_that_never_opens(budget: Budget, todo: str) -> None:
    snapshot = a_cluster(
        a_nodepool(budgets=[budget]), a_node("n1"), a_nodeclaim(node="n1", conditions=[condition("Consolidatable")])
    )

    assert [(step.command, step.text) for step in answered(snapshot).fix] == [("kubectl edit nodepool default", todo)]


def test_a_budget_that_is_used_up_names_who_uses_it() -> None:
    snapshot = a_cluster(
        a_nodepool(budgets=[Budget("1")]),
        a_node("n1"),
        a_nodeclaim(node="n1", conditions=[condition("Consolidatable")]),
        a_node("n2", deleted="5m"),
        a_nodeclaim(node="n2", deleted="5m"),
    )

    assert "✗ budget for Empty: used up: 1 at once (spec.disruption.budgets[0]), used by n2 (its NodeClaim is being deleted)" in text(snapshot)  # fmt: skip


def test_what_was_not_seen_is_never_called_fine() -> None:
    missing = dict.fromkeys((Kind.POD, Kind.PODDISRUPTIONBUDGET, Kind.EVENT), Status.FORBIDDEN)
    answer = answered(a_cluster(a_node("n1"), a_nodeclaim(node="n1", conditions=[condition("Consolidatable")]), missing=missing))

    assert answer.wanted is not None
    assert (answer.wanted.reason, answer.wanted.known, answer.kept) == ("", False, "whether Karpenter wants it gone is not known")
    assert unknown(answer) == [Word.NOMINATED, Word.DO_NOT_DISRUPT_POD, Word.PDB]
    assert answer.unseen == ("Pod: forbidden", "PodDisruptionBudget: forbidden", "Event: forbidden")
    assert answer.runs.unknown == "Pod is forbidden"


@pytest.mark.parametrize(
    ("message", "last", "note"),
    [
        ('Pod has "karpenter.sh/do-not-disrupt" annotation (Pod=shop/web)', "1m", "agrees"),
        ('Pod has "karpenter.sh/do-not-disrupt" annotation (Pod=shop/web)', "20m", "not repeated since"),
        ("Node isn't initialized", "20m", "that has passed"),
        ("Node isn't initialized", "1m", "not seen now: it may have passed"),
        ("Node isn't initialized", "5s", "does not agree: that is not seen here"),
    ],
)
def test_karpenters_own_words_are_held_against_what_is_seen(message: str, last: str, note: str) -> None:
    answer = answered(
        a_cluster(
            a_node("n1"),
            a_nodeclaim(node="n1", conditions=[condition("Consolidatable")]),
            a_pod("web", on="n1", do_not_disrupt="true"),
            an_event("DisruptionBlocked", message, about=NODE, first="30m", last=last, times=3),
        )
    )

    assert [(said.reason, said.times, said.note) for said in answer.said] == [("DisruptionBlocked", 3, note)]


def test_what_keeps_a_drifted_node_from_consolidation_alone_contradicts_nothing() -> None:
    answer = answered(
        a_cluster(
            a_node("n1"),
            a_nodeclaim(node="n1", conditions=[condition("Drifted", "NodePoolDrifted")], termination_grace_period="1h"),
            a_pod("web", on="n1", do_not_disrupt="true"),
            an_event(
                "DisruptionBlocked", 'Pod has "karpenter.sh/do-not-disrupt" annotation', about=NODE, first="9m", last="5s", times=5
            ),
        )
    )

    assert [(said.agrees, said.note) for said in answer.said] == [(None, "that keeps it from consolidation, not from drift")]


@pytest.mark.parametrize("message", ["Pdb prevents pod evictions", "Eviction does not support multiple PDBs"])
def test_karpenters_word_of_what_was_not_seen_contradicts_nothing(message: str) -> None:
    answer = answered(
        a_cluster(
            a_node("n1"),
            a_nodeclaim(node="n1", conditions=[condition("Consolidatable")]),
            a_pod("web", on="n1"),
            an_event("DisruptionBlocked", message, about=NODE, first="9m", last="5s", times=5),
            missing={Kind.PODDISRUPTIONBUDGET: Status.FORBIDDEN},
        )
    )

    assert [(said.agrees, said.note) for said in answer.said] == [(None, "what it speaks of was not seen here")]


def test_a_node_that_karpenter_looked_at_and_left_says_so() -> None:
    answer = answered(
        a_cluster(
            a_node("n1"),
            a_nodeclaim(node="n1", conditions=[condition("Consolidatable")]),
            a_pod("web", on="n1"),
            an_event("Unconsolidatable", "Can't replace with a cheaper node", about=NODE, first="5m"),
        )
    )

    assert answer.kept == "Karpenter looked at it and left it: Can't replace with a cheaper node"


def test_what_runs_is_told_with_its_share() -> None:
    logs, web = a_daemonset("logs", cpu="200m"), a_deployment("web", replicas=2)
    snapshot = a_cluster(
        a_node("n1", cpu="2"), logs, web, a_pod("logs-1", on="n1", of=logs), a_pod("web-1", on="n1", of=web), a_pod("web-2", on="n1", of=web)
    )  # fmt: skip

    assert "RUNS      DaemonSets: logs 200m cpu (10 % of 2); workloads: shop/web x2\n" in text(snapshot)


def test_a_terminating_node_tells_what_holds_it_and_its_forced_end() -> None:
    snapshot = a_cluster(
        a_node("n1", deleted="10m"),
        a_nodeclaim(
            node="n1",
            deleted="10m",
            termination_grace_period="1h",
            conditions=[Condition("Drained", "Unknown", last_transition_time=ago("9m"))],
        ),
        a_pod("web", on="n1", do_not_disrupt="true"),
        version=Version(1, 13),
    )
    answer = answered(snapshot)

    assert (answer.wanted, answer.checks) == (None, ())
    assert answer.kept == (
        'it drains, and shop/web does not leave (karpenter.sh/do-not-disrupt: "true"); by force from 12:50:00Z (in 50m) on'
    )
    assert "PHASE     it is being drained, since 11:51:00Z (9m ago)" in text(snapshot)


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        (
            a_nodeclaim(deleted="10m", termination_grace_period="", forced_end="5m"),
            "forced end: 11:55:00Z (5m ago) (by its annotation karpenter.sh/nodeclaim-termination-timestamp)",
        ),
        (a_nodeclaim(deleted="10m", termination_grace_period=""), "forced end: none (no terminationGracePeriod)"),
        (
            a_nodeclaim(age="1h0m1s", expire_after="1h", termination_grace_period=""),
            "its time was up 11:59:59Z (1s ago), expireAfter 1h; forced end: none (no terminationGracePeriod)",
        ),
        (
            a_nodeclaim(age="5h", expire_after="1h", termination_grace_period="1h"),
            "should have expired 4h ago (expireAfter 1h), and nobody deleted it; forced end: terminationGracePeriod 1h after its deletion",
        ),
    ],
)
def test_a_forced_end_says_what_sets_it(claim: NodeClaim, told: str) -> None:
    (ends,) = [line for line in text(a_cluster(a_nodepool(), a_node("n1"), claim)).splitlines() if line.startswith("ENDS")]

    assert ends.endswith(told)


def test_a_node_that_waits_for_volumes_says_where_to_look() -> None:
    drained = [
        Condition("Drained", "True", last_transition_time=ago("9m")),
        Condition("VolumesDetached", "Unknown", last_transition_time=ago("9m")),
    ]
    answer = answered(a_cluster(a_node("n1", deleted="10m"), a_nodeclaim(node="n1", deleted="10m", conditions=drained)))

    assert (answer.kept, [step.command for step in answer.fix]) == (
        "it is drained, and waits for volumes to be detached",
        ["kubectl get volumeattachments"],
    )


def test_a_node_that_waits_for_volumes_names_them() -> None:
    drained = [
        Condition("Drained", "True", last_transition_time=ago("9m")),
        Condition("VolumesDetached", "Unknown", last_transition_time=ago("9m")),
    ]
    cluster = a_cluster(
        a_node("n1", deleted="10m"), a_nodeclaim(node="n1", deleted="10m", conditions=drained), an_attachment("pv-1", deleted="8m")
    )

    assert answered(cluster).kept == "it is drained, and waits for volumes to be detached: PersistentVolume pv-1"
    assert "HELD BY   · VolumeAttachment csi-pv-1 is being deleted since 11:52:00Z (8m ago)" in text(cluster).splitlines()


def test_a_node_that_waits_for_volumes_that_were_not_seen_says_so() -> None:
    drained = [Condition("Drained", "True", last_transition_time=ago("9m"))]
    cluster = a_cluster(
        a_node("n1", deleted="10m"),
        a_nodeclaim(node="n1", deleted="10m", conditions=drained),
        missing={Kind.VOLUMEATTACHMENT: Status.FORBIDDEN},
    )

    assert "HELD BY   ? VolumeAttachment is forbidden: which volumes are attached is not known" in text(cluster).splitlines()


def test_a_node_without_its_nodepools_label_says_how_to_give_it_back() -> None:
    claim = a_nodeclaim("c1", node="n1", conditions=[condition("Consolidatable")])
    node = a_node("n1", pool="", labels={"karpenter.sh/registered": "true", "karpenter.sh/initialized": "true"})
    answer = answered(a_cluster(a_nodepool(), node, claim))

    assert answer.wanted is not None
    assert answer.wanted.said == (
        "no: Node n1 has no label karpenter.sh/nodepool, and Karpenter disrupts gracefully only what has one"
    )
    assert answer.kept == "Karpenter never disrupts it gracefully, because Node n1 has no label karpenter.sh/nodepool"
    assert [step.command for step in answer.fix] == ["kubectl label node n1 karpenter.sh/nodepool=default"]


def test_a_node_whose_nodepool_is_gone_says_so_and_how_it_goes() -> None:
    claim = a_nodeclaim("c1", node="n1", pool="old", conditions=[condition("Consolidatable")])
    answer = answered(replace(a_cluster(a_node("n1", pool="old"), claim), nodepools=()))

    assert answer.kept == "Karpenter never disrupts it gracefully, because there is no NodePool old"
    assert [step.command for step in answer.fix] == ["kubectl delete nodeclaim c1"]


def test_a_static_nodepool_makes_the_replacement_of_a_drifted_node_first() -> None:
    claim = a_nodeclaim(node="n1", conditions=[condition("Drifted", "NodePoolDrifted")])
    answer = answered(a_cluster(a_nodepool(replicas=1), a_node("n1"), claim))

    assert [check.said for check in answer.checks if check.mark is Mark.UNKNOWN] == [
        "whether its replacement may be made first: not above limits.nodes, nor while there are more nodes than replicas"
    ]


def test_a_node_that_is_not_karpenters_is_told_so_briefly() -> None:
    snapshot = a_cluster(a_node("n1", pool=""))

    assert text(snapshot).splitlines() == [
        "WHAT      node n1, age 1h, Ready",
        "KARPENTER it has no NodeClaim, so it is not Karpenter's to disrupt",
        "RUNS      DaemonSets: none; workloads: none",
    ]


def test_a_nodeclaim_without_a_node_says_how_far_it_is() -> None:
    claim = a_nodeclaim("c1", node="", launched=False, registered=False, initialized=False, age="5m")
    answer = answered(a_cluster(a_nodepool(), claim), "nodeclaim/c1")

    assert (blocking(answer), answer.kept) == ([Word.NO_NODE], "its NodeClaim has no Node: Launched is Unknown")


def test_a_node_that_is_gone_tells_what_ended_it() -> None:
    answer = gone(
        a_cluster(
            a_nodepool(),
            an_event("DisruptionTerminating", "Disrupting Node: Drifted", about=NODE, first="20m"),
            an_event("RemovingNode", "Node n1 event: Removing", about=NODE, first="19m", component="node-controller"),
        )
    )

    assert (answer.conclusion, [event.reason for event in answer.events]) == (
        "Karpenter disrupted it as Drifted",
        ["DisruptionTerminating", "RemovingNode"],
    )


def test_a_node_that_replaced_others_was_born_so_and_did_not_die_of_it() -> None:
    claim = InvolvedObject("NodeClaim", name="default-abcde")
    answer = gone(
        a_cluster(a_nodepool(), an_event("DisruptionLaunching", "Launching NodeClaim: Drifted", about=claim, first="20m")),
        "default-abcde",
    )

    assert (answer.born, answer.ended, answer.nodepool) == (ago("20m"), None, "default")
    assert answer.conclusion == "nothing tells of its end: events are kept for an hour, and not every end leaves one"


def test_the_reason_of_its_pods_evictions_is_the_nodes() -> None:
    pod = a_pod("web", on="n2")
    events = [
        an_event("Scheduled", "Successfully assigned shop/web to n1", about=about(pod), first="50m", component="default-scheduler"),
        an_event("Evicted", "Evicted pod: Underutilized", about=about(pod), first="10m"),
    ]

    assert gone(a_cluster(a_node("n2"), pod, *events)).conclusion == "Karpenter disrupted it as Underutilized: its pods were evicted for that"  # fmt: skip


def registered(claim: str, node: str, when: str) -> list[Event]:
    return [
        an_event("Registered", "Status condition transitioned", about=InvolvedObject("NodeClaim", name=claim), first=when),
        an_event("RegisteredNode", "Registered", about=InvolvedObject("Node", name=node), first=when, component="node-controller"),
    ]


def bound(pod: PodObject, node: str, when: str) -> Event:
    message = f"Successfully assigned shop/{pod.metadata.name} to {node}"
    return an_event("Scheduled", message, about=about(pod), first=when, component="default-scheduler")


def test_a_pod_that_was_meant_for_a_nodeclaim_and_ran_on_a_node_makes_them_probably_one() -> None:
    pod = a_pod("web", on="n2")
    events = [*registered("c1", "n1", "50m"), nominated(pod, to="c1", first="51m"), bound(pod, "n1", "49m")]
    snapshot = a_cluster(a_nodepool(), a_node("n2"), pod, *events)

    assert (gone(snapshot, "c1").node, gone(snapshot, "c1").one) == ("n1", False)
    assert text(snapshot, "c1").startswith("WHAT      NodeClaim c1, probably node n1, not there any more")
    assert text(snapshot, "n1").startswith("WHAT      node n1, probably NodeClaim c1, not there any more")


@pytest.mark.parametrize(("meant", "other"), [("51m", "40m"), ("20m", "50m")])
def test_a_pod_that_ran_elsewhere_or_moves_on_makes_no_node_and_nodeclaim_one(meant: str, other: str) -> None:
    pod = a_pod("web", on="n2")
    events = [
        *registered("c1", "n3", meant),
        *registered("c2", "n1", other),
        nominated(pod, to="c1", first=meant),
        bound(pod, "n1", "39m"),
    ]

    assert gone(a_cluster(a_nodepool(), a_node("n2"), pod, *events), "c1").node == ""


def test_a_pod_that_was_only_meant_for_a_nodeclaim_did_not_run_there() -> None:
    pod = a_pod("web", on="n2")
    evicted = an_event("Evicted", "Evicted pod: Underutilized", about=about(pod), first="10m")
    answer = gone(a_cluster(a_nodepool(), a_node("n2"), pod, nominated(pod, to="c1", first="50m"), evicted), "c1")

    assert (answer.pods, answer.evicted) == ((), ())
    assert answer.conclusion == "nothing tells of its end: events are kept for an hour, and not every end leaves one"


def test_a_nodeclaim_that_is_gone_is_not_answered_with_a_node_of_another() -> None:
    pod = a_pod("web", on="n1")
    events = [*registered("c1", "n1", "50m"), nominated(pod, to="c1", first="51m"), bound(pod, "n1", "49m")]

    assert gone(a_cluster(a_nodepool(), a_node("n1"), a_nodeclaim("c2", node="n1"), pod, *events), "c1").node == ""


def test_an_interruption_is_told() -> None:
    claim = InvolvedObject("NodeClaim", name="c1")
    event = an_event("SpotInterrupted", "Spot interruption warning was triggered", about=claim, first="20m")

    assert gone(a_cluster(a_nodepool(), event), "c1").conclusion == "it was interrupted: Spot interruption warning was triggered"


def test_a_name_that_nothing_knows_is_not_found() -> None:
    with pytest.raises(NotFound, match=r"there is no node or NodeClaim 'n2', and no event tells of one$"):
        why_node(a_cluster(a_node("n1")), "n2")


def test_where_nodes_were_not_seen_nothing_is_called_gone() -> None:
    event = an_event("RegisteredNode", "Registered", about=NODE, first="20m", component="node-controller")
    snapshot = a_cluster(a_nodepool(), event, missing={Kind.NODE: Status.FORBIDDEN})

    assert gone(snapshot).seen is False
    assert "node n1, not seen" in text(snapshot)


def test_of_a_node_that_was_not_seen_its_nodeclaim_proves_nothing() -> None:
    claim = a_nodeclaim("c1", node="n1", conditions=[condition("Consolidatable")])
    answer = answered(a_cluster(a_nodepool(), claim, missing={Kind.NODE: Status.FORBIDDEN}), "c1")

    assert (blocking(answer), unknown(answer)) == (
        [],
        [Word.NO_NODE, Word.TERMINATING, Word.DO_NOT_DISRUPT_NODE],
    )
    assert answer.kept == "whether Karpenter wants it gone is not known"


def test_without_nodeclaims_a_node_is_found_by_what_was_nominated_to_it() -> None:
    pod = a_pod("web", on="n1")
    event = nominated(pod, to="c1", node="n1", first="30m")
    snapshot = a_cluster(a_node("n1", pool=""), pod, event, missing={Kind.NODECLAIM: Status.FORBIDDEN})

    assert answered(snapshot, "c1").foreign == "whether it is Karpenter's is not known: NodeClaim is forbidden"


def test_text_of_the_cluster_is_escaped() -> None:
    event = an_event("DisruptionBlocked", "Node \x1b[31mred\nline", about=NODE, first="1m")
    snapshot = a_cluster(a_node("n1"), event)

    assert 'DisruptionBlocked: "Node \\x1b[31mred\\nline"' in text(snapshot)
    assert "\x1b" not in render_why_node_json(snapshot, why_node(snapshot, "n1"), "1")
