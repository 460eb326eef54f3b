"""Ignores on the objects themselves."""

from datetime import UTC, datetime

import msgspec
import pytest

from karpenter_check.snapshot.metadata import Annotations
from karpenter_check.snapshot.workload import Deployment
from karpenter_check.suppression.annotations import annotated_ignores
from karpenter_check.suppression.ignore import Ignore, IgnoreProblem
from tests.build import a_cluster, a_deployment

RULES = ["pdb-blocks-drain", "pod-multiple-pdbs"]
SOURCE = "Deployment shop/web, annotation karpenter-check/ignore"


def annotated(**annotations: str) -> Deployment:
    web = a_deployment("web")
    return msgspec.structs.replace(web, metadata=msgspec.structs.replace(web.metadata, annotations=Annotations(**annotations)))


def test_each_rule_that_is_listed_is_an_ignore_of_that_object() -> None:
    web = annotated(ignore="pdb-blocks-drain, pod-*", ignore_reason="drained by hand", ignore_until="2026-12-31")
    until = datetime(2027, 1, 1, tzinfo=UTC)

    assert annotated_ignores(a_cluster(web), RULES) == (
        (
            Ignore("pdb-blocks-drain", "drained by hand", until, "Deployment", "shop", "web", source=SOURCE),
            Ignore("pod-*", "drained by hand", until, "Deployment", "shop", "web", source=SOURCE),
        ),
        (),
    )


def test_nobody_who_says_nothing_is_left_be() -> None:
    assert annotated_ignores(a_cluster(a_deployment("web")), RULES) == ((), ())


@pytest.mark.parametrize(
    ("annotations", "said"),
    [
        ({"ignore": "pod-*"}, "does not count: there is no karpenter-check/ignore-reason"),
        ({"ignore": "pod-*", "ignore_reason": " "}, "does not count: there is no karpenter-check/ignore-reason"),
        ({"ignore": "pdb-*, pdb-block-drain", "ignore_reason": "x"}, "does not count: there is no rule 'pdb-block-drain'"),
        (
            {"ignore": "pod-*", "ignore_reason": "x", "ignore_until": "9" * 70_000},
            (
                f"does not count: karpenter-check/ignore-until: '{'9' * 40}… (+69960 characters)' is neither a date (2026-12-31) "
                "nor a time with its zone (2026-12-31T18:00:00Z)"
            ),
        ),
        (
            {"ignore": "all of them", "ignore_reason": "x"},
            "does not count: karpenter-check/ignore lists no rules, with commas between them",
        ),
        (
            {"ignore": "pod-*", "ignore_reason": "x", "ignore_until": "soon"},
            (
                "does not count: karpenter-check/ignore-until: 'soon' is neither a date (2026-12-31) "
                "nor a time with its zone (2026-12-31T18:00:00Z)"
            ),
        ),
    ],
)
def test_one_that_is_wrong_does_not_count_and_is_told(annotations: dict[str, str], said: str) -> None:
    assert annotated_ignores(a_cluster(annotated(**annotations)), RULES) == ((), (IgnoreProblem(SOURCE, said),))


def test_a_reason_of_many_words_is_cut() -> None:
    ((ignore,), problems) = annotated_ignores(a_cluster(annotated(ignore="pod-*", ignore_reason="x" * 70_000)), RULES)

    assert (ignore.reason, problems) == (f"{'x' * 300}… (+69700 characters)", ())


def test_a_time_that_is_beyond_all_times_is_no_crash() -> None:
    ((ignore,), _) = annotated_ignores(
        a_cluster(annotated(ignore="pod-*", ignore_reason="x", ignore_until="0001-01-01T00:00:00+14:00")), RULES
    )

    assert ignore.until == datetime.min.replace(tzinfo=UTC)
