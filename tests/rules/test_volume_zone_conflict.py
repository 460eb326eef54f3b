"""Pods that wait for a node where their volume is, and NodePools that buy none there."""

from datetime import timedelta

import pytest

from karpenter_check.finding import Blame, Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.pod_fits_no_nodepool import pod_fits_no_nodepool
from karpenter_check.rules.volume_zone_conflict import volume_zone_conflict
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import Kind, Snapshot, Status
from karpenter_check.snapshot.pod_object import NodeSelectorTerm
from tests.build import (
    Thing,
    a_claim,
    a_cluster,
    a_node,
    a_node_class,
    a_nodepool,
    a_pod,
    a_statefulset,
    a_storage_class,
    a_term,
    a_uid,
    a_volume,
    about,
    ago,
    an_event,
    nominated,
)

ZONE = "topology.kubernetes.io/zone"
DB = a_statefulset("db", namespace="shop")
IN_C = a_term(f"{ZONE} In eu-west-1c")
A_AND_B = f"{ZONE} In eu-west-1a,eu-west-1b"
POOL = a_nodepool("default", requirements=[A_AND_B])


def a_waiting_pod(*things: Thing, age: str = "50m", missing: dict[Kind, Status] | None = None) -> Snapshot:
    """A StatefulSet's pod that waits with the claim `data`, among these things."""
    return a_cluster(DB, a_pod("db-0", of=DB, claims=["data"], age=age), *things, missing=missing)


def bound(*terms: NodeSelectorTerm) -> tuple[Thing, ...]:
    """The claim, bound to a volume that can be used where one of the terms holds."""
    return a_claim("data", volume="pv-1"), a_volume("pv-1", terms=terms)


def test_a_volume_where_no_nodepool_buys_is_found() -> None:
    cluster = a_waiting_pod(*bound(IN_C), a_storage_class(binding="Immediate"), POOL)

    claim, volume = Ref("PersistentVolumeClaim", "data", "v1", "shop"), Ref("PersistentVolume", "pv-1", "v1")
    offers = "offers topology.kubernetes.io/zone In [eu-west-1a, eu-west-1b]"
    assert list(volume_zone_conflict(cluster)) == [
        Finding(
            object=claim,
            owner=Ref("StatefulSet", "db", "apps/v1", "shop"),
            cause="zone",
            confidence=Confidence.CERTAIN,
            message="no NodePool that would take StatefulSet shop/db buys nodes in zone eu-west-1c, where the volume of PersistentVolumeClaim shop/data is",
            why=(
                f"PersistentVolume pv-1 can be used in zone eu-west-1c alone; NodePool default: {offers}; "
                "StorageClass gp3 binds at once (volumeBindingMode Immediate), wherever that is: no pod was asked for"
            ),
            cost="1 pod of StatefulSet shop/db waits until a node comes there",
            impact=Impact(pods=1),
            evidence=(
                Evidence(claim, "spec.volumeName", "pv-1"),
                Evidence(volume, "spec.nodeAffinity.required", f"{ZONE} In [eu-west-1c]"),
                Evidence(Ref("NodePool", "default", "karpenter.sh/v1"), "spec.template.spec.requirements", offers),
            ),
            occurrences=(
                Occurrence(Ref("Pod", "db-0", "v1", "shop"), a_uid("Pod", "db-0", "shop"), reason="zone", since=ago("50m")),
            ),
            since=ago("50m"),
            fix=(
                Fix(
                    "fix",
                    text=f"let NodePool default buy in zone eu-west-1c (spec.template.spec.requirements, {ZONE})",
                    risk="its nodes drift",
                ),
                Fix(
                    "fix", text="or move the data: make a snapshot of the volume, and a new claim from it in a zone that is offered"
                ),
                Fix(
                    "fix",
                    text="for claims to come, use a StorageClass with volumeBindingMode WaitForFirstConsumer; of one that is there it cannot be changed",
                ),
                Fix("verify", "karpenter-check scan --select volume-zone-conflict -n shop"),
            ),
            blames=(Blame(volume),),
        )
    ]


def test_a_node_class_without_a_subnet_there_is_found() -> None:
    cluster = a_waiting_pod(*bound(IN_C), a_nodepool(), a_node_class(zones=["eu-west-1a", "eu-west-1b"]))

    (found,) = volume_zone_conflict(cluster)
    assert "NodePool default: its EC2NodeClass default has subnets in eu-west-1a, eu-west-1b alone" in found.why
    assert (
        found.fix[0].text == "select a subnet in zone eu-west-1c in the node class of NodePool default (spec.subnetSelectorTerms)"
    )


def test_the_keys_of_a_driver_count_as_the_provider_reads_them() -> None:
    cluster = a_waiting_pod(*bound(a_term("topology.ebs.csi.aws.com/zone In eu-west-1c")), POOL)

    assert len(list(volume_zone_conflict(cluster))) == 1


def test_pods_of_one_owner_are_one_finding() -> None:
    pods = (a_pod(f"db-{number}", of=DB, claims=[f"data-{number}"]) for number in range(3))
    claims = (a_claim(f"data-{number}", volume=f"pv-{number}") for number in range(3))
    volumes = (a_volume(f"pv-{number}", terms=[IN_C]) for number in range(3))

    (found,) = volume_zone_conflict(a_cluster(DB, *pods, *claims, *volumes, POOL))
    assert found.message.endswith("where the volume of PersistentVolumeClaim shop/data-0 and of 2 more is")
    assert found.cost == "3 pods of StatefulSet shop/db wait until a node comes there"


def test_a_nodepool_that_refuses_the_pod_anyway_does_not_help() -> None:
    there = a_nodepool("gpu", requirements=[f"{ZONE} In eu-west-1c"], taints=["gpu:NoSchedule"])

    (found,) = volume_zone_conflict(a_waiting_pod(*bound(IN_C), POOL, there))
    assert "NodePool gpu: does not tolerate gpu:NoSchedule" in found.why


@pytest.mark.parametrize(
    "things",
    [
        (a_claim("data"), a_storage_class(), POOL),
        (a_claim("data", volume="pv-1"), POOL),
        (*bound(), POOL),
        (*bound(a_term("kubernetes.io/hostname In n1")), POOL),
        (*bound(IN_C, a_term(f"{ZONE} In eu-west-1a")), POOL),
        (*bound(IN_C), a_nodepool()),
        (*bound(IN_C), a_nodepool(), a_node_class(zones=["eu-west-1a", "eu-west-1c"])),
        (*bound(IN_C), POOL, a_nodepool("c", requirements=[f"{ZONE} In eu-west-1c"])),
        (*bound(IN_C), POOL, a_nodepool("c", requirements=[f"{ZONE} In eu-west-1c"], not_ready="its class")),
        (*bound(IN_C), POOL, a_nodepool("c", requirements=[f"{ZONE} In eu-west-1c"], limits={"cpu": "1"}, used={"cpu": "1"})),
        (*bound(IN_C), a_nodepool(taints=["gpu:NoSchedule"], requirements=[A_AND_B])),
    ],
    ids=[
        "a claim that waits for its first consumer",
        "a volume that was not seen",
        "a volume that can be used everywhere",
        "a volume that is not bound to a zone",
        "a volume of two zones, one of them offered",
        "a NodePool that says no zone, and a class of which none are known",
        "a class with a subnet there",
        "another NodePool that buys there",
        "another NodePool that buys there and is not ready",
        "another NodePool that buys there and is at its limit",
        "a NodePool that refuses the pod for another reason",
    ],
)
def test_what_is_no_conflict(things: tuple[Thing, ...]) -> None:
    assert list(volume_zone_conflict(a_waiting_pod(*things))) == []


def test_a_pod_that_runs_waits_for_nothing() -> None:
    cluster = a_cluster(DB, a_node("n1"), a_pod("db-0", of=DB, on="n1", claims=["data"]), *bound(IN_C), POOL)

    assert list(volume_zone_conflict(cluster)) == []


def test_a_pod_that_karpenter_has_a_node_for_is_another_rules() -> None:
    pod = a_pod("db-0", of=DB, claims=["data"])
    cluster = a_cluster(DB, pod, *bound(IN_C), POOL, nominated(pod, to="default-abc", first="1m"))

    assert list(volume_zone_conflict(cluster)) == []


def test_a_node_there_that_admits_the_pod_lowers_the_severity() -> None:
    cluster = a_waiting_pod(*bound(IN_C), POOL, a_node("old", pool="", labels={ZONE: "eu-west-1c"}))

    (found,) = volume_zone_conflict(cluster)
    assert found.severity is Severity.INFO
    assert found.why.endswith("; Node old is there and admits it: it may wait for a place on it")


def test_the_thresholds_are_settings() -> None:
    cluster = a_waiting_pod(*bound(IN_C), POOL, age="3m")

    assert [found.severity for found in volume_zone_conflict(cluster)] == [Severity.INFO]
    assert [found.severity for found in volume_zone_conflict(cluster, fail_after=timedelta(minutes=2))] == [None]
    assert list(volume_zone_conflict(cluster, warn_after=timedelta(minutes=4))) == []


def test_a_storage_class_that_was_not_seen_is_said() -> None:
    (found,) = volume_zone_conflict(a_waiting_pod(*bound(IN_C), POOL, missing={Kind.STORAGECLASS: Status.FORBIDDEN}))

    assert found.why.endswith("; whether its StorageClass chose the zone before the pod is not known: StorageClass is forbidden")


@pytest.mark.parametrize("kind", [Kind.PERSISTENTVOLUME, Kind.PERSISTENTVOLUMECLAIM])
def test_without_volumes_it_is_skipped(kind: Kind) -> None:
    report = scan(a_waiting_pod(*bound(IN_C), POOL, missing={kind: Status.FORBIDDEN}), [volume_zone_conflict])

    assert [run.outcome for run in report.runs] == [Outcome.SKIPPED]
    assert not report.incomplete


def test_that_karpenter_finds_no_node_is_told_under_it() -> None:
    pod = a_pod("db-0", of=DB, claims=["data"])
    said = an_event(
        "FailedScheduling",
        'Failed to schedule pod, incompatible with nodepool "default", incompatible requirements, key topology.kubernetes.io/zone',
        about=about(pod),
        first="40m",
        last="2m",
    )
    report = scan(a_cluster(DB, pod, *bound(IN_C), POOL, said), [volume_zone_conflict, pod_fits_no_nodepool])

    prints = {result.rule.slug: result for result in report.results}
    assert prints["pod-fits-no-nodepool"].caused_by == (prints["volume-zone-conflict"].fingerprint,)
    assert prints["volume-zone-conflict"].finding.evidence[-1].event is not None
