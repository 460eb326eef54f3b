"""Which findings an ignore means, and what becomes of it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from karpenter_check.finding import Finding, Ref
from karpenter_check.snapshot.objects import metadata_of
from karpenter_check.snapshot.selector import parse_selector
from karpenter_check.suppression.glob import fits
from karpenter_check.suppression.ignore import Ignore, IgnoreUse
from karpenter_check.suppression.until import parse_until
from tests.build import a_cluster, a_deployment, a_pod

WEB, POD = Ref("Deployment", "web", "apps/v1", "shop"), Ref("Pod", "web-1", "v1", "shop")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ANY = Ignore("pod-*", "we know")


def matches(ignore: Ignore, *, owner: Ref = WEB) -> bool:
    web = a_deployment("web")
    objects = metadata_of(a_cluster(web, a_pod("web-1", of=web, labels={"team": "shop"})))
    return ignore.matches("pod-multiple-pdbs", Finding(object=POD, owner=owner, message="", cause="why", nodepool="gpu"), objects)


@pytest.mark.parametrize(
    "ignore",
    [
        ANY,
        replace(ANY, rule="pod-multiple-pdbs"),
        replace(ANY, rule="*"),
        replace(ANY, kind="Pod"),
        replace(ANY, kind="Deployment", name="web"),
        replace(ANY, namespace="sh*", name="web-?"),
        replace(ANY, nodepool="g*"),
        replace(ANY, labels=parse_selector("team=shop")),
        replace(ANY, kind="Pod", labels=parse_selector("team in (shop,bar)")),
    ],
)
def test_it_matches_the_object_or_its_owner(ignore: Ignore) -> None:
    assert matches(ignore)


@pytest.mark.parametrize(
    "ignore",
    [
        replace(ANY, rule="node-*"),
        replace(ANY, kind="DaemonSet"),
        replace(ANY, kind="Deployment", name="web-1"),  # the name is the pod's, the kind its owner's
        replace(ANY, name="WEB"),
        replace(ANY, namespace="bar"),
        replace(ANY, nodepool="general"),
        replace(ANY, labels=parse_selector("team=bar")),
        replace(ANY, kind="Deployment", labels=parse_selector("team=shop")),
    ],
)
def test_all_that_it_says_must_hold_of_one_object(ignore: Ignore) -> None:
    assert not matches(ignore)


def test_labels_of_what_was_not_seen_match_nothing() -> None:
    assert not matches(replace(ANY, kind="Job", labels=parse_selector("!team")), owner=Ref("Job", "web", "batch/v1", "shop"))


@pytest.mark.parametrize(
    ("until", "moment"),
    [
        ("2026-12-31", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-12-31T18:00:00Z", datetime(2026, 12, 31, 18, tzinfo=UTC)),
        ("2026-12-31T18:00:00+01:00", datetime(2026, 12, 31, 17, tzinfo=UTC)),
        ("2026-12-31t18:00:00z", datetime(2026, 12, 31, 18, tzinfo=UTC)),
        ("9999-12-31", datetime.max.replace(tzinfo=UTC)),
        ("9999-12-31T23:00:00-14:00", datetime.max.replace(tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_a_date_holds_through_its_day(until: str, moment: datetime) -> None:
    assert parse_until(until) == moment


@pytest.mark.parametrize(
    "text", ["2026-02-30", "20261231", "2026-W52-1T10:00Z", "20261231T180000Z", "2026-12-31 18:00", "2026-12-31T25:00Z", ""]
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is neither a date"):
        parse_until(text)


@pytest.mark.parametrize(
    ("glob", "fitting"),
    [
        ("db-*", {"db-1", "db-", "db-[0-9]"}),
        ("db-?", {"db-1"}),
        ("db-[0-9]", {"db-[0-9]"}),
        ("*", {"db-1", "db-", "db-[0-9]", "DB-1"}),
        ("db.1", set()),
    ],
)
def test_globs_know_two_wildcards_alone(glob: str, fitting: set[str]) -> None:
    assert {name for name in ("db-1", "db-", "db-[0-9]", "DB-1") if fits(name, glob)} == fitting


def test_what_is_over_is_over_at_that_very_moment() -> None:
    assert [replace(ANY, until=until).expired(NOON) for until in (None, NOON, NOON.replace(second=1))] == [False, True, False]


@pytest.mark.parametrize(
    ("use", "complaint"),
    [
        (IgnoreUse(ANY, 1, expired=False, judged=True), ""),
        (IgnoreUse(ANY, 0, expired=False, judged=False), ""),
        (IgnoreUse(ANY, 0, expired=False, judged=True), "matches no finding; take it away"),
        (IgnoreUse(replace(ANY, until=NOON), 0, expired=True, judged=True), "expired at 2026-11-21 12:00Z"),
        (
            IgnoreUse(replace(ANY, until=NOON), 2, expired=True, judged=True),
            "expired at 2026-11-21 12:00Z; 2 findings would match",
        ),
    ],
)
def test_what_is_of_no_use_is_complained_of(use: IgnoreUse, complaint: str) -> None:
    assert use.complaint == complaint
