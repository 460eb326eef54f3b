"""Launches that fail for want of capacity."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Blame, Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref
from karpenter_check.rules.insufficient_capacity import insufficient_capacity
from karpenter_check.rules.nodeclaim_not_launched import nodeclaim_not_launched
from karpenter_check.rules.nominated_pod_failure import nominated_pod_failure
from karpenter_check.rules.pod_fits_no_nodepool import pod_fits_no_nodepool
from karpenter_check.scan import scan
from karpenter_check.snapshot import Kind, NodeClaim, Snapshot, Status
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Condition
from tests.build import Thing, a_cluster, a_node, a_nodeclaim, a_nodepool, a_pod, about, ago, an_event, nominated

GPU = Ref("NodePool", "gpu", "karpenter.sh/v1")
POOL = a_nodepool(
    "gpu",
    labels={"karpenter.k8s.aws/instance-size": "24xlarge"},
    requirements=[
        "node.kubernetes.io/instance-type In p4d.24xlarge",
        "topology.kubernetes.io/zone In a,b",
        "karpenter.sh/capacity-type In spot",
        "kubernetes.io/arch In amd64",
        "karpenter.k8s.aws/instance-family In a,b,c,d",
    ],
)
ICE = (
    "with fleet error(s), InsufficientInstanceCapacity: We currently do not have sufficient p4d.24xlarge capacity in the Availability Zone "
    "you requested (us-east-1a). Our system will be working on it"
)
UNAVAILABLE = "all requested instance types were unavailable during launch"
TRAIN = a_pod("train", age="20m")


def failed(name: str, said: str = ICE, *, at: str = "4m", times: int = 1, component: str = "karpenter") -> Event:
    claim = InvolvedObject("NodeClaim", "", name)
    message = f"NodeClaim {name} event: creating instance, insufficient capacity, {said}"
    return an_event("InsufficientCapacityError", message, about=claim, first=at, times=times, component=component)


def thrice(said: str = ICE, pool: str = "gpu") -> list[Event]:
    return [failed(f"{pool}-bcdf{n}", said, at=f"{n}m") for n in (4, 6, 8)]


def unlaunched(name: str, reason: str = "LaunchFailed", message: str = "", *, age: str = "4m") -> NodeClaim:
    launched = Condition("Launched", "Unknown", reason, message, ago(age))
    claim = a_nodeclaim(name, node="", pool="gpu", age=age, launched=False, registered=False, initialized=False)
    return _with(claim, (launched, *claim.status.conditions[1:]))


def _with(claim: NodeClaim, conditions: Sequence[Condition]) -> NodeClaim:
    return replace(claim, status=replace(claim.status, conditions=tuple(conditions), provider_id=""))


def found(cluster: Snapshot, minimum: int = 3, fail_after: str = "5m", recent: str = "15m") -> list[Finding]:
    spans = [timedelta(minutes=int(text.removesuffix("m"))) for text in (fail_after, recent)]
    return list(insufficient_capacity(cluster, minimum=minimum, fail_after=spans[0], recent=spans[1]))


def causes(*things: Thing) -> list[str]:
    return [finding.cause for finding in found(a_cluster(POOL, *things))]


def test_launches_that_fail_again_and_again_while_a_pod_waits_are_found() -> None:
    assert found(a_cluster(POOL, TRAIN, *thrice())) == [
        Finding(
            object=GPU,
            owner=GPU,
            nodepool="gpu",
            cause="capacity",
            confidence=Confidence.LIKELY,
            message="3 launches of gpu failed in 4m: the provider has no such instances to sell (p4d.24xlarge in us-east-1a); 1 pod waits for it",
            why="the last one failed at 11:56:00Z (4m ago); Karpenter tries again, and leaves out for a few minutes what failed; gpu may only "
            "buy instance type p4d.24xlarge, zones a, b, spot, instance size 24xlarge",
            cost="1 pod without a node",
            impact=Impact(pods=1, nodeclaims=3),
            evidence=(
                Evidence(
                    event=EventEvidence(
                        "InsufficientCapacityError",
                        f"NodeClaim gpu-bcdf4 event: creating instance, insufficient capacity, {ICE}",
                        3,
                        ago("4m"),
                    )
                ),
                Evidence(GPU, "spec.template.spec.requirements", "instance type p4d.24xlarge"),
                Evidence(GPU, "spec.template.spec.requirements", "zones a, b"),
                Evidence(GPU, "spec.template.spec.requirements", "spot"),
                Evidence(GPU, "spec.template.spec.requirements", "instance size 24xlarge"),
            ),
            occurrences=(Occurrence(Ref("Pod", "train", "v1", "shop"), TRAIN.metadata.uid, "", "capacity", ago("20m")),),
            since=ago("8m"),
            fix=(
                Fix(
                    "fix",
                    "kubectl edit nodepool gpu",
                    "let it buy more than instance type p4d.24xlarge, zones a, b, spot, instance size 24xlarge",
                    "none for the nodes that are there: wider requirements drift nothing",
                ),
                Fix("verify", "karpenter-check scan --select insufficient-capacity --nodepool gpu"),
            ),
        )
    ]


def test_a_nodepool_that_is_not_narrow_is_told_nothing_of_the_kind() -> None:
    (finding,) = found(a_cluster(a_nodepool("gpu"), TRAIN, *thrice()))

    assert "may only buy" not in finding.why
    assert finding.fix[0].text == "allow instance types or zones that it, or its pods, leave out"


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit of 32 allows", "account-limit"),
        ("MaxSpotInstanceCountExceeded: Max spot instance count exceeded", "account-limit"),
        ("InsufficientFreeAddressesInSubnet: There are not enough free addresses in subnet 'subnet-0a1b2c3d'", "subnet-addresses"),
        (f"{ICE}; InsufficientFreeAddressesInSubnet: There are not enough free addresses", "subnet-addresses"),
        ("AuthFailure.ServiceLinkedRoleCreationNotPermitted: The provided credentials do not have permission", "spot-role"),
        ("InsufficientInstanceCapacity: You've reached the limit of instances in this spread placement group", "placement-group"),
        ("ReservationCapacityExceeded: The requested reservation has no capacity", "reservation"),
        ("truncating instance types based on the passed-in requirements, validating minValues, minValues requirement is not met", "min-values"),
        ("Unsupported: Your requested instance type (p4d) is not supported in your requested Availability Zone", "unsupported"),
        ("UnfulfillableCapacity: Unable to fulfill capacity due to your request configuration", "capacity"),
        ("something that no version says yet", "capacity"),
        (UNAVAILABLE, "capacity"),
    ],
)  # fmt: skip
def test_the_cause_is_what_the_provider_names(said: str, cause: str) -> None:
    assert causes(TRAIN, *thrice(said)) == [cause]


def test_a_subnet_that_is_named_is_shown() -> None:
    (finding,) = found(a_cluster(POOL, TRAIN, *thrice("InsufficientFreeAddressesInSubnet: in subnet 'subnet-0a1b2c3d'")))

    assert finding.message.endswith(
        "a subnet has too few free addresses for another instance (subnet-0a1b2c3d); 1 pod waits for it"
    )


def test_what_was_left_out_for_a_moment_failed_for_what_had_failed_before() -> None:
    limit, *rest = thrice("VcpuLimitExceeded: more than your limit")

    assert causes(TRAIN, limit, *(failed(event.involved_object.name, UNAVAILABLE) for event in rest)) == ["account-limit"]


def test_two_causes_are_two_findings() -> None:
    others = [failed(f"gpu-xzvw{n}", "VcpuLimitExceeded: more than your limit", at="5m") for n in (2, 4, 5)]

    assert causes(TRAIN, *thrice(), *others) == ["capacity", "account-limit"]


def test_without_events_the_nodeclaims_tell() -> None:
    claims = [unlaunched(f"gpu-bcdf{n}", message="Instance launch failed: InsufficientInstanceCapacity") for n in (2, 4, 5)]
    (finding,) = found(a_cluster(POOL, TRAIN, *claims, missing={Kind.EVENT: Status.FORBIDDEN}))

    assert (finding.cause, finding.impact.nodeclaims) == ("capacity", 3)
    assert finding.why.startswith("NodeClaim gpu-bcdf5 says LaunchFailed: Instance launch failed: InsufficientInstanceCapacity; ")
    assert finding.evidence[0].path == "status.conditions Launched"


def test_a_reason_tells_too() -> None:
    assert causes(TRAIN, *(unlaunched(f"gpu-bcdf{n}", "VCPULimitExceeded") for n in (2, 4, 5))) == ["account-limit"]
    assert causes(TRAIN, *(unlaunched(f"gpu-bcdf{n}", "LaunchFailed") for n in (2, 4, 5))) == []
    assert causes(TRAIN, *(unlaunched(f"gpu-bcdf{n}", "SpotQuotaExceeded") for n in (2, 4, 5))) == ["account-limit"]


@pytest.mark.parametrize(
    "things",
    [
        thrice(),
        [TRAIN, failed("gpu-bcdf2")],
        [TRAIN, failed("gpu-bcdf2", times=2)],
        [a_pod("train", age="4m"), *thrice()],
        [TRAIN, *(failed(f"gpu-bcdf{n}", at="16m", times=5) for n in (2, 4))],
        [a_pod("train", age="5h"), *(failed(f"gpu-bcdf{n}", at="2h") for n in (2, 4, 5))],
        [TRAIN, *thrice("resolving nodeclass, EC2NodeClass default not found")],
        [TRAIN, *thrice(pool="other")],
        [TRAIN, *(failed(f"gpu-bcdf{n}", component="somebody") for n in (2, 4, 5))],
        [a_pod("train", age="20m", selector={"team": "web"}), *thrice()],
        [a_pod("train", age="20m", on="n1"), a_node("n1", pool="gpu"), *thrice()],
        [TRAIN, a_node("n1", pool="gpu"), *thrice()],
        [TRAIN, a_nodeclaim("gpu-bcdf9", node="n9", pool="gpu", age="1m"), nominated(TRAIN, to="gpu-bcdf9", first="1m"), *thrice()],
    ],
    ids=["nobody waits", "once", "twice", "for a moment", "over", "of long ago", "node class is missing", "of no NodePool", "not Karpenter's", "pod of no NodePool", "pod has a node", "pod fits a node", "node is coming"],
)  # fmt: skip
def test_what_heals_by_itself_or_is_something_else_is_silent(things: Sequence[Thing]) -> None:
    assert causes(*things) == []


def test_the_settings() -> None:
    late = a_cluster(POOL, TRAIN, *(failed(f"gpu-bcdf{n}", at="16m") for n in (2, 4)))

    assert [finding.cause for finding in found(late, minimum=2, recent="20m")] == ["capacity"]
    assert found(a_cluster(POOL, TRAIN, *thrice()), fail_after="30m") == []


def test_pods_that_karpenter_finds_nothing_for_or_whose_nodeclaim_went_are_its_consequence() -> None:
    refused = an_event("FailedScheduling", "Failed to schedule pod, no instance type available", about=about(TRAIN), first="2m")
    (unplaced,) = pod_fits_no_nodepool(a_cluster(POOL, TRAIN, refused, *thrice()))
    (gone,) = nominated_pod_failure(a_cluster(POOL, TRAIN, nominated(TRAIN, to="gpu-bcdf8", first="15m", last="8m"), *thrice()))

    assert (unplaced.blames, gone.blames) == ((Blame(GPU),), (Blame(GPU),))
    assert "NodeClaim gpu-bcdf8 is gone: it got no capacity" in gone.message + gone.why


def test_nodeclaims_that_say_so_themselves_and_hold_all_up_are_why() -> None:
    limit = "VcpuLimitExceeded: more than your limit"
    results = scan(
        a_cluster(POOL, TRAIN, *(unlaunched(f"gpu-{n}", message=limit) for n in range(3))),
        [insufficient_capacity, nodeclaim_not_launched],
    ).results
    by_fingerprint = {result.fingerprint: result.rule.slug for result in results}

    assert [(result.rule.slug, [by_fingerprint[cause] for cause in result.caused_by]) for result in results] == [
        ("nodeclaim-not-launched", []),
        ("insufficient-capacity", ["nodeclaim-not-launched"]),
    ]
