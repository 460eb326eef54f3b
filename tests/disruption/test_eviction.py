"""PodDisruptionBudgets: whom they match, whether they let go, and what they can ever allow."""

from collections.abc import Mapping
from functools import partial
from random import Random

import pytest
from msgspec.structs import replace

from karpenter_check.disruption.eviction import (
    NeverAllows,
    budgets_of,
    closed_since,
    guarded,
    keeps_from_disruption,
    keeps_from_eviction,
    never_allows,
)
from karpenter_check.snapshot import Pod, Snapshot
from karpenter_check.snapshot.metadata import Condition, Metadata
from karpenter_check.snapshot.pod import PodShapes
from karpenter_check.snapshot.pod_object import PodObject
from karpenter_check.snapshot.selector import LabelSelector, LabelSelectorRequirement, parse_selector
from karpenter_check.snapshot.workload import PodDisruptionBudget, PodDisruptionBudgetSpec
from tests.build import a_budget, a_cluster, a_node, a_pod, ago


def a_budget_for(name: str, selector: LabelSelector | None, namespace: str = "shop") -> PodDisruptionBudget:
    return PodDisruptionBudget(Metadata(name, namespace), PodDisruptionBudgetSpec(selector))


def a_selector(text: str) -> LabelSelector:
    """Equalities in matchLabels, all else in matchExpressions."""
    expressions = parse_selector(text).match_expressions if text else ()
    equal = {entry.key: entry.values[0] for entry in expressions if entry.operator == "In" and len(entry.values) == 1}
    return LabelSelector(equal, tuple(entry for entry in expressions if not (entry.operator == "In" and len(entry.values) == 1)))


def matching(labels: Mapping[str, str], *budgets: PodDisruptionBudget, namespace: str = "shop") -> list[str]:
    cluster = a_cluster(a_node("n1"), *budgets, a_pod("web", namespace=namespace, on="n1", labels=labels))
    return [budget.metadata.name for budget in budgets_of(cluster, cluster.pods[0])]


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app=web,tier=front", True),
        ("app=web,tier=back", False),
        ("app=api", False),
        ("app in (api,web)", True),
        ("app in (api,db)", False),
        ("app", True),
        ("other", False),
        ("!other", True),
        ("!app", False),
        ("app!=api", True),
        ("app!=web", False),
        ("app=web,tier notin (back)", True),
        ("empty=", True),
    ],
)
def test_a_budget_matches_by_its_selector(selector: str, matches: bool) -> None:  # noqa: FBT001  the expectation
    labels = {"app": "web", "tier": "front", "empty": ""}

    assert bool(matching(labels, a_budget_for("b", a_selector(selector)))) is matches


def test_a_selector_in_no_value_or_of_an_operator_that_is_none_matches_nothing() -> None:
    nothing = LabelSelector({}, (LabelSelectorRequirement("app", "In"),))
    odd = LabelSelector({}, (LabelSelectorRequirement("app", "Like", ("web",)),))

    assert matching({"app": "web"}, a_budget_for("nothing", nothing), a_budget_for("odd", odd)) == []


def test_a_budget_without_a_selector_matches_nothing_and_one_of_another_namespace_neither() -> None:
    budgets = (a_budget_for("none", None), a_budget_for("elsewhere", LabelSelector(), "data"))

    assert matching({"app": "web"}, *budgets) == []


def test_several_budgets_match_in_the_order_of_the_list() -> None:
    selectors = {"d": "", "c": "app=web", "b": "tier", "a": "!other", "z": "other"}
    budgets = [a_budget_for(name, a_selector(text)) for name, text in selectors.items()]

    assert matching({"app": "web", "tier": "front"}, *budgets) == ["d", "c", "b", "a"]


def a_random_selector(draw: Random) -> LabelSelector:
    keys, values = ("a", "b", "c"), ("1", "2", "3")
    return LabelSelector(
        {key: draw.choice(values) for key in draw.sample(keys, draw.randint(0, 2))},
        tuple(
            LabelSelectorRequirement(
                draw.choice(keys),
                operator := draw.choice(("In", "NotIn", "Exists", "DoesNotExist")),
                tuple(draw.sample(values, draw.randint(1, 2))) if operator in {"In", "NotIn"} else (),
            )
            for _ in range(draw.randint(0, 2))
        ),
    )


def test_the_index_finds_what_asking_every_budget_finds() -> None:
    draw = Random(7)  # noqa: S311  the same cases each time
    budgets = tuple(a_budget_for(f"b{n}", a_random_selector(draw), draw.choice(("shop", "data"))) for n in range(60))
    share = PodShapes().share
    pods = tuple(
        share(PodObject(Metadata(f"p{n}", draw.choice(("shop", "data")), labels={key: draw.choice("123") for key in draw.sample("abc", draw.randint(0, 3))})))
        for n in range(200)
    )  # fmt: skip
    cluster = Snapshot(a_cluster().taken_at, pods=pods, poddisruptionbudgets=budgets)

    def asked(pod: Pod) -> tuple[PodDisruptionBudget, ...]:
        return tuple(
            budget
            for budget in budgets
            if budget.metadata.namespace == pod.metadata.namespace
            and budget.spec.selector is not None
            and budget.spec.selector.matches(pod.metadata.labels)
        )

    assert [budgets_of(cluster, pod) for pod in pods] == [asked(pod) for pod in pods]


def test_the_work_grows_with_pods_and_matches_not_with_pods_times_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """500 budgets of one namespace share a chart's labels, as releases of one chart do; each has two pods, and many pods have none."""
    chart = {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/name": "service"}
    budgets = tuple(
        a_budget_for(f"b{n}", LabelSelector({**chart, "app.kubernetes.io/instance": f"release-{n}"})) for n in range(500)
    )
    share = PodShapes().share
    pods = tuple(
        share(PodObject(Metadata(f"p{n}", "shop", labels={**chart, "app.kubernetes.io/instance": f"release-{n % 2500}"})))
        for n in range(5000)
    )
    cluster = Snapshot(a_cluster().taken_at, pods=pods, poddisruptionbudgets=budgets)
    asked: list[str] = []
    matches = LabelSelector.matches

    def counted(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
        asked.append(labels["app.kubernetes.io/instance"])
        return matches(selector, labels)

    monkeypatch.setattr(LabelSelector, "matches", counted)
    found = sum(len(budgets_of(cluster, pod)) for pod in pods)

    assert (found, len(asked)) == (1000, 1000)


def test_active_pods_are_grouped_by_all_the_budgets_that_match_them() -> None:
    web, both = {"app": "web"}, {"app": "web", "tier": "front"}
    cluster = a_cluster(
        a_node("n1"),
        a_budget("app", selects=web),
        a_budget("tier", selects={"tier": "front"}),
        a_pod("one", on="n1", labels=web),
        a_pod("two", on="n1", labels=both),
        a_pod("three", labels=web),
        a_pod("free", on="n1"),
        a_pod("leaving", on="n1", labels=web, deleted="1s"),
        a_pod("done", on="n1", labels=web, phase="Succeeded"),
    )

    assert [
        ([budget.metadata.name for budget in group.budgets], [pod.metadata.name for pod in group.pods])
        for group in guarded(cluster)
    ] == [(["app"], ["one", "three"]), (["app", "tier"], ["two"])]


def shared(*, ready: str, phase: str = "Running", deleted: str = "") -> Pod:
    """A pod with this status of its Ready condition, none if that is empty."""
    pod = a_pod("web", on="n1", phase=phase, deleted=deleted)
    conditions = tuple(entry for entry in pod.status.conditions if entry.type != "Ready")
    conditions += (Condition("Ready", ready),) if ready else ()
    return PodShapes().share(replace(pod, status=replace(pod.status, conditions=conditions)))


@pytest.mark.parametrize("ready", ["True", "False", "Unknown", ""])
@pytest.mark.parametrize("policy", ["", "IfHealthyBudget", "AlwaysAllow"])
def test_karpenter_lets_always_allow_count_for_pods_that_are_said_not_to_be_ready(policy: str, ready: str) -> None:
    keeps = partial(keeps_from_disruption, pod=shared(ready=ready))

    assert keeps(a_budget("b", allowed=0, unhealthy_pods=policy)) is not (policy == "AlwaysAllow" and ready == "False")
    assert not keeps(a_budget("b", allowed=1, unhealthy_pods=policy))


@pytest.mark.parametrize(
    ("budget", "ready", "keeps"),
    [
        (a_budget("b", allowed=0), "True", True),
        (a_budget("b", allowed=1), "True", False),
        (a_budget("b", allowed=0), "False", True),
        (a_budget("b", allowed=0, unhealthy_pods="AlwaysAllow"), "True", True),
        (a_budget("b", allowed=0, unhealthy_pods="AlwaysAllow"), "False", False),
        (a_budget("b", allowed=0, unhealthy_pods="AlwaysAllow"), "Unknown", False),
        (a_budget("b", allowed=0, unhealthy_pods="AlwaysAllow"), "", False),
        (a_budget("b", allowed=0, healthy=2, desired_healthy=2), "False", False),
        (a_budget("b", allowed=0, healthy=2, desired_healthy=2), "True", True),
        (a_budget("b", allowed=0, healthy=1, desired_healthy=2), "False", True),
    ],
)
def test_the_api_server_lets_pods_that_are_not_ready_go_where_the_others_are_healthy(
    budget: PodDisruptionBudget,
    ready: str,
    keeps: bool,  # noqa: FBT001  the expectation
) -> None:
    assert keeps_from_eviction(budget, shared(ready=ready)) is keeps


def test_the_api_server_asks_no_budget_for_what_has_not_begun_or_is_at_its_end() -> None:
    budget = a_budget("b", allowed=0)
    pods = [shared(ready="False", phase=phase) for phase in ("Pending", "Succeeded", "Failed")] + [
        shared(ready="True", deleted="1s")
    ]

    assert [keeps_from_eviction(budget, pod) for pod in pods] == [False] * 4


EVERY, NONE = "every pod must be available", "no pod may be unavailable"


@pytest.mark.parametrize(
    ("budget", "never"),
    [
        (a_budget("b"), None),
        (a_budget("b", max_unavailable=1, expected=1), None),
        (a_budget("b", max_unavailable="1%", expected=1), None),
        (a_budget("b", max_unavailable=0), NeverAllows("maxUnavailable: 0", NONE, fully_blocking=True)),
        (a_budget("b", max_unavailable="0%"), NeverAllows("maxUnavailable: 0%", NONE, fully_blocking=True)),
        (a_budget("b", max_unavailable="00%"), NeverAllows("maxUnavailable: 00%", NONE)),
        (a_budget("b", min_available="100%"), NeverAllows("minAvailable: 100%", EVERY, fully_blocking=True)),
        (a_budget("b", min_available="101%"), NeverAllows("minAvailable: 101%", EVERY)),
        (a_budget("b", min_available=0, expected=0), None),
        (a_budget("b", min_available=2, expected=0), None),
        (a_budget("b", min_available=2, expected=3), None),
        (a_budget("b", min_available=2, expected=2), NeverAllows("minAvailable: 2", "2 must be available, of 2 wanted in all", by_number=True)),
        (a_budget("b", min_available=3, expected=2), NeverAllows("minAvailable: 3", "3 must be available, of 2 wanted in all", by_number=True)),
        (a_budget("b", min_available="50%", expected=2), None),
        (a_budget("b", min_available="50%", expected=1), NeverAllows("minAvailable: 50%", "1 must be available, of 1 wanted in all", by_number=True)),
        (a_budget("b", min_available="67%", expected=2), NeverAllows("minAvailable: 67%", "2 must be available, of 2 wanted in all", by_number=True)),
        (a_budget("b", min_available="most", expected=2), None),
    ],
)  # fmt: skip
def test_what_a_budget_can_never_allow_by_its_own_words(budget: PodDisruptionBudget, never: NeverAllows | None) -> None:
    assert never_allows(budget) == never


def test_pods_that_are_wanted_and_not_there_yet_count() -> None:
    budget = a_budget("b", min_available=2, expected=2)

    assert never_allows(budget, wanted=3) is None


def test_since_when_a_budget_allows_nothing_is_its_conditions_word() -> None:
    closed = a_budget("b", allowed=0, closed="5m")
    open_again = replace(closed, status=replace(closed.status, conditions=(replace(closed.status.conditions[0], status="True"),)))

    assert [closed_since(budget) for budget in (closed, open_again, a_budget("b", allowed=0))] == [ago("5m"), None, None]
