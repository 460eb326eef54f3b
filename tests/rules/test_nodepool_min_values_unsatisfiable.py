from collections.abc import Sequence

import msgspec
import pytest

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Ref, Severity
from karpenter_check.rules.nodepool_min_values_unsatisfiable import nodepool_min_values_unsatisfiable
from karpenter_check.snapshot import Kind, NodeClaim, Snapshot, Status, Version
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Annotations
from karpenter_check.snapshot.nodepool import NodeClassRef
from tests.build import a_cluster, a_node_class, a_nodeclaim, a_nodepool, a_uid, an_event

ZONE, CAPACITY, FAMILY = "topology.kubernetes.io/zone", "karpenter.sh/capacity-type", "karpenter.k8s.aws/instance-family"
WEB = Ref("NodePool", "web", "karpenter.sh/v1")
SHORT = [f"{FAMILY} In c7g,m7g,r7g min 3", f"{FAMILY} NotIn r7g"]
SAID = "NodePool requirements filtered out all compatible available instance types due to minValues incompatibility"


def found(cluster: Snapshot) -> list[Finding]:
    return list(nodepool_min_values_unsatisfiable(cluster))


def said(*requirements: str, version: Version | None = Version(1, 13)) -> list[str]:
    """What is said of a NodePool with those requirements and a node class with subnets in two zones."""
    cluster = a_cluster(a_nodepool("web", requirements=requirements), a_node_class(zones=["a", "b", "b"]), version=version)
    return [finding.message.removeprefix("web buys no nodes: ") for finding in found(cluster)]


def a_word(message: str = SAID, *, pool: str = "web", uid: str | None = None, last: str = "5m") -> Event:
    about = InvolvedObject("NodePool", "", pool, a_uid("NodePool", pool) if uid is None else uid)
    return an_event("NoCompatibleInstanceTypes", message, about=about, first="2h", last=last)


def a_relaxed_claim(node: str, relaxed: str = "true", deleted: str = "") -> NodeClaim:
    claim = a_nodeclaim(node=node, pool="web", deleted=deleted)
    return msgspec.structs.replace(
        claim, metadata=msgspec.structs.replace(claim.metadata, annotations=Annotations(min_values_relaxed=relaxed))
    )


def test_requirements_that_leave_fewer_values_than_min_values_are_found() -> None:
    assert found(a_cluster(a_nodepool("web", requirements=SHORT))) == [
        Finding(
            object=WEB,
            owner=WEB,
            nodepool="web",
            cause=f"label:{FAMILY}",
            confidence=Confidence.LIKELY,
            message=f"web buys no nodes: minValues of {FAMILY} is 3, and its requirements leave 2: c7g, m7g",
            why="Karpenter leaves a NodePool out whose minValues cannot be met, unless its minValues policy is BestEffort",
            evidence=(Evidence(WEB, f"spec.template.spec.requirements[key={FAMILY}].minValues", "3"),),
            fix=(
                Fix(
                    "fix",
                    "kubectl edit nodepool web",
                    "lower minValues, or allow more values",
                    "an edit of the template drifts its nodes",
                ),
                Fix("verify", "karpenter-check scan --select nodepool-min-values-unsatisfiable"),
            ),
        )
    ]


def test_a_label_of_the_template_leaves_one_value() -> None:
    pool = a_nodepool("web", requirements=[f"{FAMILY} Exists min 2"], labels={FAMILY: "m7g"})

    assert [finding.cause for finding in found(a_cluster(pool))] == [f"label:{FAMILY}"]


@pytest.mark.parametrize(
    ("requirement", "words"),
    [
        (f"{CAPACITY} Exists min 4", f"minValues of {CAPACITY} is 4, and there are 3 valid values"),
        (f"{CAPACITY} In spot,ondemand min 2", f"minValues of {CAPACITY} is 2, and there are 1 valid values"),
        (f"{ZONE} Exists min 3", f"minValues of {ZONE} is 3, and the subnets of its node class are in 2: a, b"),
        ("team In shop,search min 2", "minValues of team is 2, and no instance type has such a label"),
    ],
)
def test_what_there_is_too_little_of_is_said(requirement: str, words: str) -> None:
    assert said(requirement) == [words]


@pytest.mark.parametrize(
    "requirements",
    [
        [f"{FAMILY} In c7g,m7g,r7g min 3"],
        [f"{FAMILY} In c7g,m7g,r7g", f"{FAMILY} NotIn r7g"],
        [f"{FAMILY} Exists min 20"],
        ["karpenter.k8s.aws/instance-cpu Gt 4 min 3"],
        [f"{ZONE} In a,b min 2", f"{ZONE} NotIn b"],
        [f"{CAPACITY} In spot,on-demand min 2", f"{CAPACITY} NotIn spot"],
        [f"{FAMILY} In m7g min 2", f"{FAMILY} In c7g"],
    ],
    ids=[
        "as many", "no minValues", "open", "a bound", "zones are counted by instance type", "so are capacity types",
        "a contradiction is another rule's",
    ],
)  # fmt: skip
def test_what_can_be_met_or_is_not_known_is_fine(requirements: Sequence[str]) -> None:
    assert said(*requirements) == []


def test_values_are_not_counted_where_karpenter_may_not_count_them() -> None:
    assert said(f"{CAPACITY} In spot,ondemand min 2", version=None) == []


def test_a_label_that_a_later_version_may_have_learnt_is_not_judged() -> None:
    assert said("karpenter.k8s.aws/instance-colour Exists min 2", version=None) == []


def test_a_provider_whose_labels_are_not_known_is_not_judged() -> None:
    pool = a_nodepool("web", requirements=["team Exists min 2"], node_class=NodeClassRef("Class", "default", "example.com"))

    assert found(a_cluster(pool)) == []


def test_node_classes_that_were_not_seen_are_left_out() -> None:
    pool = a_nodepool("web", requirements=[f"{ZONE} Exists min 3"])

    assert found(a_cluster(pool, a_node_class(zones=["a"]), missing={Kind.NODECLASS: Status.FORBIDDEN})) == []


def test_karpenters_own_word_is_found() -> None:
    (finding,) = found(a_cluster(a_nodepool("web"), a_word(SAID.upper())))

    assert (finding.cause, finding.confidence, finding.message) == (
        "event",
        Confidence.LIKELY,
        "web buys no nodes: its minValues leave no instance type, as Karpenter says itself",
    )


def test_karpenters_own_word_bears_out_what_is_found_otherwise() -> None:
    (finding,) = found(a_cluster(a_nodepool("web", requirements=SHORT), a_word()))

    assert [entry.event.reason for entry in finding.evidence if entry.event] == ["NoCompatibleInstanceTypes"]


@pytest.mark.parametrize(
    "event",
    [
        a_word("NodePool requirements filtered out all compatible available instance types"),
        a_word(pool="api"),
        a_word(uid="of an older one"),
        a_word(last="61m"),
    ],
    ids=["not of minValues", "of another NodePool", "of one that is gone", "too old"],
)
def test_another_word_proves_nothing(event: Event) -> None:
    assert found(a_cluster(a_nodepool("web"), event)) == []


def test_nodeclaims_that_were_made_with_less_are_counted() -> None:
    cluster = a_cluster(
        a_nodepool("web", requirements=SHORT), a_relaxed_claim("n1"), a_relaxed_claim("n2"), a_relaxed_claim("n3", "false")
    )
    (finding,) = found(cluster)

    assert (finding.cause, finding.severity, finding.confidence, finding.message, finding.impact.nodeclaims) == (
        "relaxed",
        Severity.LOW,
        Confidence.CERTAIN,
        "2 NodeClaims of web were made with fewer values than its minValues ask for",
        2,
    )
    assert [entry.node for entry in finding.occurrences] == ["n1", "n2"]


def test_nodeclaims_of_a_policy_that_is_no_more_excuse_nothing() -> None:
    cluster = a_cluster(a_nodepool("web", requirements=SHORT), a_relaxed_claim("n1"), a_word())

    assert [finding.cause for finding in found(cluster)] == [f"label:{FAMILY}"]


def test_a_nodeclaim_that_is_going_is_not_counted() -> None:
    assert found(a_cluster(a_nodepool("web"), a_relaxed_claim("n1", deleted="1m"))) == []


def test_a_static_nodepool_and_one_that_is_being_deleted_are_fine() -> None:
    pools = a_nodepool("web", requirements=SHORT, replicas=3), a_nodepool("api", requirements=SHORT, deleted="1m")

    assert found(a_cluster(*pools, a_word(), a_relaxed_claim("n1"))) == []
