"""Objects that are written away as they stream by."""

from collections.abc import Iterator

import msgspec
import pytest

from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.spool import Spool
from karpenter_check.snapshot import Kind
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Metadata
from karpenter_check.snapshot.workload import PodDisruptionBudget, StatefulSet


@pytest.fixture
def spool() -> Iterator[Spool]:
    with Spool() as opened:
        yield opened


def a_budget(name: str) -> PodDisruptionBudget:
    return PodDisruptionBudget(Metadata(name, "shop"))


def listed(*names: str, **fields: object) -> bytes:
    return msgspec.json.encode([{"metadata": {"name": name, "namespace": "shop"}, **fields} for name in names])


def test_objects_come_back_kind_by_kind_in_the_order_in_which_they_came(spool: Spool) -> None:
    web, data = a_budget("web"), a_budget("data")
    spool.add(Kind.PODDISRUPTIONBUDGET, web)
    spool.add(Kind.STATEFULSET, StatefulSet(Metadata("data")))
    spool.add(Kind.PODDISRUPTIONBUDGET, data)

    assert list(spool.objects(Kind.PODDISRUPTIONBUDGET)) == [web, data]
    assert list(spool.objects(Kind.STATEFULSET)) == [StatefulSet(Metadata("data"))]
    assert list(spool.objects(Kind.NODE)) == []


def test_what_was_written_after_a_mark_can_be_forgotten(spool: Spool) -> None:
    spool.add(Kind.PODDISRUPTIONBUDGET, a_budget("kept"))
    mark = spool.mark(Kind.PODDISRUPTIONBUDGET)
    spool.add(Kind.PODDISRUPTIONBUDGET, a_budget("x" * 3_000_000))
    spool.truncate(Kind.PODDISRUPTIONBUDGET, mark)
    spool.add(Kind.PODDISRUPTIONBUDGET, a_budget("later"))

    assert list(spool.objects(Kind.PODDISRUPTIONBUDGET)) == [a_budget("kept"), a_budget("later")]
    assert mark == len(b"\n".join([*spool.lines(Kind.PODDISRUPTIONBUDGET)][:1])) + 1


def test_a_kind_of_which_nothing_was_written_can_be_forgotten(spool: Spool) -> None:
    spool.truncate(Kind.NODE, spool.mark(Kind.NODE))

    assert (spool.mark(Kind.NODE), list(spool.lines(Kind.NODE))) == (0, [])


def test_a_name_with_a_line_break_stays_one_object(spool: Spool) -> None:
    spool.add(Kind.PODDISRUPTIONBUDGET, a_budget("a\nb\u2028c"))

    assert list(spool.objects(Kind.PODDISRUPTIONBUDGET)) == [a_budget("a\nb\u2028c")]


def test_a_gathering_spools_what_it_keeps_and_nothing_that_it_refuses(spool: Spool) -> None:
    gathering = Gathering(spool)
    gathering.add_items(Kind.POD, listed("good", "", spec={"containers": [{"resources": {"requests": {"cpu": "1"}}}]}), "pods.json")
    gathering.add_items(Kind.POD, listed("bad", spec={"containers": [{"resources": {"requests": {"cpu": "much"}}}]}), "pods.json")

    assert [pod.metadata.name for pod in spool.objects(Kind.POD)] == ["good"]
    assert len(gathering.errors) == 2


def test_a_pod_is_spooled_as_the_api_serves_it_and_a_deployment_without_its_environment(spool: Spool) -> None:
    gathering = Gathering(spool)
    container = {"name": "web", "image": "web:1", "args": ["--token=s3cr3t"], "env": [{"name": "TOKEN", "value": "s3cr3t"}]}
    gathering.add_items(Kind.POD, listed("web", spec={"nodeName": "n1", "containers": [container]}), "pods.json")
    gathering.add_items(
        Kind.DEPLOYMENT, listed("web", spec={"template": {"spec": {"containers": [container]}}}), "deployments.json"
    )

    assert [*spool.lines(Kind.POD), *spool.lines(Kind.DEPLOYMENT)] == [
        b'{"metadata":{"name":"web","namespace":"shop"},"spec":{"nodeName":"n1","containers":[{"name":"web"}]}}',
        b'{"metadata":{"name":"web","namespace":"shop"},"spec":{"template":{"spec":{"containers":[{"image":"web:1"}]}}}}',
    ]


def test_what_a_gathering_forgets_is_not_in_the_spool(spool: Spool) -> None:
    gathering = Gathering(spool)
    gathering.add_items(Kind.STATEFULSET, listed("kept"), "statefulsets")
    mark = gathering.mark(Kind.STATEFULSET)
    gathering.add_items(Kind.STATEFULSET, listed("forgotten"), "statefulsets")
    gathering.rewind(Kind.STATEFULSET, mark)
    gathering.add_items(Kind.STATEFULSET, listed("again"), "statefulsets")

    assert [entry.metadata.name for entry in spool.objects(Kind.STATEFULSET)] == ["kept", "again"]
    assert [name for _, _, name in gathering.objects[Kind.STATEFULSET]] == ["kept", "again"]


def test_events_are_spooled_with_their_messages(spool: Spool) -> None:
    Gathering(spool).add_items(Kind.EVENT, b'[{"involvedObject": {"kind": "Pod", "name": "web"}, "message": "m"}]', "events.json")

    assert list(spool.objects(Kind.EVENT)) == [Event(InvolvedObject("Pod", name="web"), message="m")]
