"""Pods whose spread or (anti-)affinity leaves no domain for them."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Blame, Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.pod_fits_no_nodepool import pod_fits_no_nodepool
from karpenter_check.rules.topology_spread_deadlock import topology_spread_deadlock
from karpenter_check.scan import scan
from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.metadata import OwnerReference
from karpenter_check.snapshot.pod_object import Affinity, PodAffinity, PodAffinityTerm, PodObject, TopologySpreadConstraint
from tests.build import (
    Thing,
    a_cluster,
    a_deployment,
    a_node,
    a_nodepool,
    a_pod,
    about,
    ago,
    an_event,
    nominated,
)

ZONE = "topology.kubernetes.io/zone"
WEB = Ref("Deployment", "web", "apps/v1", "shop")
FEWEST = f"(counts = a: 2, b: 2, c: 1, podDomains = {ZONE} Exists, nodeDomains = {ZONE} In [a b]"


def a_spread_pod(name: str = "web-1", *, since: str = "20m", **pod: object) -> PodObject:
    made = a_pod(name, of=a_deployment(), age=since, **pod)  # type: ignore[arg-type]  # as a_pod takes it
    spread = (TopologySpreadConstraint(ZONE, "DoNotSchedule"),)
    return replace(made, spec=replace(made.spec, topology_spread_constraints=spread))


def an_anti_affine_pod() -> PodObject:
    made = a_pod("web-1", of=a_deployment(), age="20m")
    apart = PodAffinity((PodAffinityTerm(ZONE),))
    return replace(made, spec=replace(made.spec, affinity=Affinity(pod_anti_affinity=apart)))


def refused(pod: PodObject, form: str = "topology spread", rest: str = FEWEST, *, last: str = "2m", beside: str = "") -> Event:
    """Karpenter finds no domain for the pod; `beside` is what it says of another NodePool."""
    said = f"Failed to schedule pod, unsatisfiable topology constraint for {form}, key={ZONE} {rest}{beside}"
    return an_event("FailedScheduling", said, about=about(pod), first="20m", last=last, times=4)


def found(*things: Thing) -> list[Finding]:
    return list(topology_spread_deadlock(a_cluster(*things)))


def of_pod(pod: PodObject, *more: Thing, form: str = "topology spread", rest: str = FEWEST) -> Sequence[Finding]:
    return found(a_nodepool(), a_deployment(), pod, refused(pod, form, rest), *more)


def test_a_pod_for_which_its_spread_leaves_no_zone_is_found() -> None:
    pod = a_spread_pod()
    event = refused(pod)

    assert found(a_nodepool(), a_deployment(), pod, event) == [
        Finding(
            object=WEB,
            owner=WEB,
            cause=f"spread:{ZONE}",
            confidence=Confidence.LIKELY,
            message=f"Karpenter finds no place for it that its topology spread over {ZONE} allows",
            why=f"Karpenter counts a: 2, b: 2, c: 1; the new node may have {ZONE} In [a b]; "
            "the fewest are in c, where the new node may not be, so that no other domain may get further ahead",
            impact=Impact(pods=1),
            evidence=(Evidence(event=EventEvidence("FailedScheduling", event.message, 4, ago("2m"))),),
            occurrences=(Occurrence(Ref("Pod", "web-1", "v1", "shop"), pod.metadata.uid, "", f"spread:{ZONE}", ago("20m")),),
            since=ago("20m"),
            fix=(
                Fix(
                    "fix",
                    "kubectl edit deployment -n shop web",
                    "say whenUnsatisfiable: ScheduleAnyway, or a greater maxSkew; or let a NodePool make nodes in c, or the pod's node affinity name the others alone",
                    "its pods are replaced, as by a rollout",
                ),
                Fix("verify", "karpenter-check why pod -n shop web-1"),
            ),
        )
    ]


def test_pods_of_one_workload_are_one_finding() -> None:
    first, second = a_spread_pod(), a_spread_pod("web-2", since="10m")
    (finding,) = found(a_nodepool(), a_deployment(), first, second, refused(first), refused(second))

    assert finding.message.startswith("Karpenter finds no place for 2 of its pods that its topology spread")
    assert (finding.impact, finding.since) == (Impact(pods=2), ago("20m"))


def test_where_the_fewest_are_is_said_only_if_the_event_tells_it() -> None:
    rest = f"(counts = a: 2 and 12 other(s), podDomains = {ZONE} Exists, nodeDomains = {ZONE} Exists"
    (finding,) = of_pod(a_spread_pod(), rest=rest)

    assert finding.why == f"Karpenter counts a: 2 and 12 other(s); the new node may have {ZONE} Exists"
    assert finding.fix[0].text == "say whenUnsatisfiable: ScheduleAnyway, or a greater maxSkew"


def test_required_anti_affinity_has_its_own_way_out() -> None:
    (finding,) = of_pod(an_anti_affine_pod(), form="pod anti-affinity")

    assert (finding.cause, finding.message) == (
        f"anti-affinity:{ZONE}",
        f"Karpenter finds no place for it that its pod anti-affinity over {ZONE} allows",
    )
    assert finding.fix[0].text.startswith("have no more replicas than there are domains")


def test_anti_affinity_of_others_keeps_a_pod_away_too() -> None:
    (finding,) = of_pod(a_pod("web-1", of=a_deployment(), age="20m"), form="pod anti-affinity")

    assert finding.message.endswith(f" that other pods' pod anti-affinity over {ZONE} allows")


def test_required_affinity_wants_the_pods_that_it_names() -> None:
    (finding,) = of_pod(a_pod("web-1", of=a_deployment(), age="20m"), form="pod affinity")

    assert (finding.cause, finding.fix[0].text[:38]) == (f"affinity:{ZONE}", "see that the pods which it must be nea")


def test_what_another_nodepool_has_against_it_is_quoted_and_taints_are_not() -> None:
    pod = a_spread_pod()
    beside = "; did not tolerate taint (taint=a:NoSchedule); no instance type has enough resources"
    (finding,) = found(a_nodepool(), a_deployment(), pod, refused(pod, beside=beside))

    assert finding.why.endswith('; of another NodePool it says "no instance type has enough resources"')


def test_a_bare_pod_has_nothing_to_edit() -> None:
    pod = a_pod("web-1", age="20m")
    (finding,) = found(a_nodepool(), pod, refused(pod))

    assert (finding.owner.kind, finding.fix[0].command) == ("Pod", "")


def test_a_jobs_template_cannot_be_edited_and_a_cronjobs_pods_are_not_replaced() -> None:
    def fix_of(job: str) -> tuple[str, bool, str]:
        pod = a_pod("web-1", age="20m")
        owner = OwnerReference("Job", job, job, "batch/v1", controller=True)
        pod = replace(pod, metadata=replace(pod.metadata, owner_references=(owner,)))
        (finding,) = found(a_nodepool(), pod, refused(pod))
        return (
            finding.fix[0].command,
            finding.fix[0].text.startswith("make it again, and say whenUnsatisfiable"),
            finding.fix[0].risk,
        )

    assert fix_of("report") == ("", True, "")
    assert fix_of("report-29384755") == ("kubectl edit cronjob -n shop report", False, "")


def test_both_rules_tell_one_story() -> None:
    pod = a_spread_pod()
    cluster = a_cluster(a_nodepool(), a_deployment(), pod, refused(pod))
    report = scan(cluster, [topology_spread_deadlock, pod_fits_no_nodepool])
    causes = {result.rule.slug: [other.rule.slug for other in report.results if other.fingerprint in result.caused_by] for result in report.results}  # fmt: skip

    assert causes == {"pod-fits-no-nodepool": ["topology-spread-deadlock"], "topology-spread-deadlock": []}


def test_a_nodepool_that_could_buy_and_is_not_ready_is_to_blame() -> None:
    (finding,) = of_pod(a_spread_pod(), a_nodepool("other", not_ready="its NodeClass is not ready"))

    assert finding.blames == (Blame(Ref("NodePool", "other", "karpenter.sh/v1")),)


def test_a_pod_that_fits_nowhere_for_another_reason_is_not_this_rules() -> None:
    pod = a_spread_pod()
    event = an_event(
        "FailedScheduling", "Failed to schedule pod, no instance type has enough resources", about=about(pod), first="2m"
    )

    assert found(a_nodepool(), a_deployment(), pod, event) == []


def test_without_a_word_of_karpenters_nothing_is_found() -> None:
    assert found(a_nodepool(), a_deployment(), a_spread_pod()) == []


def test_a_pod_that_was_nominated_since_is_fine() -> None:
    pod = a_spread_pod()

    assert of_pod(pod, nominated(pod, to="default-abcde", first="1m")) == []


def test_an_old_word_proves_nothing() -> None:
    pod = a_spread_pod()

    assert found(a_nodepool(), a_deployment(), pod, refused(pod, last="16m")) == []


@pytest.mark.parametrize(
    "pod",
    [a_spread_pod(deleted="1m"), a_spread_pod(phase="Failed"), a_spread_pod(selector={"karpenter.sh/provisioner-name": "default"})],
    ids=["on its way out", "finished", "one that Karpenter does not look at"],
)
def test_a_pod_that_karpenter_need_not_serve_is_fine(pod: PodObject) -> None:
    assert of_pod(pod) == []


def severities(cluster: Snapshot, **settings: timedelta) -> list[Severity | None]:
    return [finding.severity for finding in topology_spread_deadlock(cluster, **settings)]


def waiting(since: str, *more: Thing) -> Snapshot:
    pod = a_spread_pod(since=since)
    return a_cluster(a_nodepool(), a_deployment(), pod, refused(pod, last="10s"), *more)


def test_how_long_it_must_wait_is_a_setting() -> None:
    assert severities(waiting("50s")) == []
    assert severities(waiting("2m")) == [Severity.INFO]
    assert severities(waiting("6m")) == [None]
    assert severities(waiting("2m"), warn_after=timedelta(minutes=3)) == []
    assert severities(waiting("2m"), fail_after=timedelta(minutes=1)) == [None]


def test_during_a_rollout_skew_breaks_for_a_while() -> None:
    old = a_pod("web-0", on="n1", of=a_deployment())
    older = OwnerReference("ReplicaSet", "web-zzzzz", "older", "apps/v1", controller=True)
    old = replace(old, metadata=replace(old.metadata, owner_references=(older,), labels={"pod-template-hash": "zzzzz"}))
    things = (a_node("n1"), old)
    (finding,) = topology_spread_deadlock(waiting("40m", *things))

    assert severities(waiting("20m", *things)) == [Severity.INFO]
    assert severities(waiting("20m", *things), rollout_after=timedelta(minutes=10)) == [None]
    assert finding.severity is None
    assert "; pods of an older ReplicaSet count as well, until they are gone" in finding.why
    assert finding.fix[0].text.endswith("; matchLabelKeys: [pod-template-hash] leaves the old ReplicaSet's pods out")


def test_a_pod_that_another_autoscaler_may_serve_is_info() -> None:
    (finding,) = topology_spread_deadlock(waiting("20m", a_node("ours", pool="")))

    assert finding.severity is Severity.INFO
    assert finding.why.endswith("; Node ours is not Karpenter's and admits it: it may wait for another autoscaler")
