"""Events of both recorders, and what Karpenter and the scheduler say in them."""

from datetime import timedelta

import msgspec
import pytest

from karpenter_check.snapshot.event import Event, InvolvedObject, Nomination, Preemption, assignment, nomination, preemption
from tests.build import NOON, ago, an_event

POD = InvolvedObject("Pod", "shop", "web", "0a1b")


def said(reason: str, message: str, *, component: str = "karpenter") -> Event:
    return an_event(reason, message, about=POD, first="1m", component=component)


def served(fields: str) -> Event:
    return msgspec.json.decode(
        '{"involvedObject": {"kind": "Pod", "name": "web"}, "reason": "Nominated", ' + fields + "}", type=Event
    )


@pytest.mark.parametrize(
    ("message", "target"),
    [
        ("Pod should schedule on: nodeclaim/general-x4xnz", Nomination("general-x4xnz", "")),
        ("Pod should schedule on: nodeclaim/general-x4xnz, node/ip-10-0-0-1", Nomination("general-x4xnz", "ip-10-0-0-1")),
        ("Pod should schedule on: node/ip-10-0-0-1.ec2.internal", Nomination("", "ip-10-0-0-1.ec2.internal")),
        ("Pod should schedule on: ", None),
        ("Pod should schedule on: machine/old", None),
        ("Pod should schedule soon", None),
    ],
)
def test_a_nomination_names_its_target(message: str, target: Nomination | None) -> None:
    assert nomination(said("Nominated", message)) == target


@pytest.mark.parametrize(
    ("event", "theirs"),
    [
        (said("Nominated", "Pod should schedule on: node/n1"), True),
        (said("Nominated", "Pod should schedule on: node/n1", component="eks-auto-mode/compute"), True),
        (said("Nominated", "Pod should schedule on: node/n1", component="default-scheduler"), False),
        (said("FailedScheduling", "Pod should schedule on: node/n1"), False),
        (served('"message": "Pod should schedule on: node/n1", "reportingComponent": "karpenter", "source": {}'), True),
        (served('"message": "Pod should schedule on: node/n1", "reportingComponent": "volcano", "source": {}'), False),
    ],
)
def test_only_karpenter_nominates(event: Event, theirs: bool) -> None:  # noqa: FBT001  the expectation
    assert (nomination(event) is not None) is theirs


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (
            said("Preempted", "Preempted by pod 741d63ed-b007-5896-8964-946be543c95b on node n1", component="default-scheduler"),
            Preemption("741d63ed-b007-5896-8964-946be543c95b", "n1"),
        ),
        (said("Preempted", "Preempted by a pod 741d63ed on node n1", component="volcano"), Preemption("741d63ed", "n1")),
        (said("Preempted", "Preempted by a pod on node n1"), None),
        (said("Evicted", "Preempted by pod 741d63ed on node n1"), None),
    ],
)
def test_a_preemption_names_who_and_where(event: Event, found: Preemption | None) -> None:
    assert preemption(event) == found


def test_an_assignment_names_the_node() -> None:
    message = "Successfully assigned shop/web to ip-10-0-0-1"

    assert assignment(said("Scheduled", message, component="default-scheduler")) == "ip-10-0-0-1"
    assert assignment(said("Binding", message)) == ""
    assert assignment(said("Scheduled", "assigned at last")) == ""


@pytest.mark.parametrize(
    ("fields", "first", "last", "times"),
    [
        (
            '"firstTimestamp": "2026-11-21T11:50:00Z", "lastTimestamp": "2026-11-21T11:59:00Z", "count": 5',
            ago("10m"),
            ago("1m"),
            5,
        ),
        ('"firstTimestamp": "2026-11-21T11:50:00Z"', ago("10m"), ago("10m"), 1),
        ('"eventTime": "2026-11-21T11:50:00.000000Z"', ago("10m"), ago("10m"), 1),
        (
            '"eventTime": "2026-11-21T11:50:00.000000Z", "series": {"count": 7, "lastObservedTime": "2026-11-21T11:58:00.500Z"}',
            ago("10m"),
            NOON - timedelta(minutes=2) + timedelta(milliseconds=500),
            7,
        ),
        ('"metadata": {"creationTimestamp": "2026-11-21T11:50:00Z"}, "count": null', ago("10m"), ago("10m"), 1),
        ('"message": "timeless"', None, None, 1),
    ],
)
def test_either_recorder_tells_when_and_how_often(fields: str, first: object, last: object, times: int) -> None:
    event = served(fields)

    assert (event.first_seen, event.last_seen, event.times) == (first, last, times)


def test_the_older_recorders_component_comes_first() -> None:
    assert served('"source": {"component": "karpenter"}, "reportingComponent": "other"').component == "karpenter"
    assert served('"reportingComponent": "karpenter"').component == "karpenter"
    assert served('"message": "anonymous"').component == ""
