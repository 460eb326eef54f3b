from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from karpenter_check.finding import Blame, Evidence, Finding, Impact, Occurrence, Ref, Severity, fingerprint
from karpenter_check.reports.summary import last_line, not_checked
from karpenter_check.rule import NotProven, Stage, rule
from karpenter_check.rules.nominated_pod_failure import nominated_pod_failure
from karpenter_check.scan import Outcome, Report, Result, RuleRun, scan
from karpenter_check.snapshot import LOOSE_MANIFESTS, CollectionError, Coverage, Kind, Snapshot, Status
from karpenter_check.suppression.ignore import Ignore, IgnoreUse
from tests.build import a_cluster, a_deployment, a_healthy_cluster, a_node, a_pod, ago, nominated

WEB = Ref("Deployment", "web", "apps/v1", "shop")
AGENT = Ref("DaemonSet", "agent", "apps/v1", "kube-system")


def a_finding(
    owner: Ref = WEB, *, nodepool: str = "", cause: str = "why", severity: Severity | None = None, blames: tuple[Blame, ...] = ()
) -> Finding:
    return Finding(object=owner, owner=owner, message="", cause=cause, nodepool=nodepool, severity=severity, blames=blames)


@rule(severity=Severity.MEDIUM, needs={Kind.NODE, Kind.POD}, since="0.1.0")
def every_node(snapshot: Snapshot, *, severity: Severity | None = None) -> Iterator[Finding]:
    """There is a node."""
    for node in snapshot.nodes:
        yield a_finding(Ref("Node", node.name, "v1"), severity=severity)


@rule(severity=Severity.LOW, needs={Kind.NODE}, since="0.1.0")
def nothing_ever(snapshot: Snapshot) -> Iterator[Finding]:
    """Nothing is ever wrong."""
    yield from (a_finding() for node in snapshot.nodes if not node.name)


@rule(severity=Severity.HIGH, needs={Kind.NODE}, since="0.1.0")
def breaks_down(snapshot: Snapshot) -> Iterator[Finding]:
    """It finds one thing and breaks."""
    yield a_finding(Ref("Node", snapshot.nodes[0].name, "v1"))
    raise RuntimeError("no such luck")


@rule(severity=Severity.HIGH, needs={Kind.NODE}, since="0.1.0")
def proves_nothing(snapshot: Snapshot) -> Iterator[Finding]:
    """It cannot tell."""
    if snapshot.nodes:
        raise NotProven("nobody knows the prices")
    yield a_finding()


def covered(snapshot: Snapshot, kind: Kind, coverage: Coverage) -> Snapshot:
    return replace(snapshot, coverage={**snapshot.coverage, kind: coverage})


def the_run(report: Report) -> tuple[Outcome, str]:
    (run,) = report.runs
    return run.outcome, run.reason


def test_a_rule_that_finds_something_fails_and_one_that_finds_nothing_passes() -> None:
    report = scan(a_cluster(a_node("n1")), [nothing_ever, every_node])

    assert report.runs == (RuleRun(every_node, Outcome.FAILED), RuleRun(nothing_ever, Outcome.PASSED))


@pytest.mark.parametrize(
    ("coverage", "reason"),
    [
        (Coverage(Status.ABSENT), "Pod: absent"),
        (Coverage(Status.FORBIDDEN, 0, "pods is forbidden"), "Pod: forbidden (pods is forbidden)"),
        (Coverage(Status.FAILED, 0, "timed out"), "Pod: failed (timed out)"),
        (Coverage(Status.NOT_COLLECTED, 0, "not in the input"), "Pod: not-collected (not in the input)"),
        (Coverage(Status.PARTIAL, 3, LOOSE_MANIFESTS), "Pod: partial (manifests)"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Coverage) else "",
)
def test_a_rule_whose_input_is_missing_is_skipped_and_says_why(coverage: Coverage, reason: str) -> None:
    report = scan(covered(a_cluster(a_node("n1")), Kind.POD, coverage), [every_node])

    assert (the_run(report), report.results, report.incomplete) == ((Outcome.SKIPPED, reason), (), True)


@rule(severity=Severity.LOW, needs={Kind.NODE, Kind.STORAGECLASS}, since="0.1.0")
def every_class(snapshot: Snapshot) -> Iterator[Finding]:
    """There is a storage class."""
    yield from (a_finding(Ref("StorageClass", entry.metadata.name)) for entry in snapshot.storageclasses)


@pytest.mark.parametrize("status", [Status.ABSENT, Status.FORBIDDEN, Status.FAILED, Status.NOT_COLLECTED])
def test_a_rule_that_lacks_an_optional_kind_is_skipped_and_the_scan_complete(status: Status) -> None:
    report = scan(covered(a_cluster(a_node("n1")), Kind.STORAGECLASS, Coverage(status)), [every_class])

    assert the_run(report) == (Outcome.SKIPPED, f"StorageClass: {status}")
    assert (report.incomplete, report.lacks_input) == (False, False)


def test_a_rule_that_lacks_another_kind_too_leaves_the_scan_incomplete() -> None:
    snapshot = covered(a_cluster(a_node("n1")), Kind.NODE, Coverage(Status.FORBIDDEN))
    report = scan(covered(snapshot, Kind.STORAGECLASS, Coverage(Status.FORBIDDEN)), [every_class])

    assert (report.incomplete, report.lacks_input) == (True, True)


def test_an_object_of_an_optional_kind_that_could_not_be_read_leaves_the_scan_complete() -> None:
    snapshot = covered(a_cluster(a_node("n1")), Kind.STORAGECLASS, Coverage(Status.PARTIAL, 0, "1 could not be read"))
    report = scan(replace(snapshot, errors=(CollectionError("list.json", "is bad", "StorageClass", "gp3"),)), [every_class])

    assert the_run(report) == (Outcome.PASSED, "StorageClass: partial (1 could not be read)")
    assert not report.incomplete


def test_what_is_missing_of_optional_kinds_is_told_in_one_line() -> None:
    snapshot = a_cluster(a_node("n1"))
    for kind in (Kind.PERSISTENTVOLUME, Kind.STORAGECLASS):
        snapshot = covered(snapshot, kind, Coverage(Status.NOT_COLLECTED, 0, "not in the input"))
    snapshot = covered(snapshot, Kind.LEASE, Coverage(Status.FORBIDDEN, 0, f"cannot get {'x' * 80}"))
    report = scan(snapshot, [every_class])

    assert list(not_checked(report)) == [
        (
            "optional kinds not read",
            "PersistentVolume, StorageClass: not-collected (not in the input); Lease: forbidden; so not judged: every-class",
        )
    ]
    assert last_line(report) == "nothing was checked; 0 of 1 rules checked"


def test_every_missing_kind_is_named() -> None:
    report = scan(Snapshot(taken_at=ago("0s")), [every_node])

    assert the_run(report) == (Outcome.SKIPPED, "Node: not-collected; Pod: not-collected")


def test_a_kind_that_the_rule_does_not_need_may_be_missing() -> None:
    snapshot = covered(a_healthy_cluster(), Kind.EVENT, Coverage(Status.FORBIDDEN))

    assert the_run(scan(snapshot, [every_node])) == (Outcome.FAILED, "")


def test_with_a_few_unreadable_objects_a_rule_runs_and_says_so() -> None:
    snapshot = covered(a_cluster(a_node("n1")), Kind.NODE, Coverage(Status.PARTIAL, 1, "1 unreadable"))
    report = scan(snapshot, [every_node])

    assert (the_run(report), len(report.results), report.incomplete) == ((Outcome.FAILED, "Node: partial (1 unreadable)"), 1, True)


def test_what_is_said_of_a_kind_that_was_seen_whole_leaves_nothing_incomplete() -> None:
    again = Coverage(Status.COMPLETE, 1, "listed again after its token expired")
    report = scan(covered(a_cluster(a_node("n1")), Kind.NODE, again), [every_node])

    assert (the_run(report), report.incomplete) == ((Outcome.FAILED, ""), False)


def test_a_rule_that_breaks_is_an_error_and_counts_nothing_while_the_others_run() -> None:
    report = scan(a_cluster(a_node("n1")), [every_node, breaks_down])
    broken, ran = report.runs

    assert (broken.outcome, broken.reason.partition(" (")[0]) == (Outcome.ERROR, "RuntimeError: no such luck")
    assert (ran, [result.rule for result in report.results]) == (RuleRun(every_node, Outcome.FAILED), [every_node])
    assert report.incomplete


def test_an_error_names_the_place_in_the_rule() -> None:
    outcome, reason = the_run(scan(a_cluster(a_node("n1")), [breaks_down]))

    assert (outcome, reason.startswith("RuntimeError: no such luck (breaks_down, line ")) == (Outcome.ERROR, True)


def test_a_rule_that_can_prove_nothing_is_skipped_and_says_why() -> None:
    report = scan(a_cluster(a_node("n1")), [proves_nothing])

    assert (the_run(report), report.incomplete) == ((Outcome.SKIPPED, "not proven: nobody knows the prices"), False)


def test_a_scan_that_saw_and_judged_everything_is_complete() -> None:
    assert not scan(a_healthy_cluster(), [every_node, nothing_ever]).incomplete


def test_an_object_that_could_not_be_read_makes_a_scan_incomplete() -> None:
    snapshot = replace(a_healthy_cluster(), errors=(CollectionError("dump.json", "no name"),))

    assert scan(snapshot, [nothing_ever]).incomplete


def test_settings_are_passed_to_their_rule() -> None:
    report = scan(a_cluster(a_node("n1")), [every_node, nothing_ever], {"every-node": {"severity": Severity.CRITICAL}})

    assert [result.severity for result in report.results] == [Severity.CRITICAL]


def test_a_setting_that_the_rule_does_not_have_is_an_error() -> None:
    outcome, reason = the_run(scan(a_cluster(a_node("n1")), [nothing_ever], {"nothing-ever": {"colour": "red"}}))

    assert (outcome, "colour" in reason) == (Outcome.ERROR, True)


def test_a_finding_without_a_severity_has_its_rules() -> None:
    assert [result.severity for result in scan(a_cluster(a_node("n1")), [every_node]).results] == [Severity.MEDIUM]


@rule(severity=Severity.HIGH, needs=set(), since="0.1.0", stage=Stage.POD)
def a_rule(snapshot: Snapshot, *, findings: tuple[Finding, ...] = ()) -> Iterator[Finding]:  # noqa: ARG001  a rule is given the snapshot
    """Whatever it is told."""
    yield from findings


@rule(severity=Severity.MEDIUM, needs=set(), since="0.1.0", stage=Stage.POD)
def b_rule(snapshot: Snapshot, *, findings: tuple[Finding, ...] = ()) -> Iterator[Finding]:  # noqa: ARG001  a rule is given the snapshot
    """Whatever it is told."""
    yield from findings


@rule(severity=Severity.LOW, needs=set(), since="0.1.0", stage=Stage.POD)
def c_rule(snapshot: Snapshot, *, findings: tuple[Finding, ...] = ()) -> Iterator[Finding]:  # noqa: ARG001  a rule is given the snapshot
    """Whatever it is told."""
    yield from findings


def told(*, a: tuple[Finding, ...] = (), b: tuple[Finding, ...] = (), c: tuple[Finding, ...] = ()) -> tuple[Result, ...]:
    """What a scan makes of these findings of three rules; a's severity is high, b's medium, c's low."""
    settings = {"a-rule": {"findings": a}, "b-rule": {"findings": b}, "c-rule": {"findings": c}}
    return scan(a_healthy_cluster(), [c_rule, a_rule, b_rule], settings).results


def causes(results: tuple[Result, ...]) -> dict[str, list[str]]:
    """The rules that explain each rule's findings."""
    by_fingerprint = {result.fingerprint: result for result in results}
    return {result.rule.slug: [by_fingerprint[cause].rule.slug for cause in result.caused_by] for result in results}


def test_a_finding_is_caused_by_the_findings_on_what_it_blames() -> None:
    results = told(a=(a_finding(WEB, blames=(Blame(AGENT),)),), b=(a_finding(AGENT, nodepool="default"),), c=(a_finding(WEB),))

    assert causes(results) == {"a-rule": ["b-rule"], "b-rule": [], "c-rule": []}


def test_a_blame_that_names_a_nodepool_means_no_other() -> None:
    here, there = a_finding(AGENT, nodepool="here"), a_finding(AGENT, nodepool="there")
    results = told(a=(a_finding(WEB, blames=(Blame(AGENT, "here"),)),), b=(here, there))

    assert results[0].caused_by == (fingerprint("b-rule", here),)


def test_the_owner_of_a_finding_can_be_blamed_as_its_object_can() -> None:
    pod = Ref("Pod", "agent-1", "v1", "kube-system")
    results = told(a=(a_finding(WEB, blames=(Blame(AGENT), Blame(pod))),), b=(with_fields(a_finding(AGENT), object=pod),))

    assert causes(results) == {"a-rule": ["b-rule"], "b-rule": []}


def test_a_place_where_a_finding_holds_can_be_blamed_as_its_object_can() -> None:
    place = Ref("NodeClaim", "default-1", "karpenter.sh/v1")
    of_several = with_fields(a_finding(AGENT), occurrences=(Occurrence(Ref("Node", "n1", "v1")), Occurrence(place)))
    results = told(a=(a_finding(WEB, blames=(Blame(place),)),), b=(of_several,))

    assert causes(results) == {"a-rule": ["b-rule"], "b-rule": []}


def test_a_blame_that_no_finding_answers_explains_nothing() -> None:
    assert causes(told(a=(a_finding(WEB, blames=(Blame(AGENT),)),))) == {"a-rule": []}


def test_a_rule_does_not_explain_its_own_findings() -> None:
    results = told(a=(a_finding(WEB, blames=(Blame(AGENT),)), a_finding(AGENT)))

    assert [result.caused_by for result in results] == [(), ()]


def test_of_two_findings_that_blame_each_other_one_is_the_cause() -> None:
    results = told(a=(a_finding(WEB, blames=(Blame(AGENT),)),), b=(a_finding(AGENT, blames=(Blame(WEB),)),))

    assert causes(results) == {"a-rule": ["b-rule"], "b-rule": []}


def test_a_cause_of_a_cause_is_not_told_twice() -> None:
    other = Ref("Node", "n1", "v1")
    results = told(
        a=(a_finding(WEB, blames=(Blame(AGENT), Blame(other))),),
        b=(a_finding(AGENT, blames=(Blame(other),)),),
        c=(a_finding(other),),
    )

    assert causes(results) == {"a-rule": ["b-rule"], "b-rule": ["c-rule"], "c-rule": []}


def test_a_circle_of_three_is_not_closed() -> None:
    other = Ref("Node", "n1", "v1")
    results = told(
        a=(a_finding(WEB, blames=(Blame(AGENT),)),),
        b=(a_finding(AGENT, blames=(Blame(other),)),),
        c=(a_finding(other, blames=(Blame(WEB),)),),
    )

    assert causes(results) == {"a-rule": ["b-rule"], "b-rule": ["c-rule"], "c-rule": []}


POOL = Ref("NodePool", "default", "karpenter.sh/v1")


@pytest.mark.parametrize(
    ("of_cause", "of_effect", "blamed", "linked"),
    [
        (Stage.NODEPOOL, Stage.POD, POOL, True),
        (Stage.BLOCKER, Stage.DISRUPTION, WEB, True),
        (Stage.DISRUPTION, Stage.POD, WEB, False),
        (Stage.DISRUPTION, Stage.DISRUPTION, WEB, True),
        (Stage.DISRUPTION, Stage.DISRUPTION, POOL, False),
        (Stage.HAZARD, Stage.HAZARD, WEB, False),
    ],
)
def test_what_a_rule_finds_explains_no_earlier_stage(of_cause: Stage, of_effect: Stage, blamed: Ref, linked: bool) -> None:  # noqa: FBT001  a case's outcome
    cause, effect = replace(b_rule, stage=of_cause), replace(a_rule, stage=of_effect)
    settings = {"a-rule": {"findings": (a_finding(AGENT, blames=(Blame(blamed),)),)}, "b-rule": {"findings": (a_finding(blamed),)}}

    assert causes(scan(a_healthy_cluster(), [cause, effect], settings).results) == {
        "a-rule": ["b-rule"] if linked else [],
        "b-rule": [],
    }


@pytest.mark.parametrize(
    ("of_cause", "place", "linked"),
    [
        (Stage.NODECLAIM, Ref("Node", "n1", "v1"), False),
        (Stage.NODECLAIM, Ref("NodeClaim", "default-1", "karpenter.sh/v1"), False),
        (Stage.NODECLAIM, Ref("Pod", "web-1", "v1", "shop"), True),
        (Stage.NODEPOOL, Ref("NodeClaim", "default-1", "karpenter.sh/v1"), True),
        (Stage.BLOCKER, Ref("Node", "n1", "v1"), True),
        (Stage.DISRUPTION, Ref("Node", "n1", "v1"), False),
    ],
)
def test_what_holds_on_some_nodes_explains_nothing_of_their_nodepool(of_cause: Stage, place: Ref, linked: bool) -> None:  # noqa: FBT001  a case's outcome
    cause, effect = replace(b_rule, stage=of_cause), replace(a_rule, stage=Stage.EXPIRY)
    on_nodes = with_fields(a_finding(POOL), occurrences=(Occurrence(place),))
    settings = {"a-rule": {"findings": (a_finding(AGENT, blames=(Blame(POOL),)),)}, "b-rule": {"findings": (on_nodes,)}}

    assert causes(scan(a_healthy_cluster(), [cause, effect], settings).results) == {
        "a-rule": ["b-rule"] if linked else [],
        "b-rule": [],
    }


def linked_by_comparing_all(results: tuple[Result, ...]) -> list[list[int]]:
    """What explains each result, told by comparing each with each: the places of its causes."""
    causes: dict[int, list[int]] = {place: [] for place in range(len(results))}

    def explains(cause: int, effect: int) -> bool:
        return cause == effect or any(explains(further, effect) for further in causes[cause])

    for effect, result in enumerate(results):
        for blame in result.finding.blames:
            for cause, other in enumerate(results):
                meant = blame.object in {other.finding.object, other.finding.owner} and blame.nodepool in {
                    "",
                    other.finding.nodepool,
                }
                meant = meant and (blame.object.kind != "NodePool")  # all three are of one stage
                if meant and other.rule is not result.rule and cause not in causes[effect] and not explains(cause, effect):
                    causes[effect].append(cause)
    return [
        [cause for cause in found if not any(other != cause and explains(other, cause) for other in found)]
        for found in causes.values()
    ]


OBJECTS = st.sampled_from([WEB, AGENT, POOL, Ref("Node", "n1", "v1")])
POOLS = st.sampled_from(["", "default", "gpu"])
FINDINGS = st.lists(
    st.builds(
        lambda subject, owner, nodepool, cause, blames: with_fields(
            a_finding(owner, nodepool=nodepool, cause=cause, blames=tuple(blames)), object=subject
        ),
        OBJECTS,
        OBJECTS,
        POOLS,
        st.sampled_from(["why", "because"]),
        st.lists(st.builds(Blame, OBJECTS, POOLS), max_size=3),
    ),
    max_size=4,
).map(tuple)


@given(FINDINGS, FINDINGS, FINDINGS)
def test_causes_are_those_that_comparing_each_with_each_tells(
    a: tuple[Finding, ...], b: tuple[Finding, ...], c: tuple[Finding, ...]
) -> None:
    results = told(a=a, b=b, c=c)

    assert [result.caused_by for result in results] == [
        tuple(results[cause].fingerprint for cause in causes) for causes in linked_by_comparing_all(results)
    ]


def test_results_come_worst_first_then_by_rule_owner_and_nodepool() -> None:
    one, two, low = a_finding(AGENT), a_finding(WEB, nodepool="b"), a_finding(WEB, severity=Severity.INFO)
    three, critical = a_finding(WEB, nodepool="a"), a_finding(WEB, severity=Severity.CRITICAL)
    results = told(a=(low, two, three, one), b=(a_finding(WEB, severity=Severity.HIGH), critical))

    assert [(result.severity, result.rule.slug, result.finding.owner.name, result.finding.nodepool) for result in results] == [
        (Severity.CRITICAL, "b-rule", "web", ""),
        (Severity.HIGH, "a-rule", "agent", ""),
        (Severity.HIGH, "a-rule", "web", "a"),
        (Severity.HIGH, "a-rule", "web", "b"),
        (Severity.HIGH, "b-rule", "web", ""),
        (Severity.INFO, "a-rule", "web", ""),
    ]


def test_the_order_of_the_rules_and_of_their_findings_changes_nothing() -> None:
    findings = (a_finding(WEB), a_finding(AGENT), a_finding(WEB, nodepool="a"))

    assert told(a=findings, b=findings) == told(a=findings[::-1], b=findings[::-1])


def test_what_nothing_could_prove_is_not_incomplete() -> None:
    report = scan(a_healthy_cluster(), [proves_nothing])

    assert (report.incomplete, report.lacks_input) == (False, False)


def test_a_fingerprint_is_the_same_in_every_release() -> None:
    assert fingerprint("a-rule", a_finding(WEB, nodepool="default")) == "v1:cc7553c860e3bfe2"


@pytest.mark.parametrize(
    "churned",
    [
        with_fields(a_finding(), object=Ref("Pod", "web-bcdfg-22222", "v1", "shop")),
        with_fields(a_finding(), message="waits for default-x2x4x since its nomination 15m ago"),
        with_fields(a_finding(), why="node n2 is 300m cpu short", cost="node n2", impact=Impact(nodes=7, pods=9)),
        with_fields(a_finding(), severity=Severity.INFO),
        with_fields(a_finding(), since=ago("1h")),
        with_fields(a_finding(), occurrences=(Occurrence(Ref("Node", "n2", "v1"), "1234", "n2", "label", ago("1h")),)),
        with_fields(a_finding(), evidence=(Evidence(Ref("Node", "n2", "v1"), "spec.taints", "gpu:NoSchedule"),)),
        with_fields(a_finding(), blames=(Blame(AGENT),)),
    ],
    ids=["object", "message", "numbers", "severity", "time", "occurrences", "evidence", "blames"],
)
def test_a_fingerprint_survives_churn(churned: Finding) -> None:
    assert fingerprint("a-rule", churned) == fingerprint("a-rule", a_finding())


@pytest.mark.parametrize(
    ("slug", "other"),
    [
        ("b-rule", a_finding()),
        ("a-rule", a_finding(AGENT)),
        ("a-rule", a_finding(Ref("StatefulSet", "web", "apps/v1", "shop"))),
        ("a-rule", a_finding(Ref("Deployment", "web", "apps/v1", "stage"))),
        ("a-rule", a_finding(nodepool="default")),
        ("a-rule", a_finding(cause="another")),
    ],
    ids=["rule", "owner", "owner's kind", "owner's namespace", "NodePool", "cause"],
)
def test_a_fingerprint_tells_findings_apart_by_rule_owner_nodepool_and_cause(slug: str, other: Finding) -> None:
    assert fingerprint(slug, other) != fingerprint("a-rule", a_finding())


def test_a_fingerprint_knows_where_one_name_ends_and_the_next_begins() -> None:
    one, other = Ref("Deployment", "b", "apps/v1", "a"), Ref("Deployment", "", "apps/v1", "ab")

    assert fingerprint("a-rule", a_finding(one)) != fingerprint("a-rule", a_finding(other))


def test_the_same_trouble_of_another_pod_on_another_node_at_another_time_has_the_same_fingerprint() -> None:
    web = a_deployment("web")

    def fingerprints(pod_name: str, node_name: str, since: str) -> list[str]:
        pod = a_pod(pod_name, of=web)
        nomination = nominated(pod, to=f"default-{node_name}", node=node_name, first=since, last="1m")
        cluster = a_cluster(a_node(node_name, cordoned=True), web, pod, nomination)
        return [result.fingerprint for result in scan(cluster, [nominated_pod_failure]).results]

    assert fingerprints("web-bcdfg-22222", "n1", "15m") == fingerprints("web-bcdfg-44444", "n2", "40m") != []


KNOWN = Ignore("every-node", "we know", name="n1", source="file.yaml, ignore[0]")


def test_what_an_ignore_matches_is_suppressed_and_the_rest_is_not() -> None:
    report = scan(a_cluster(a_node("n1"), a_node("n2")), [every_node], ignores=[KNOWN])

    assert [result.finding.object.name for result in report.results] == ["n2"]
    assert [(result.finding.object.name, result.ignored) for result in report.suppressed] == [("n1", KNOWN)]
    assert report.ignores == (IgnoreUse(KNOWN, 1, expired=False, judged=True),)


def test_the_first_ignore_that_holds_is_why() -> None:
    over, other = replace(KNOWN, until=ago("1h")), replace(KNOWN, reason="and this")
    report = scan(a_cluster(a_node("n1")), [every_node], ignores=[over, KNOWN, other])

    assert [result.ignored for result in report.suppressed] == [KNOWN]
    assert [(use.matched, use.expired) for use in report.ignores] == [(1, True), (1, False), (1, False)]


def test_an_expired_ignore_leaves_nothing_be() -> None:
    report = scan(a_cluster(a_node("n1")), [every_node], ignores=[replace(KNOWN, until=ago("1h"))])

    assert ([result.finding.object.name for result in report.results], report.suppressed) == (["n1"], ())


def test_an_ignore_of_a_rule_that_was_not_judged_is_not_called_useless() -> None:
    report = scan(a_cluster(a_node("n2"), missing={Kind.POD: Status.FORBIDDEN}), [every_node], ignores=[KNOWN])

    assert report.ignores == (IgnoreUse(KNOWN, 0, expired=False, judged=False),)


def test_an_ignore_of_a_rule_that_is_not_run_is_not_called_useless() -> None:
    assert scan(a_cluster(a_node("n2")), [nothing_ever], ignores=[KNOWN]).ignores == (
        IgnoreUse(KNOWN, 0, expired=False, judged=False),
    )


def test_what_a_suppressed_finding_explains_is_still_told() -> None:
    cause = a_finding(AGENT)
    effect = a_finding(WEB, blames=(Blame(AGENT),))

    @rule(severity=Severity.HIGH, needs=set(), since="0.1.0", stage=Stage.POD)
    def causes(snapshot: Snapshot) -> Iterator[Finding]:
        """A cause."""
        yield from [cause] * bool(snapshot.taken_at)

    @rule(severity=Severity.HIGH, needs=set(), since="0.1.0", stage=Stage.POD)
    def effects(snapshot: Snapshot) -> Iterator[Finding]:
        """An effect."""
        yield from [effect] * bool(snapshot.taken_at)

    report = scan(a_cluster(a_node("n1")), [causes, effects], ignores=[Ignore("causes", "we know")])

    assert [(result.rule.slug, result.caused_by) for result in report.results] == [
        ("effects", (fingerprint("causes", cause),)),
    ]


def test_a_configured_severity_is_that_of_every_finding() -> None:
    report = scan(
        a_cluster(a_node("n1")),
        [every_node],
        {"every-node": {"severity": Severity.CRITICAL}},
        severities={"every-node": Severity.INFO},
    )

    assert [result.severity for result in report.results] == [Severity.INFO]
