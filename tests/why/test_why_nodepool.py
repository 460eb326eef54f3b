"""What is it with this NodePool?"""

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from karpenter_check.collect.files import read_files
from karpenter_check.disruption.allowance import Unknown
from karpenter_check.disruption.blocker import Word
from karpenter_check.finding import Fix
from karpenter_check.reports.why_nodepool import render_why_nodepool
from karpenter_check.reports.why_nodepool_json import render_why_nodepool_json
from karpenter_check.snapshot import NO_TIME, Kind, Ref, Snapshot, Status, Version
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import Budget
from karpenter_check.why.nodepool import why_nodepool
from karpenter_check.why.nodepool_disruption import Kept
from karpenter_check.why.nodepool_limits import Limit
from karpenter_check.why.nodepool_members import Members
from karpenter_check.why.subject import NotFound
from tests.build import (
    a_budget,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_healthy_cluster,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    ago,
)

FAULTS = Path(__file__).parent.parent / "recordings" / "faults"
TAKEN_AT = datetime(2026, 11, 21, 8, 17, 14, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
DRIFTED = Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=ago("5m"))
CONSOLIDATABLE = Condition("Consolidatable", "True", "Consolidatable", last_transition_time=ago("5m"))


@pytest.fixture(scope="module")
def faults() -> Snapshot:
    return read_files([FAULTS], complete=False, at=TAKEN_AT, karpenter_version=None).snapshot


def shown(snapshot: Snapshot, name: str = "web", *, zone: ZoneInfo | None = None, width: int = 1000) -> str:
    return render_why_nodepool(snapshot, why_nodepool(snapshot, name), width=width, color=False, zone=zone or ZoneInfo("UTC"))


def line(text: str, heading: str) -> Sequence[str]:
    """What stands behind a heading."""
    lines = text.splitlines()
    first = next(place for place, entry in enumerate(lines) if entry.startswith(heading))
    rest = [entry[12:] for entry in lines[first:]]
    count = next((place for place, entry in enumerate(lines[first + 1 :], 1) if not entry.startswith(" ")), len(rest))
    return rest[:count]


def budgeted(*budgets: Budget) -> Snapshot:
    """A NodePool with two nodes and these budgets."""
    return a_cluster(a_nodepool("web", budgets=budgets), a_node("n1", pool="web"), a_node("n2", pool="web"))


@pytest.mark.parametrize("name", ["general", "frozen", "tiny", "drifty", "broken", "guarded", "shortlived", "batch-spot"])
def test_a_nodepool_of_the_recording_fits_one_screen(faults: Snapshot, name: str) -> None:
    lines = shown(faults, name, width=120, zone=BERLIN).splitlines()

    assert (len(lines) <= 24, max(map(len, lines)) <= 120) == (True, True)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("general", "cpu 8940m of 64 used, 55060m left (its NodeClaims: 8940m)"),
        ("general", "too little for Deployment shop/huge: limited to 64 cpu, 900170m needed"),
        ("general", "may be Underutilized, kept by multiple_pdbs: 1 node"),
        ("frozen", "0 of 1 node allowed now, none used; by budgets[0] (nodes 0); no opening within 7 days"),
        ("frozen", "may be Underutilized, kept by budget: 1 node: kwok-frozen-"),
        ("tiny", "DO          raise its limit of cpu to 3140m or more, which Deployment shop/tiny-app needs at the least"),
        ("drifty", "Drifted, kept by do_not_disrupt_pod: 1 node"),
        ("broken", "not Ready (UnhealthyDependents: NodeClassReady=False), KWOKNodeClass missing (is not there)"),
        ("broken", "DO          make KWOKNodeClass missing, or name another in spec.template.spec.nodeClassRef"),
        ("broken", "Empty, Underutilized, Drifted: there is no initialized node to let go"),
        ("shortlived", "1 used by kwok-shortlived-mr7gw-liftersapphire-3-5quxdtwbbv-4114980422 (its NodeClaim is being deleted), 0 left"),
        ("guarded", "startupTaints agent.example.com/not-ready:NoSchedule"),
    ],
)  # fmt: skip
def test_the_recording_is_told(faults: Snapshot, name: str, told: str) -> None:
    assert told in shown(faults, name)


def test_nothing_is_to_do_where_nothing_is_wrong() -> None:
    cluster = a_healthy_cluster()

    answer = why_nodepool(cluster, "nodepool/default")

    assert (answer.fix, answer.unseen, "\nDO " in shown(cluster, "default")) == ((), (), False)


def test_requirements_are_told_in_words() -> None:
    requirements = ["kubernetes.io/arch In amd64,arm64", "topology.kubernetes.io/zone NotIn a", "karpenter.k8s.aws/instance-cpu Gt 4",
                    "karpenter.k8s.aws/instance-family Exists min 3", "gpu DoesNotExist"]  # fmt: skip
    cluster = a_cluster(a_nodepool("web", requirements=requirements, labels={"team": "a"}, startup_taints=["agent:NoExecute"]))

    assert line(shown(cluster), "BUYS") == [
        (
            "kubernetes.io/arch one of amd64, arm64; topology.kubernetes.io/zone not a; karpenter.k8s.aws/instance-cpu >= 5; "
            "karpenter.k8s.aws/instance-family any (at least 3 different); gpu none"
        ),
        "labels team=a; taints none; startupTaints agent:NoExecute",
    ]


def test_a_limit_that_is_used_up_is_told_with_what_to_do() -> None:
    cluster = a_cluster(a_nodepool("web", limits={"cpu": "4", "nvidia.com/gpu": "2"}, used={"cpu": "5", "nodes": "1"}))

    answer = why_nodepool(cluster, "web")

    assert (answer.limits, answer.fix) == (
        (Limit("cpu", 4000, 5000, 0), Limit("nvidia.com/gpu", 2000, 0, 0)),
        (Fix("fix", text="raise its limit of cpu, 4, or let workloads go: all of it is used"),),
    )
    assert line(shown(cluster), "LIMITS") == [
        "cpu 5 of 4 used, 1 over (its NodeClaims: 0); nvidia.com/gpu 0 of 2 used, 2 left (its NodeClaims: 0)"
    ]


def test_a_limit_without_a_status_is_not_said_to_be_free() -> None:
    cluster = a_cluster(a_nodepool("web", limits={"cpu": "4"}), missing={Kind.NODECLAIM: Status.FORBIDDEN})

    assert line(shown(cluster), "LIMITS") == ["cpu 4, used: not said"]


def test_workloads_come_by_what_they_ask_and_daemonsets_apart() -> None:
    logs = a_daemonset("logs", cpu="50m", memory="64Mi")
    owners = [a_deployment(name) for name in ("a", "b", "c", "d", "e")]
    pods = [a_pod(f"{owner.metadata.name}-1", on="n1", of=owner, cpu=f"{place}00m") for place, owner in enumerate(owners, 1)]
    cluster = a_cluster(a_nodepool("web"), a_node("n1", pool="web"), logs, a_pod("logs-1", on="n1", of=logs), *owners, *pods)

    assert line(shown(cluster), "USED BY") == [
        "Deployment shop/e: 1 pod, 500m cpu, 128Mi memory",
        "Deployment shop/d: 1 pod, 400m cpu, 128Mi memory",
        "Deployment shop/c: 1 pod, 300m cpu, 128Mi memory",
        "and 2 more workloads with 2 pods",
        "1 DaemonSet counts against it, 50m cpu, 64Mi memory of each node",
    ]


def test_of_karpenter_1_14_daemonsets_are_counted_at_most() -> None:
    cluster = a_cluster(a_nodepool("web"), a_daemonset("logs"), version=Version(1, 14))

    assert line(shown(cluster), "USED BY")[-1] == "1 DaemonSet counts against it at most, 100m cpu, 128Mi memory of each node"


def test_nodes_are_counted_by_what_is_to_come() -> None:
    cluster = a_cluster(
        a_nodepool("web"),
        *(a_node(f"n{place}", pool="web", ready=place != 1, initialized=place != 1) for place in range(1, 6)),
        a_nodeclaim(node="n1", pool="web", conditions=[DRIFTED]),
        a_nodeclaim(node="n2", pool="web", age="700h"),
        a_nodeclaim(node="n3", pool="web", age="600h"),
        a_nodeclaim(node="n4", pool="web", age="721h"),
        a_nodeclaim(node="n5", pool="web", age="719h", deleted="1m"),
        a_nodeclaim("new", node="", pool="web"),
    )

    assert why_nodepool(cluster, "web").members == Members(
        nodes=5, ready=4, initialized=4, terminating=1, without_node=1, drifted=1, overdue=1, expiring_in_a_day=1, expiring_in_a_week=2
    )  # fmt: skip
    assert line(shown(cluster), "NODES") == [
        "5 nodes: 4 ready, 4 initialized, 1 terminating, 1 drifted; expiring 1 in 24 h, 2 in 7 d, 1 overdue; and 1 NodeClaim without a node"
    ]


@pytest.mark.parametrize(
    ("budgets", "zone", "told"),
    [
        ((Budget("2"),), "UTC", "2 throughout"),
        ((), "UTC", "any throughout"),
        ((Budget("2"), Budget("0", "0 9 * * 1-5", duration="8h")), "UTC", "Mon-Fri 09:00-17:00Z: 0; else 2"),
        ((Budget("2"), Budget("0", "0 9 * * 1-5", duration="8h")), "Europe/Berlin",
         "Mon-Fri 09:00-17:00Z (10:00-18:00 CET): 0; else 2"),
        ((Budget("2"), Budget("0", "0 22 * * 1-5", duration="4h")), "Asia/Tokyo",
         "Mon-Fri 22:00-02:00Z (Tue-Sat 07:00-11:00 JST): 0; else 2"),
        ((Budget("0", "0 0 * * *", duration="23h30m"),), "UTC", "daily 23:30-00:00Z: any; else 0"),
        ((Budget("2"), Budget("0", "0 0 * * 6", duration="48h")), "UTC", "Sat 00:00-Mon 00:00Z: 0; else 2"),
        ((Budget("2"), Budget("0", "0 3 24 * *", duration="4h")), "UTC",
         "Tue 2026-11-24 03:00Z to Tue 2026-11-24 07:00Z: 0; else 2"),
        ((Budget("2"), Budget("0", "0 9 * * 6", duration="5h"), Budget("1", "0 3 * * 1,3", duration="2h")), "UTC",
         "Sat 09:00-14:00Z: 0; Mon/Wed 03:00-05:00Z: 1; else 2"),
        ((Budget("2"), Budget("0", "*/10 * * * *", duration="5m")), "UTC",
         "daily 00:05-00:10, 00:15-00:20, 00:25-00:30Z and 141 more a day: 2; else 0"),
        ((Budget("2"), Budget("0", "7 3 * * 1", duration="1h"), Budget("0", "8 4 * * 2", duration="1h"), Budget("0", "9 5 * * 3", duration="1h")),
         "UTC", ("until Mon 2026-11-23 03:07Z 2; until Mon 2026-11-23 04:07Z 0; until Tue 2026-11-24 04:08Z 2; until Tue 2026-11-24 05:08Z 0; "
         "and 3 more windows")),
    ],
)  # fmt: skip
def test_the_week_ahead_is_folded_to_hours(budgets: Sequence[Budget], zone: str, told: str) -> None:
    text = shown(budgeted(*budgets), zone=ZoneInfo(zone))

    assert line(text, "NEXT 7 DAYS") == [f"Empty, Underutilized, Drifted: {told}"]


def test_where_local_clocks_change_within_the_week_hours_stay_utc() -> None:
    cluster = replace(
        budgeted(Budget("2"), Budget("0", "0 9 * * 1-5", duration="8h")), taken_at=datetime(2026, 10, 22, 12, tzinfo=UTC)
    )

    assert line(shown(cluster, zone=BERLIN), "NEXT 7 DAYS") == [
        "Empty, Underutilized, Drifted: Mon-Fri 09:00-17:00Z (local clocks change in that time): 0; else 2"
    ]


def test_the_next_opening_is_told_where_nothing_may_go() -> None:
    cluster = budgeted(Budget("0", "0 11 * * *", duration="2h"))

    assert line(shown(cluster, zone=BERLIN), "DISRUPTION") == [
        (
            "Empty, Underutilized, Drifted: 0 of 2 nodes allowed now, none used; by budgets[0] (nodes 0, 0 11 * * * UTC for 2h); "
            "next opening Sat 2026-11-21 13:00Z (14:00 CET)"
        )
    ]


def test_reasons_differ_where_their_budgets_do() -> None:
    cluster = budgeted(Budget("1", reasons=("Drifted",)))

    assert line(shown(cluster), "DISRUPTION") == [
        "Empty, Underutilized: any of 2 nodes allowed now, as no budget holds, none used",
        "Drifted: 1 of 2 nodes allowed now, none used; by budgets[0] (nodes 1)",
    ]


def test_a_schedule_that_does_not_parse_is_told_with_its_reason_and_what_to_do() -> None:
    cluster = budgeted(Budget("2"), Budget("0", "0 9 * * 7", duration="1h", reasons=("Drifted",)))

    text = shown(cluster)

    assert line(text, "DISRUPTION") == [
        (
            "Empty, Underutilized, Drifted: 0 of 2 nodes allowed now, none used; by budgets[1] (nodes 0, 0 9 * * 7 UTC for 1h); "
            "no opening until that is mended"
        ),
        'Karpenter cannot read spec.disruption.budgets[1]: schedule "0 9 * * 7": day of week "7": 7 is above 6, and Sunday is 0',
    ]
    assert line(text, "DO") == ["mend spec.disruption.budgets[1], which Karpenter cannot read"]


def test_a_node_that_karpenter_has_begun_to_disrupt_may_be_given_back() -> None:
    begun = Condition("DisruptionReason", "True", "Drifted", last_transition_time=ago("1m"))
    cluster = a_cluster(
        a_nodepool("web", budgets=[Budget("1")]),
        a_node("n1", pool="web"),
        a_nodeclaim(node="n1", pool="web", conditions=[DRIFTED, begun]),
    )

    text = shown(cluster)

    assert line(text, "DISRUPTION") == [
        (
            "Empty, Underutilized, Drifted: 1 of 1 node allowed now, 1 used by n1 (Karpenter has begun to disrupt it), "
            "0 (1 if Karpenter gives up what it has begun) left; by budgets[0] (nodes 1)"
        )
    ]
    assert line(text, "BLOCKED AT") == ["Drifted, kept by terminating: 1 node: n1: Karpenter has begun to disrupt it as Drifted"]


def test_static_nodepools_only_drift() -> None:
    cluster = a_cluster(a_nodepool("web", replicas=1, budgets=[Budget("100%")]), a_node("n1", pool="web"))

    assert line(shown(cluster), "DISRUPTION") == [
        "Empty, Underutilized: never (static)",
        "Drifted: 1 of 1 node allowed now, none used; by budgets[0] (nodes 100%)",
    ]


def test_a_drifted_node_that_a_budget_keeps_may_still_go_as_an_empty_one() -> None:
    conditions = [Condition("Drifted", "True", "NodePoolDrifted"), Condition("Consolidatable", "True")]
    nodepool = a_nodepool("web", budgets=[Budget("0", reasons=("Drifted",))])
    cluster = a_cluster(nodepool, a_node("n1", pool="web"), a_nodeclaim(node="n1", pool="web", conditions=conditions))

    assert why_nodepool(cluster, "web").kept == (Kept("Empty", None, "", ("n1",)),)


def test_of_pods_that_were_not_seen_a_budget_of_every_reason_keeps_a_drifted_node_all_the_same() -> None:
    conditions = [Condition("Drifted", "True", "NodePoolDrifted"), Condition("Consolidatable", "True")]
    nodepool = a_nodepool("web", budgets=[Budget("0")])
    nodes = (a_node("n1", pool="web"), a_nodeclaim(node="n1", pool="web", conditions=conditions))
    cluster = a_cluster(nodepool, *nodes, missing={Kind.POD: Status.FORBIDDEN})

    assert why_nodepool(cluster, "web").kept == (Kept("Drifted", Word.BUDGET, "the budgets leave none now", ("n1",)),)


def test_what_wants_to_go_is_told_with_the_first_thing_that_keeps_it() -> None:
    web = a_deployment("web", labels={"app": "web"})
    cluster = a_cluster(
        a_nodepool("web", budgets=[Budget("1")]),
        *(a_node(f"n{place}", pool="web") for place in range(1, 5)),
        a_nodeclaim(node="n1", pool="web", conditions=[DRIFTED]),
        a_nodeclaim(node="n2", pool="web", conditions=[CONSOLIDATABLE]),
        a_nodeclaim(node="n3", pool="web", conditions=[CONSOLIDATABLE]),
        web,
        a_pod("web-1", on="n1", of=web, do_not_disrupt="true"),
        a_pod("web-2", on="n2", of=web, labels={"app": "web"}),
        a_budget("web", selects={"app": "web"}, allowed=0),
    )

    kept = why_nodepool(cluster, "web").kept

    assert not isinstance(kept, Unknown)
    assert [(one.reason, one.word, one.nodes) for one in kept] == [
        ("Drifted", None, ("n1",)),  # its terminationGracePeriod waives the annotation
        ("Empty", None, ("n3",)),
        ("Underutilized", Word.PDB, ("n2",)),
    ]


def test_a_budget_keeps_what_nothing_else_does() -> None:
    cluster = a_cluster(
        a_nodepool("web", budgets=[Budget("0")]),
        a_node("n1", pool="web"),
        a_nodeclaim(node="n1", pool="web", conditions=[CONSOLIDATABLE]),
    )

    assert why_nodepool(cluster, "web").kept == (Kept("Empty", Word.BUDGET, "the budgets leave none now", ("n1",)),)


def test_without_every_pod_no_node_is_called_empty() -> None:
    cluster = a_cluster(
        a_nodepool("web"),
        a_node("n1", pool="web"),
        a_nodeclaim(node="n1", pool="web", conditions=[CONSOLIDATABLE]),
        missing={Kind.POD: Status.FORBIDDEN},
    )

    text = shown(cluster)

    assert line(text, "BLOCKED AT") == [
        "Empty or Underutilized, kept by unknown: 1 node: n1: whether a pod keeps it is not known: Pod is forbidden"
    ]
    assert line(text, "USED BY")[0] == "not known: Pod is forbidden"
    assert line(text, "UNSEEN") == ["Pod: forbidden"]


def test_without_nodeclaims_what_they_would_tell_is_not_known() -> None:
    cluster = a_cluster(a_nodepool("web"), a_node("n1", pool="web"), missing={Kind.NODECLAIM: Status.FORBIDDEN})

    text = shown(cluster)

    assert line(text, "NODES") == [
        "1 node: 1 ready, 1 initialized, 0 terminating; drifted and expiring: not known without all NodeClaims"
    ]
    assert line(text, "DISRUPTION") == [
        "Empty, Underutilized, Drifted: not known: not every NodeClaim was seen: forbidden",
    ]
    assert line(text, "BLOCKED AT") == ["not known: NodeClaim is forbidden"]


def test_without_a_time_nothing_is_said_of_the_week() -> None:
    cluster = Snapshot(NO_TIME, nodepools=budgeted(Budget("1")).nodepools)

    text = shown(cluster)

    assert line(text, "DISRUPTION") == ["Empty, Underutilized, Drifted: not known: the input carries no time, and --at gives none"]
    assert line(text, "NEXT 7 DAYS") == ["Empty, Underutilized, Drifted: not known either"]
    assert line(text, "NODES") == ["not known: Node is not-collected"]


def test_a_manifest_alone_is_answered_as_far_as_it_goes() -> None:
    budgets = [Budget("1"), Budget("0", "0 9 * * 1-5", duration="8h")]
    cluster = Snapshot(ago("0s"), nodepools=(a_nodepool("web", budgets=budgets), a_nodepool("other")))

    assert line(shown(cluster), "WHAT")[0] == (
        "NodePool web: Ready, EC2NodeClass default (not seen: NodeClass is not-collected), weight 0, not static"
    )
    assert line(shown(cluster), "NEXT 7 DAYS") == ["Empty, Underutilized, Drifted: Mon-Fri 09:00-17:00Z: 0; else 1"]


def test_the_clusters_text_is_shown_as_text() -> None:
    cluster = a_cluster(a_nodepool("web", labels={"x\x1b[31m": "[red]\u202e"}, not_ready="a\r\nb\x07" * 200))

    text = shown(cluster, width=80)

    assert [entry for entry in text if entry != "\n" and unicodedata.category(entry) in {"Cc", "Cf", "Zl"}] == []
    assert (r"\x1b[31m=[red]\u202e" in text, max(map(len, text.splitlines())) <= 80) == (True, True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wbe", "there is no NodePool 'wbe': did you mean web?"),
        ("nothing-like-it", "there is no NodePool 'nothing-like-it'"),
        ("deployment/web", "'deployment' is not NodePool"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_the_nearest(name: str, message: str) -> None:
    with pytest.raises(NotFound) as refused:
        why_nodepool(a_cluster(a_nodepool("web")), name)

    assert str(refused.value) == message


def test_the_answer_is_json_too() -> None:
    cluster = budgeted(Budget("2"), Budget("0", "0 9 * * 1-5", duration="8h"))

    document = json.loads(render_why_nodepool_json(cluster, why_nodepool(cluster, "web"), "1.2.3"))

    assert (document["schema"], document["run"]["takenAt"], document["nodePool"]) == (
        "karpenter-check/why-nodepool/v1",
        "2026-11-21T12:00:00Z",
        {"kind": "NodePool", "name": "web"},
    )
    assert (document["nodes"]["count"], document["workloads"], document["kept"], document["fix"]) == (2, [], [], [])
    drifted = document["disruption"][2]
    assert {**drifted, "windows": drifted["windows"][:2]} == {
        "reason": "Drifted",
        "never": "",
        "now": {"allowed": 2, "left": 2, "leftAtMost": 2, "nodes": 2, "used": [], "by": ["spec.disruption.budgets[0]"]},
        "nextOpening": "2026-11-21T12:00:00Z",
        "windows": [
            {"start": "2026-11-21T12:00:00Z", "end": "2026-11-23T09:00:00Z", "allowed": 2, "by": ["spec.disruption.budgets[0]"]},
            {"start": "2026-11-23T09:00:00Z", "end": "2026-11-23T17:00:00Z", "allowed": 0, "by": ["spec.disruption.budgets[1]"]},
        ],
        "moreWindows": 0,
    }


def test_pods_that_only_a_limit_keeps_waiting_are_named() -> None:
    web = a_deployment("web")
    cluster = a_cluster(
        a_nodepool("web", limits={"cpu": "4"}, used={"cpu": "3900m", "nodes": "1"}),
        a_nodepool("tainted", limits={"cpu": "4"}, used={"cpu": "3900m", "nodes": "1"}, taints=["a:NoSchedule"]),
        web,
        a_pod("web-1", of=web, cpu="2"),
    )

    answers = [why_nodepool(cluster, name) for name in ("web", "tainted")]

    assert [list(answer.short_of) for answer in answers] == [[Ref("Deployment", "web", "apps/v1", "shop")], []]
    assert answers[0].fix == (
        Fix("fix", text="raise its limit of cpu to 5900m or more, which Deployment shop/web needs at the least"),
    )
