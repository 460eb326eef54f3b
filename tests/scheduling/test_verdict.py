"""Would a NodePool buy a node for a pod?"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import msgspec
import pytest

from karpenter_check.scheduling.labels import Provider
from karpenter_check.scheduling.nodepool import (
    BeingDeleted,
    HostPortTaken,
    Invalid,
    LimitReached,
    NothingToBuy,
    NotReady,
    Static,
)
from karpenter_check.scheduling.refusal import NoOverlap, Refusal, UndefinedLabel, UntoleratedTaint
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.requirements import Requirements
from karpenter_check.scheduling.validation import Violation
from karpenter_check.scheduling.verdict import Answer, Hindrance, Verdict, verdicts
from karpenter_check.snapshot import DaemonSet, NodeClaim, NodePool, Ref, Version
from karpenter_check.snapshot.pod_object import (
    Affinity,
    ContainerPort,
    NodeAffinity,
    PodObject,
    PreferredSchedulingTerm,
    TopologySpreadConstraint,
)
from karpenter_check.snapshot.workload import DaemonSetSpec, PodTemplate
from tests.build import Thing, a_cluster, a_daemonset, a_nodeclaim, a_nodepool, a_pod, a_pod_spec, a_taint, a_term

ZONE, ARCH = "topology.kubernetes.io/zone", "kubernetes.io/arch"
WEB = a_pod("web", cpu="500m", memory="")
IN_NO_OBJECT = Verdict("default", Answer.UNPROVEN, because="no object shows that it can buy a node for 500m cpu")
V1_13, V1_14 = Version(1, 13), Version(1, 14)


def answers(pod: PodObject, *things: Thing, version: Version | None = V1_13) -> list[Verdict]:
    """What the NodePools answer to the one pod."""
    cluster = a_cluster(pod, *things, version=version)
    return list(verdicts(cluster, cluster.pods[0].shape))


def refused(*why: Hindrance, certain: bool = True) -> Verdict:
    return Verdict("default", Answer.REFUSES, why, certain=certain)


def undefined(key: str, value: str) -> UndefinedLabel:
    return UndefinedLabel(Requirement.of(key, "In", [value]))


def asking(*terms: str, selector: Mapping[str, str] | None = None) -> PodObject:
    return a_pod("web", cpu="500m", memory="", terms=[a_term(term) for term in terms], selector=selector)


def test_the_nodepools_answer_in_karpenters_order() -> None:
    gpu = a_nodepool("gpu", weight=10, taints=["gpu:NoSchedule"])

    assert answers(WEB, a_nodepool("a"), a_nodepool("b"), gpu) == [
        Verdict("gpu", Answer.REFUSES, (UntoleratedTaint(a_taint("gpu:NoSchedule")),)),
        replace(IN_NO_OBJECT, nodepool="b"),
        replace(IN_NO_OBJECT, nodepool="a"),
    ]
    assert answers(WEB) == []


@pytest.mark.parametrize(
    ("taint", "tolerates", "verdict"),
    [
        ("gpu:NoSchedule", [], refused(UntoleratedTaint(a_taint("gpu:NoSchedule")))),
        ("gpu:NoExecute", [], refused(UntoleratedTaint(a_taint("gpu:NoExecute")))),
        ("gpu:PreferNoSchedule", [], IN_NO_OBJECT),
        ("gpu:NoSchedule", ["gpu:NoSchedule"], IN_NO_OBJECT),
        ("gpu:NoExecute", ["gpu:NoSchedule"], refused(UntoleratedTaint(a_taint("gpu:NoExecute")))),
        ("gpu=a:NoSchedule", ["gpu=b:NoSchedule"], refused(UntoleratedTaint(a_taint("gpu=a:NoSchedule")))),
        ("gpu:NoExecute", ["*"], IN_NO_OBJECT),
    ],
)
def test_a_taint_must_be_tolerated_unless_it_is_a_preference(taint: str, tolerates: list[str], verdict: Verdict) -> None:
    pod = a_pod("web", cpu="500m", memory="", tolerations=tolerates)

    assert answers(pod, a_nodepool(taints=[taint])) == [verdict]
    assert answers(WEB, a_nodepool(startup_taints=[taint])) == [IN_NO_OBJECT]


@pytest.mark.parametrize(
    ("pod", "verdict"),
    [
        (asking("team In a"), refused(undefined("team", "a"))),
        (asking("team In a", "tier In b"), refused(undefined("team", "a"))),
        (asking("team In a", "owner NotIn b"), IN_NO_OBJECT),
        (asking("owner NotIn b", "team In a"), IN_NO_OBJECT),
        (asking(selector={"team": "a"}), refused(undefined("team", "a"))),
        (asking("owner NotIn b", selector={"team": "a"}), refused(undefined("team", "a"))),
        (a_pod("web", cpu="500m", memory="", terms=[a_term()]), IN_NO_OBJECT),
        (a_pod("web", cpu="500m", memory="", terms=[a_term("team In a"), a_term()]), IN_NO_OBJECT),
    ],
    ids=[
        "one term", "neither of two terms: the first", "the second of two terms", "the first of two terms", "the nodeSelector",
        "the nodeSelector, beside a term", "an empty term asks nothing", "or an empty term",
    ],
)  # fmt: skip
def test_one_of_the_required_terms_is_enough(pod: PodObject, verdict: Verdict) -> None:
    assert answers(pod, a_nodepool()) == [verdict]


def test_of_several_terms_the_one_that_comes_nearest_is_told() -> None:
    pod = a_pod("web", terms=[a_term("team In a", "tier In b"), a_term(f"{ARCH} In arm64")])
    only_amd64 = Requirement.of(ARCH, "In", ["amd64"])

    assert answers(pod, a_nodepool(requirements=[f"{ARCH} In amd64"])) == [
        refused(NoOverlap(only_amd64, Requirement.of(ARCH, "In", ["arm64"])))
    ]


def test_a_preference_stops_nothing() -> None:
    spec = a_pod_spec(cpu="500m", memory="")
    affinity = Affinity(NodeAffinity(preferred=(PreferredSchedulingTerm(100, a_term("team In a")),)))
    pod = msgspec.structs.replace(WEB, spec=msgspec.structs.replace(spec, affinity=affinity))

    assert answers(pod, a_nodepool()) == [IN_NO_OBJECT]


@pytest.mark.parametrize(
    ("nodepool", "why"),
    [
        (a_nodepool(deleted="1m"), BeingDeleted()),
        (a_nodepool(replicas=3), Static(3)),
        (a_nodepool(not_ready="NodeClassReady=False"), NotReady("UnhealthyDependents", "NodeClassReady=False")),
        (
            a_nodepool(requirements=["team Gt four"]),
            Invalid(
                Violation("spec.template.spec.requirements[0].values", "four", "Gt needs one whole number that is not negative")
            ),
        ),
        (a_nodepool(requirements=[f"{ZONE} In a"], labels={ZONE: "b"}), NothingToBuy(Requirement.of(ZONE, "DoesNotExist"))),
        (a_nodepool(limits={"cpu": "4"}, used={"cpu": "4"}), LimitReached("cpu", 4000, 4000, 500)),
        (a_nodepool(limits={"nodes": "2"}, used={"nodes": "2"}), LimitReached("nodes", 2000, 2000, 1000)),
    ],
    ids=["being deleted", "static", "not ready", "invalid", "nothing to buy", "limit of cpu", "limit of nodes"],
)
def test_a_nodepool_that_buys_nothing_refuses_everybody(nodepool: NodePool, why: Hindrance) -> None:
    assert answers(WEB, nodepool) == [refused(why)]


def test_all_that_stands_in_the_way_is_named_the_nodepools_own_first() -> None:
    nodepool = a_nodepool(not_ready="gone", limits={"cpu": "4"}, used={"cpu": "4"}, taints=["gpu:NoSchedule"])
    (verdict,) = answers(asking("team In a"), nodepool)

    assert verdict == refused(
        NotReady("UnhealthyDependents", "gone"),
        LimitReached("cpu", 4000, 4000, 500),
        UntoleratedTaint(a_taint("gpu:NoSchedule")),
        undefined("team", "a"),
    )
    assert verdict.causes == {"nodepool:not-ready", "nodepool:limit", "taint:gpu", "label:team"}
    assert str(verdict) == (
        "is not Ready (UnhealthyDependents: gone); limit reached: 0 of 4 cpu left, 500m needed; "
        "does not tolerate gpu:NoSchedule; needs team In [a], which is not declared"
    )


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        (Version(1, 1), refused(LimitReached("cpu", 10_000, 9000, 1100))),
        (V1_13, refused(LimitReached("cpu", 10_000, 9000, 1100))),
        (None, refused(LimitReached("cpu", 10_000, 9000, 1100))),
        (V1_14, IN_NO_OBJECT),  # by instance type, which no object shows
    ],
)
def test_what_daemonsets_take_counts_against_a_limit_up_to_1_13(version: Version | None, verdict: Verdict) -> None:
    nodepool, logs = a_nodepool(limits={"cpu": "10"}, used={"cpu": "9"}), a_daemonset("logs", cpu="600m", memory="")

    assert answers(WEB, nodepool, logs, version=version) == [verdict]


def on_port(name: str, port: ContainerPort, *, tolerations: tuple[str, ...] = ("*",)) -> DaemonSet:
    spec = a_pod_spec(cpu="", memory="", tolerations=tolerations, host_port=port.host_port)
    (container,) = spec.containers
    spec = msgspec.structs.replace(spec, containers=(msgspec.structs.replace(container, ports=(port,)),))
    return DaemonSet(a_daemonset(name).metadata, DaemonSetSpec(PodTemplate(spec)))


def test_a_host_port_that_a_counted_daemonset_holds_is_free_on_no_node() -> None:
    pod = a_pod("web", cpu="500m", memory="", host_port=8080)
    taken = HostPortTaken(ContainerPort(8080), Ref("DaemonSet", "logs", "apps/v1", "kube-system"))
    (verdict,) = answers(pod, a_nodepool(), on_port("logs", ContainerPort(8080, "10.0.0.1")))

    assert verdict == refused(taken)
    assert str(verdict) == "host port 8080/TCP is held by DaemonSet kube-system/logs, which comes to each of its nodes"


@pytest.mark.parametrize(
    "daemonset",
    [
        on_port("logs", ContainerPort(8081)),
        on_port("logs", ContainerPort(8080, protocol="UDP")),
        on_port("logs", ContainerPort(8080), tolerations=()),  # it does not come there
    ],
)
def test_another_port_or_another_nodepools_daemonset_is_in_nobodys_way(daemonset: DaemonSet) -> None:
    pod = a_pod("web", cpu="500m", memory="", host_port=8080, tolerations=["gpu:NoSchedule"])

    assert answers(pod, a_nodepool(taints=["gpu:NoSchedule"]), daemonset) == [IN_NO_OBJECT]


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        (a_pod("web", cpu="", memory=""), "a node for a pod without requests"),
        (a_pod("web", cpu="1", memory="2Gi"), "a node for 1 cpu, 2Gi memory"),
        (asking(f"{ZONE} In a"), f"{ZONE} In [a]"),
        (
            asking("karpenter.k8s.aws/instance-cpu Gt 7", selector={"beta.kubernetes.io/arch": "arm64"}),
            f"{ARCH} In [arm64] and karpenter.k8s.aws/instance-cpu >= 8",
        ),
        (asking("team NotIn a"), "a node for 500m cpu"),
    ],
)
def test_what_a_provider_sells_is_in_no_object(pod: PodObject, said: str) -> None:
    (verdict,) = answers(pod, a_nodepool())

    assert verdict == Verdict("default", Answer.UNPROVEN, because=f"no object shows that it can buy {said}")
    assert str(verdict) == f"not proven: no object shows that it can buy {said}"


def spreading(when_unsatisfiable: str) -> PodObject:
    constraint = TopologySpreadConstraint(ZONE, when_unsatisfiable)
    return msgspec.structs.replace(WEB, spec=msgspec.structs.replace(WEB.spec, topology_spread_constraints=(constraint,)))


def bought(
    *, hash: str = "1", deleted: str = "", cpu: str = "2", labels: Mapping[str, str] | None = None, capacity: str = "2"
) -> NodeClaim:
    """What the NodePool has bought once."""
    claim = a_nodeclaim("default-x", hash=hash, deleted=deleted)
    found = {"node.kubernetes.io/instance-type": "m7i.large", ZONE: "a", ARCH: "amd64"}
    metadata = msgspec.structs.replace(claim.metadata, labels={**claim.metadata.labels, **found, **(labels or {})})
    has = {"cpu": cpu, "memory": "7Gi", "pods": "29"}
    status = msgspec.structs.replace(claim.status, allocatable=dict(has), capacity={**has, "cpu": capacity})
    return msgspec.structs.replace(claim, metadata=metadata, status=status)


TAKES = Verdict("default", Answer.TAKES, because="it has bought m7i.large, which holds it")


@pytest.mark.parametrize(
    ("pod", "verdict"),
    [
        (
            spreading("DoNotSchedule"),
            Verdict("default", Answer.UNPROVEN, because=f"its topology spread over {ZONE} is not judged here"),
        ),
        (spreading("ScheduleAnyway"), TAKES),
    ],
)
def test_what_a_pod_asks_of_its_neighbours_is_not_judged(pod: PodObject, verdict: Verdict) -> None:
    assert answers(pod, a_nodepool(), bought()) == [verdict]


def test_what_it_has_bought_once_it_can_buy_again() -> None:
    (verdict,) = answers(WEB, a_nodepool(), bought())

    assert verdict == TAKES
    assert str(verdict) == "would take it: it has bought m7i.large, which holds it"


def test_a_claim_that_does_not_say_its_instance_type_is_named() -> None:
    unlabelled = msgspec.structs.replace(bought(), metadata=a_nodeclaim("default-x").metadata)

    assert answers(WEB, a_nodepool(), unlabelled) == [
        Verdict("default", Answer.TAKES, because="it has bought what became default-x, which holds it")
    ]


@pytest.mark.parametrize(
    ("nodepool", "claim", "verdict"),
    [
        (a_nodepool(), bought(hash="0"), IN_NO_OBJECT),
        (a_nodepool(), bought(deleted="1m"), IN_NO_OBJECT),
        (a_nodepool(), bought(cpu="500m"), TAKES),
        (a_nodepool(), bought(cpu="499m"), IN_NO_OBJECT),
        (a_nodepool(), bought(labels={"karpenter.sh/nodepool": "other"}), IN_NO_OBJECT),
        (a_nodepool(), a_nodeclaim("default-x"), IN_NO_OBJECT),
        (a_nodepool(limits={"cpu": "10"}, used={"cpu": "8"}), bought(), TAKES),
        (a_nodepool(limits={"cpu": "10"}, used={"cpu": "9"}), bought(), IN_NO_OBJECT),
    ],
    ids=[
        "made from another template", "being deleted", "just large enough", "too small", "of another NodePool",
        "not launched yet", "within the limit", "beyond the limit",
    ],
)  # fmt: skip
def test_what_it_has_bought_shows_that_it_would_take_the_pod(nodepool: NodePool, claim: NodeClaim, verdict: Verdict) -> None:
    assert answers(WEB, nodepool, claim) == [verdict]


@pytest.mark.parametrize(
    ("pod", "taken"),
    [
        (asking(f"{ZONE} In a,b"), True),
        (asking(f"{ZONE} In b"), False),
        (asking("failure-domain.beta.kubernetes.io/zone In a"), True),
        (asking("karpenter.k8s.aws/instance-cpu Gt 1"), False),  # the claim does not say
        (asking("team In a"), True),
    ],
)
def test_what_it_has_bought_must_have_the_labels_that_are_asked_for(pod: PodObject, taken: bool) -> None:  # noqa: FBT001  the expectation
    (verdict,) = answers(pod, a_nodepool(requirements=["team Exists"]), bought())

    assert (verdict.answer is Answer.TAKES) is taken


def test_what_it_has_bought_must_hold_the_daemonsets_too() -> None:
    logs = a_daemonset("logs", cpu="1600m", memory="")

    assert answers(WEB, a_nodepool(), bought(), logs) == [IN_NO_OBJECT]
    assert answers(WEB, a_nodepool(), bought(cpu="2100m"), logs) == [TAKES]


@pytest.mark.parametrize(
    ("key", "version", "certain"),
    [
        ("example.com/team", Version(1, 13, 2), True),
        ("example.com/team", V1_14, False),
        ("example.com/team", None, False),
        ("team", V1_14, True),
        ("team", None, True),
    ],
)
def test_of_a_version_that_is_not_listed_a_label_with_a_domain_may_be_known(
    key: str,
    version: Version | None,
    certain: bool,  # noqa: FBT001  the expectation
) -> None:
    assert answers(asking(f"{key} In a"), a_nodepool(), version=version) == [refused(undefined(key, "a"), certain=certain)]


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[Requirements]:
    """Each time that a template is compared with what is asked of it: what was asked."""
    asked: list[Requirements] = []
    answer = Requirements.refusals

    def counting(template: Requirements, incoming: Requirements, provider: Provider | None) -> Iterator[Refusal]:
        asked.append(incoming)
        return answer(template, incoming, provider)

    monkeypatch.setattr(Requirements, "refusals", counting)
    return asked


POOLS = [a_nodepool(f"pool-{number}") for number in range(50)]


def put_to_all(pods: int) -> set[tuple[Answer, ...]]:
    """What 50 NodePools answer to so many pods of 100 shapes."""
    pending = [a_pod(f"web-{number}", cpu=f"{number % 100 + 1}m") for number in range(pods)]
    cluster = a_cluster(*POOLS, *pending)
    return {tuple(verdict.answer for verdict in verdicts(cluster, pod.shape)) for pod in cluster.pods}


def test_each_shape_is_put_to_each_nodepool_once_however_many_pods_have_it(compared: list[Requirements]) -> None:
    assert put_to_all(5000) == {(Answer.UNPROVEN,) * 50}
    of_5000 = len(compared)
    assert put_to_all(10_000) == {(Answer.UNPROVEN,) * 50}
    of_10_000 = len(compared) - of_5000

    assert of_5000 == 100 * 50
    assert of_10_000 < 1.2 * of_5000


def test_one_sure_hindrance_makes_a_refusal_certain() -> None:
    pod = asking("example.com/team In a")
    why = UntoleratedTaint(a_taint("gpu:NoSchedule")), undefined("example.com/team", "a")

    assert answers(pod, a_nodepool(taints=["gpu:NoSchedule"]), version=V1_14) == [refused(*why, certain=True)]


def test_what_was_bought_for_any_of_the_terms_shows_that_it_can_be_bought() -> None:
    assert answers(asking(f"{ZONE} In b", f"{ZONE} In a"), a_nodepool(), bought()) == [TAKES]


def test_a_claim_that_says_no_capacity_has_at_least_what_pods_may_have_of_it() -> None:
    claim = bought()
    silent = msgspec.structs.replace(claim, status=msgspec.structs.replace(claim.status, capacity={}))

    assert answers(WEB, a_nodepool(limits={"cpu": "10"}, used={"cpu": "9"}), silent) == [IN_NO_OBJECT]


def test_a_taint_does_not_hide_the_term_that_would_do() -> None:
    pod = asking("team In a", "team In b")
    nodepool = a_nodepool(labels={"team": "a"}, taints=["gpu:NoSchedule"])

    assert answers(pod, nodepool) == [refused(UntoleratedTaint(a_taint("gpu:NoSchedule")))]


def test_terms_are_given_up_before_a_taint_that_is_a_preference() -> None:
    pod = asking("team In a", "team In b")
    nodepool = a_nodepool(labels={"team": "a"}, taints=["gpu:PreferNoSchedule"])
    declared, asked = Requirement.of("team", "In", ["a"]), Requirement.of("team", "In", ["b"])

    assert answers(pod, nodepool) == [refused(NoOverlap(declared, asked), certain=False)]
