from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec
import pytest

from karpenter_check.collect.access import connect
from karpenter_check.collect.preflight import Look, Preflight, preflight
from karpenter_check.snapshot import Kind, Status
from tests.collect.replay import LISTS, Replay, Reply, forbidden

EVENTS = "/api/v1/events"
PODS = "/api/v1/pods"
OPTIONAL = tuple(LISTS)[-4:]
REQUIRED = tuple(LISTS)[:-4]

Ask: TypeAlias = Callable[[], Preflight]


@pytest.fixture
def healthy() -> Iterator[Replay]:
    with Replay("healthy") as replay:
        yield replay


@pytest.fixture
def looked(healthy: Replay, tmp_path: Path) -> Ask:
    return lambda: preflight(connect(healthy.kubeconfig(tmp_path), request_timeout=5))


def test_each_kind_is_asked_for_one_object_and_nodepools_for_all(healthy: Replay, looked: Ask) -> None:
    found = looked()
    assert (found.cluster, found.host, found.kubernetes_version, found.refusal) == ("recorded", healthy.url, "v1.36.2", "")
    assert found.looks == (
        Look(Kind.NODEPOOL, Status.COMPLETE, ("karpenter.sh/v1 nodepools",)),
        Look(Kind.NODECLAIM, Status.COMPLETE, ("karpenter.sh/v1 nodeclaims",)),
        Look(Kind.NODECLASS, Status.COMPLETE, ("karpenter.kwok.sh/v1alpha1 kwoknodeclasses",)),
        Look(Kind.NODE, Status.COMPLETE, ("v1 nodes",)),
        Look(Kind.DAEMONSET, Status.COMPLETE, ("apps/v1 daemonsets",)),
        Look(Kind.POD, Status.COMPLETE, ("v1 pods",)),
        Look(Kind.REPLICASET, Status.COMPLETE, ("apps/v1 replicasets",)),
        Look(Kind.DEPLOYMENT, Status.COMPLETE, ("apps/v1 deployments",)),
        Look(Kind.STATEFULSET, Status.COMPLETE, ("apps/v1 statefulsets",)),
        Look(Kind.PODDISRUPTIONBUDGET, Status.COMPLETE, ("policy/v1 poddisruptionbudgets",)),
        Look(Kind.EVENT, Status.COMPLETE, ("v1 events",)),
        Look(Kind.STORAGECLASS, Status.COMPLETE, ("storage.k8s.io/v1 storageclasses",)),
        Look(Kind.PERSISTENTVOLUME, Status.COMPLETE, ("v1 persistentvolumes",)),
        Look(Kind.PERSISTENTVOLUMECLAIM, Status.COMPLETE, ("v1 persistentvolumeclaims",)),
        Look(Kind.VOLUMEATTACHMENT, Status.COMPLETE, ("storage.k8s.io/v1 volumeattachments",)),
        Look(
            Kind.LEASE,
            Status.NOT_COLLECTED,
            ("coordination.k8s.io/v1 kube-system/karpenter-leader-election",),
            "no Deployment is labelled as Karpenter's, and kube-system has no lease karpenter-leader-election",
        ),
        Look(
            Kind.CUSTOMRESOURCEDEFINITION,
            Status.COMPLETE,
            (
                "apiextensions.k8s.io/v1 nodepools.karpenter.sh",
                "apiextensions.k8s.io/v1 nodeclaims.karpenter.sh",
                "apiextensions.k8s.io/v1 kwoknodeclasses.karpenter.kwok.sh",
            ),
            "; ".join(
                f"there is no /apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
                for name in ("nodepools.karpenter.sh", "nodeclaims.karpenter.sh", "kwoknodeclasses.karpenter.kwok.sh")
            ),
        ),
    )
    asked = [(request.path, request.query["limit"]) for request in healthy.requests if "limit" in request.query]
    assert asked[0] == ("/apis/karpenter.sh/v1/nodepools", "500")
    assert {limit for _, limit in asked[1:]} == {"1"}
    assert [path for path, _ in asked[1:]] == [
        *(path for path in REQUIRED if path not in {asked[0][0], EVENTS}),
        EVENTS,
        EVENTS,
        EVENTS,
        *OPTIONAL,
    ]


def test_of_deployments_karpenters_own_is_asked_for_since_its_lease_is_beside_it(healthy: Replay, looked: Ask) -> None:
    looked()
    (asked,) = (request.query for request in healthy.requests if request.path == "/apis/apps/v1/deployments")
    assert asked == {"limit": "1", "labelSelector": "app.kubernetes.io/name=karpenter"}


def test_a_kind_that_may_not_be_listed_names_the_rule_that_is_missing(healthy: Replay, looked: Ask) -> None:
    healthy.answer(PODS, forbidden(PODS, "pods"))
    assert next(look for look in looked().looks if look.kind is Kind.POD) == Look(
        Kind.POD,
        Status.FORBIDDEN,
        ("v1 pods",),
        'User "jane" cannot list resource "pods" in API group "" at the cluster scope; '
        'grant {apiGroups: [""], resources: [pods], verbs: [list]}',
    )


def test_without_karpenter_nothing_else_is_asked_for(healthy: Replay, looked: Ask) -> None:
    healthy.answer("/apis", Reply(200, msgspec.json.encode({"kind": "APIGroupList", "groups": []})))
    found = looked()
    assert found.nodepools == Look(Kind.NODEPOOL, Status.ABSENT, (), "the server does not serve karpenter.sh")
    assert {look.status for look in found.looks} == {Status.ABSENT, Status.NOT_COLLECTED}
    assert healthy.paths() == ["/apis", "/version"]


def test_where_nothing_may_be_listed_there_is_a_refusal(healthy: Replay, looked: Ask) -> None:
    healthy.may_list_nothing()
    assert looked().refusal.startswith("nothing may be listed; a ClusterRole has to grant {apiGroups: ")


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b'{"kind":"Status","metadata":{}}'], ids=["a page for people", "empty", "no list"]
)
def test_a_list_that_is_none_has_failed(healthy: Replay, looked: Ask, body: bytes) -> None:
    healthy.answer_always(PODS, Reply(200, body))
    pods = next(look for look in looked().looks if look.kind is Kind.POD)
    assert (pods.status, pods.reason.startswith(f"GET {PODS}: the answer is no list: ")) == (Status.FAILED, True)


def test_a_list_that_is_none_once_is_asked_for_again(healthy: Replay, looked: Ask) -> None:
    healthy.answer(PODS, Reply(200, b"<html>"))
    assert next(look for look in looked().looks if look.kind is Kind.POD).status is Status.COMPLETE
