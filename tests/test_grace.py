"""Kinds are listed one after another: what lacks its counterpart is given a minute before any rule speaks.

Each rule is asked with its own thresholds at nothing, so that only the grace holds it back.
"""

import dataclasses
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeAlias

import msgspec
import pytest

from karpenter_check.finding import Finding
from karpenter_check.rules import every_rule
from karpenter_check.rules.daemonset_absent_from_nodepool import daemonset_absent_from_nodepool
from karpenter_check.rules.daemonset_overhead_wasted import daemonset_overhead_wasted
from karpenter_check.rules.node_reaping_nominated import node_reaping_nominated
from karpenter_check.rules.node_ttl_death import node_ttl_death
from karpenter_check.rules.nominated_pod_failure import nominated_pod_failure
from karpenter_check.rules.pod_fits_no_nodepool import pod_fits_no_nodepool
from karpenter_check.rules.pod_ignored_by_karpenter import pod_ignored_by_karpenter
from karpenter_check.scan import Report, scan
from karpenter_check.snapshot import GRACE, Snapshot
from karpenter_check.snapshot.event import InvolvedObject
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.why.pod import why_pod
from tests.build import (
    NOON,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_healthy_cluster,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    ago,
    an_event,
    nominated,
)

NOW = timedelta()
Told: TypeAlias = list[str]


def causes(findings: Iterable[Finding]) -> Told:
    return [str(finding.cause) for finding in findings]


def failures(cluster: Snapshot) -> Told:
    return causes(
        nominated_pod_failure(
            cluster, warn_after=NOW, fail_after=NOW, warn_after_for_new_nodes=NOW, fail_after_for_devices=NOW, minimum_claims=1
        )
    )


def a_nodeclaim_that_is_gone(age: str) -> Told:
    """A pod was nominated to a NodeClaim which is not in the list."""
    pod = a_pod("web")
    return failures(a_cluster(a_nodepool(), pod, nominated(pod, to="default-x2x4x", first=age)))


def a_nodes_absence_from_its_nodeclaim(age: str) -> Told:
    """A pod was nominated to an initialized NodeClaim whose node is not in the list."""
    pod = a_pod("web")
    return failures(a_cluster(a_nodepool(), a_nodeclaim("c1", node=""), pod, nominated(pod, to="c1", first=age)))


def a_scheduler_that_has_bound_no_pod(age: str) -> Told:
    pod = a_pod("web", scheduler="batch")
    return failures(a_cluster(a_node("n1"), pod, nominated(pod, to="default-n1", node="n1", first=age)))


def a_node_that_its_pod_did_not_come_to(age: str) -> Told:
    """A NodeClaim was bought for a pod that runs elsewhere; it is initialized since then."""
    web = a_deployment("web")
    pod = a_pod("web-1", on="old", of=web)
    claim = a_nodeclaim("c1", node="n1", age=age, last_pod_event="")
    return failures(a_cluster(a_node("old"), a_node("n1", age=age), claim, web, pod, nominated(pod, to="c1", first="10m")))


def a_node_without_the_pod_that_keeps_it(age: str) -> Told:
    """A node is Empty, and a nomination has kept it since then."""
    pod = a_pod("ghost", scheduler="batch")
    conditions = (Condition("Consolidatable", "True", last_transition_time=ago("20m")),)
    block = an_event(
        "DisruptionBlocked", "Node is nominated for a pending pod", about=InvolvedObject("Node", "", "n1"), first=age, last=age
    )
    cluster = a_cluster(
        a_node("n1"),
        a_nodeclaim(node="n1", conditions=conditions),
        pod,
        nominated(pod, to="default-n1", node="n1", first="5m", last=age),
        block,
    )
    return causes(node_reaping_nominated(cluster, warn_count=1, warn_after=NOW, fail_after=NOW))


def a_node_without_a_daemonsets_pod(age: str, *, daemonset_age: str = "1000h") -> Told:
    agent = a_daemonset("aws-node", tolerations=())
    agent = msgspec.structs.replace(agent, metadata=msgspec.structs.replace(agent.metadata, creation_timestamp=ago(daemonset_age)))
    taint = "dedicated=batch:NoSchedule"
    cluster = a_cluster(
        *(a_node(name, pool=name) for name in ("a", "b")),
        *(a_pod(f"agent-{name}", on=name, of=agent) for name in ("a", "b")),
        a_nodepool("batch", taints=[taint]),
        a_node("batch-1", pool="batch", taints=[taint], age=age),
        agent,
    )
    return causes(daemonset_absent_from_nodepool(cluster, minimum_age=NOW))


def a_daemonset_without_pods_on_a_nodepools_nodes(age: str) -> Told:
    return a_node_without_a_daemonsets_pod("1h", daemonset_age=age)


def a_node_with_room_for_a_daemonset_that_has_not_come(age: str) -> Told:
    agent = a_daemonset("agent", cpu="100m", selector={"zone-agent": "yes"})
    pool = a_nodepool(requirements=["zone-agent Exists"])
    claim = a_nodeclaim(node="n1", requirements=["zone-agent Exists"])
    return causes(daemonset_overhead_wasted(a_cluster(pool, agent, a_node("n1", age=age), claim), minimum_age=NOW))


def a_death_without_another_explanation(age: str) -> Told:
    """No event tells why the NodeClaim was deleted then."""
    claim = a_nodeclaim(
        node="n1", age=f"24h{age.removeprefix('-')}" if age[0] != "-" else "23h59m30s", expire_after="24h", deleted=age
    )
    return causes(node_ttl_death(a_cluster(a_node("n1", deleted=age), claim)))


def a_pod_without_a_nodepool_that_takes_it(age: str) -> Told:
    cluster = a_cluster(a_nodepool(), a_pod("app", selector={"team": "web"}, age=age))
    return causes(pod_fits_no_nodepool(cluster, warn_after=NOW, fail_after=NOW))


def a_node_without_a_nodeclaim_that_admits_a_pod(age: str) -> Told:
    """Both rules of pods that no NodePool takes name a node that is not Karpenter's."""
    fits = a_cluster(
        a_nodepool(), a_pod("app", selector={"team": "web"}, cpu="64"), a_node("old", pool="", labels={"team": "web"}, age=age)
    )
    label = {"karpenter.sh/registered": "true"}
    ignored = a_cluster(a_nodepool(), a_pod("app", selector=label), a_node("old", pool="", labels=label, age=age))
    findings = [*pod_fits_no_nodepool(fits), *pod_ignored_by_karpenter(ignored)]
    assert len(findings) == 2
    return [finding.why for finding in findings if "Node old" in finding.why]


def a_node_that_a_pod_was_nominated_to_by_its_scheduler(age: str) -> Told:
    pod = a_pod("app", age=age)
    pod = msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, nominated_node_name="n9"))
    found = pod_ignored_by_karpenter(a_cluster(a_nodepool(), pod), warn_after=timedelta(days=-1), fail_after=timedelta(days=-1))
    return [finding.message for finding in found if "which is not there" in finding.message]


def what_why_says_of_a_nodeclaim_that_is_gone(age: str) -> Told:
    pod = a_pod("web")
    said = why_pod(a_cluster(a_nodepool(), pod, nominated(pod, to="default-x2x4x", first=age)), "web").nomination
    assert said.startswith("Karpenter nominated it to NodeClaim default-x2x4x; ")
    return [said] if said.endswith("NodeClaim default-x2x4x is gone") else []


def what_why_says_of_a_scheduler_that_has_bound_no_pod(age: str) -> Told:
    pod = a_pod("web", scheduler="batch")
    said = why_pod(a_cluster(a_node("n1"), pod, nominated(pod, to="default-n1", node="n1", first=age)), "web").nomination
    return [said] if "answers nothing" in said else []


ABSENCES: tuple[Callable[[str], Told], ...] = (
    a_nodeclaim_that_is_gone,
    a_nodes_absence_from_its_nodeclaim,
    a_scheduler_that_has_bound_no_pod,
    a_node_that_its_pod_did_not_come_to,
    a_node_without_the_pod_that_keeps_it,
    a_node_without_a_daemonsets_pod,
    a_daemonset_without_pods_on_a_nodepools_nodes,
    a_node_with_room_for_a_daemonset_that_has_not_come,
    a_death_without_another_explanation,
    a_pod_without_a_nodepool_that_takes_it,
    a_node_without_a_nodeclaim_that_admits_a_pod,
    a_node_that_a_pod_was_nominated_to_by_its_scheduler,
    what_why_says_of_a_nodeclaim_that_is_gone,
    what_why_says_of_a_scheduler_that_has_bound_no_pod,
)


@pytest.mark.parametrize("absence", ABSENCES, ids=lambda absence: absence.__name__)
def test_what_lacks_its_counterpart_is_told_from_a_minute_on(absence: Callable[[str], Told]) -> None:
    assert absence("1m") != []


@pytest.mark.parametrize("age", ["59s", "1s", "-30s"])
@pytest.mark.parametrize("absence", ABSENCES, ids=lambda absence: absence.__name__)
def test_what_lacks_its_counterpart_is_not_told_before_a_minute_nor_if_it_came_while_lists_were_read(
    absence: Callable[[str], Told], age: str
) -> None:
    assert absence(age) == []


def test_what_began_less_than_a_minute_before_the_first_list_is_not_settled() -> None:
    cluster = a_healthy_cluster()
    moments = (NOON - GRACE, NOON - GRACE + timedelta(seconds=1), NOON, NOON + timedelta(minutes=5), None)

    assert [cluster.settled(moment) for moment in moments] == [True, False, False, False, False]


@pytest.mark.parametrize(
    "kind",
    ["nodes", "pods", "daemonsets", "nodepools", "nodeclaims", "nodeclasses", "poddisruptionbudgets", "replicasets", "deployments", "events"],
)  # fmt: skip
def test_whatever_went_between_the_lists_nothing_is_wrong_with_a_healthy_cluster(
    recorded: Callable[[str], Report], kind: str
) -> None:
    whole = recorded("healthy").snapshot
    gone: dict[str, Any] = {kind: ()}
    cluster = dataclasses.replace(whole, **gone)
    report = scan(cluster, every_rule())

    assert (report.results, [run for run in report.runs if run.reason and not (run.unprovable or run.lacks_only_optional)]) == (
        (),
        [],
    )
