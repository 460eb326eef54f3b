from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest

from karpenter_check.collect.access import connect
from karpenter_check.collect.files import read_files
from karpenter_check.collect.live import collect_live
from karpenter_check.collect.refusal import CannotScan
from karpenter_check.collect.resources import RESOURCES
from karpenter_check.rules import every_rule
from karpenter_check.scan import scan
from karpenter_check.snapshot import Coverage, Kind, Snapshot, Status, Version
from karpenter_check.snapshot.event import by_karpenter
from karpenter_check.snapshot.pod import PodShapes
from karpenter_check.snapshot.pod_object import PodSpec
from tests.collect.replay import LISTS, RECORDINGS, Replay, Reply, an_error, forbidden, read, taken_at

NODEPOOLS = "/apis/karpenter.sh/v1/nodepools"
NODE_CLASSES = "/apis/karpenter.kwok.sh/v1alpha1"
PODS = "/api/v1/pods"

NO_SHAPE = PodShapes().shape(PodSpec())[0]

Scan: TypeAlias = Callable[[Replay], Snapshot]


@pytest.fixture
def scanned(tmp_path: Path) -> Scan:
    """Scan a replayed cluster through a kubeconfig."""
    return lambda replay: collect_live(connect(replay.kubeconfig(tmp_path), request_timeout=5))


@pytest.fixture
def healthy() -> Iterator[Replay]:
    with Replay("healthy") as replay:
        yield replay


def plain(snapshot: Snapshot) -> dict[str, Any]:
    """All of a snapshot as plain values; pods' shapes compare by identity, which differs from snapshot to snapshot."""
    values = {name: value for name, value in vars(snapshot).items() if name in Snapshot.__dataclass_fields__}
    shapes = {"daemonset_shapes": sorted(values.pop("daemonset_shapes").items()), "shapes": [pod.shape for pod in values["pods"]]}
    values["pods"] = [msgspec.structs.replace(pod, shape=NO_SHAPE) for pod in values["pods"]]
    return values | {name: msgspec.to_builtins(value) for name, value in shapes.items()}


NO_LEASE = Coverage(
    Status.NOT_COLLECTED, 0, "no Deployment is labelled as Karpenter's, and kube-system has no lease karpenter-leader-election"
)
"""The recorded Karpenter runs outside of its cluster."""
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/karpenter-leader-election"


def without(*names: str) -> Coverage:
    """That CustomResourceDefinitions were asked for that are not there."""
    return Coverage(Status.COMPLETE, 0, "; ".join(f"there is no {DEFINITIONS}/{name}" for name in names))


def from_files(recording: str) -> Snapshot:
    """The recording as kubectl would have printed it, with those of its events that a live scan asks for."""
    snapshot = read_files([RECORDINGS / recording], at=taken_at(recording)).snapshot
    of_karpenter = [event for event in snapshot.events if by_karpenter(event)]
    of_others = [event for reason in ("Preempted", "FailedCreatePodSandBox") for event in snapshot.events_by_reason.get(reason, ())]
    events = (*of_karpenter, *of_others)
    volumes = (Kind.STORAGECLASS, Kind.PERSISTENTVOLUME, Kind.PERSISTENTVOLUMECLAIM, Kind.VOLUMEATTACHMENT)
    coverage = {
        **snapshot.coverage,
        **dict.fromkeys(volumes, Coverage(Status.COMPLETE)),
        Kind.EVENT: Coverage(Status.COMPLETE, len(events)),
        Kind.LEASE: NO_LEASE,
        Kind.CUSTOMRESOURCEDEFINITION: without(
            "nodepools.karpenter.sh", "nodeclaims.karpenter.sh", "kwoknodeclasses.karpenter.kwok.sh"
        ),
    }
    return replace(snapshot, cluster="recorded", events=events, coverage=coverage)


def groups_with(versions: list[str]) -> Reply:
    """`/apis` of a server that serves these versions of karpenter.sh, and the groups of Kubernetes itself."""
    served = {"apps": ["v1"], "policy": ["v1"], "karpenter.kwok.sh": ["v1alpha1"], "karpenter.sh": versions}
    groups = [
        {"name": name, "versions": [{"version": version} for version in versions]} for name, versions in served.items() if versions
    ]
    return Reply(200, msgspec.json.encode({"kind": "APIGroupList", "groups": groups}))


def fingerprints(snapshot: Snapshot) -> list[str]:
    return [result.fingerprint for result in scan(snapshot, every_rule()).results]


@pytest.mark.parametrize("recording", ["healthy", "faults", "runaway"])
def test_a_live_scan_sees_what_kubectl_would_have_printed(recording: str, scanned: Scan) -> None:
    with Replay(recording) as replay:
        live = scanned(replay)
    assert plain(live) == plain(from_files(recording))
    assert fingerprints(live) == fingerprints(from_files(recording))


def test_small_pages_lose_nothing(scanned: Scan) -> None:
    with Replay("faults", page_size=7) as replay:
        live = scanned(replay)
    assert plain(live) == plain(from_files("faults"))
    assert [request.query for request in replay.requests if request.path == NODEPOOLS] == [
        {"limit": "500"},
        {"limit": "500", "continue": "Nw=="},
    ]


def test_each_kind_is_listed_once_for_the_whole_cluster_and_only_with_get(healthy: Replay, scanned: Scan) -> None:
    scanned(healthy)
    assert [f"{request.method} {request.path}" for request in healthy.requests] == [
        "GET /apis",
        "GET /version",
        "GET /apis/karpenter.sh/v1/nodepools",
        "GET /apis/karpenter.sh/v1/nodeclaims",
        "GET /apis/karpenter.kwok.sh/v1alpha1",
        "GET /apis/karpenter.kwok.sh/v1alpha1/kwoknodeclasses",
        "GET /api/v1/nodes",
        "GET /apis/apps/v1/daemonsets",
        "GET /api/v1/pods",
        "GET /apis/apps/v1/replicasets",
        "GET /apis/apps/v1/deployments",
        "GET /apis/apps/v1/statefulsets",
        "GET /apis/policy/v1/poddisruptionbudgets",
        "GET /api/v1/events",
        "GET /api/v1/events",
        "GET /api/v1/events",
        "GET /apis/storage.k8s.io/v1/storageclasses",
        "GET /api/v1/persistentvolumes",
        "GET /api/v1/persistentvolumeclaims",
        "GET /apis/storage.k8s.io/v1/volumeattachments",
        f"GET {LEASE}",
        f"GET {DEFINITIONS}/nodepools.karpenter.sh",
        f"GET {DEFINITIONS}/nodeclaims.karpenter.sh",
        f"GET {DEFINITIONS}/kwoknodeclasses.karpenter.kwok.sh",
    ]
    asked = [request.query for request in healthy.requests if request.path == "/api/v1/events"]
    assert asked == [
        {"limit": "500", "fieldSelector": "source=karpenter"},
        {"limit": "500", "fieldSelector": "reason=Preempted"},
        {"limit": "500", "fieldSelector": "reason=FailedCreatePodSandBox"},
    ]


def test_progress_is_told_before_a_kind_and_after_each_page(tmp_path: Path) -> None:
    told: list[tuple[Kind, int, int | None]] = []
    with Replay("healthy", page_size=20) as replay:
        collect_live(connect(replay.kubeconfig(tmp_path)), progress=lambda *step: told.append(step))
    assert [step for step in told if step[0] is Kind.POD] == [(Kind.POD, 0, None), (Kind.POD, 20, 7), (Kind.POD, 27, None)]
    assert list(dict.fromkeys(kind for kind, _, _ in told))[:4] == [Kind.NODEPOOL, Kind.NODECLAIM, Kind.NODECLASS, Kind.NODE]


def test_a_version_that_no_deployment_tells_can_be_given(healthy: Replay, tmp_path: Path) -> None:
    snapshot = collect_live(connect(healthy.kubeconfig(tmp_path)), karpenter_version=Version(1, 13))
    assert (snapshot.karpenter_version, snapshot.kubernetes_version) == (Version(1, 13), "v1.36.2")


def test_a_kind_that_may_not_be_listed_is_forbidden_in_the_servers_words(healthy: Replay, scanned: Scan) -> None:
    healthy.answer(NODEPOOLS, an_error("403-nodepools"))
    snapshot = scanned(healthy)
    assert snapshot.covered(Kind.NODEPOOL) == Coverage(
        Status.FORBIDDEN,
        0,
        'User "system:serviceaccount:karpenter-check:karpenter-check" cannot list resource "nodepools" in API group "karpenter.sh" '
        'at the cluster scope; grant {apiGroups: ["karpenter.sh"], resources: [nodepools], verbs: [list]}',
    )
    assert snapshot.covered(Kind.NODECLASS) == Coverage(
        Status.NOT_COLLECTED, 0, "not all NodePools were read, and they say which node classes there are"
    )
    assert snapshot.covered(Kind.POD) == Coverage(Status.COMPLETE, 27)


def test_a_core_kind_that_may_not_be_listed_names_the_rule_of_the_core_group(healthy: Replay, scanned: Scan) -> None:
    healthy.answer(PODS, forbidden(PODS, "pods"))
    assert scanned(healthy).covered(Kind.POD) == Coverage(
        Status.FORBIDDEN,
        0,
        'User "jane" cannot list resource "pods" in API group "" at the cluster scope; '
        'grant {apiGroups: [""], resources: [pods], verbs: [list]}',
    )


def test_an_authorizer_that_talks_much_is_cut_and_the_rule_still_named(healthy: Replay, scanned: Scan) -> None:
    said = f'pods is forbidden: User "jane" cannot list resource "pods": {"see the handbook. " * 50}'
    healthy.answer(PODS, Reply(403, msgspec.json.encode({"kind": "Status", "message": said})))
    reason = scanned(healthy).covered(Kind.POD).reason
    assert reason.endswith('…; grant {apiGroups: [""], resources: [pods], verbs: [list]}')
    assert len(reason) < 250


def test_where_nothing_may_be_listed_the_rules_to_grant_are_named_in_one_line(healthy: Replay, scanned: Scan) -> None:
    healthy.may_list_nothing()
    with pytest.raises(CannotScan) as refused:
        scanned(healthy)
    assert str(refused.value) == (
        "nothing may be listed; a ClusterRole has to grant "
        '{apiGroups: ["karpenter.sh"], resources: [nodepools, nodeclaims], verbs: [list]}, '
        '{apiGroups: [""], resources: [nodes, pods, events], verbs: [list]}, '
        '{apiGroups: ["apps"], resources: [daemonsets, replicasets, deployments, statefulsets], verbs: [list]}, '
        '{apiGroups: ["policy"], resources: [poddisruptionbudgets], verbs: [list]} to User "jane"'
    )


def test_an_empty_cluster_is_seen_completely(healthy: Replay, scanned: Scan) -> None:
    for path in LISTS:
        healthy.answer_always(path, Reply(200, b'{"metadata":{},"items":[]}'))
    assert scanned(healthy).coverage == {
        **dict.fromkeys(RESOURCES, Coverage(Status.COMPLETE, 0)),
        Kind.LEASE: NO_LEASE,
        Kind.CUSTOMRESOURCEDEFINITION: without("nodepools.karpenter.sh", "nodeclaims.karpenter.sh"),
    }


def a_deployment_of_karpenter(namespace: str) -> Reply:
    """A list with Karpenter's Deployment."""
    metadata = {"name": "karpenter", "namespace": namespace, "labels": {"app.kubernetes.io/name": "karpenter"}}
    return Reply(200, msgspec.json.encode({"metadata": {}, "items": [{"metadata": metadata}]}))


def a_lease(holder: str) -> Reply:
    """The lease of Karpenter's leader."""
    spec = {"holderIdentity": holder, "renewTime": "2026-11-21T08:17:10.123456Z", "leaseDurationSeconds": 15}
    metadata = {"name": "karpenter-leader-election", "namespace": "infra"}
    return Reply(200, msgspec.json.encode({"kind": "Lease", "metadata": metadata, "spec": spec}))


INFRA_LEASE = LEASE.replace("kube-system", "infra")


def test_the_leaders_lease_is_got_by_name_where_karpenter_runs(healthy: Replay, scanned: Scan) -> None:
    healthy.answer_always("/apis/apps/v1/deployments", a_deployment_of_karpenter("infra"))
    healthy.answer_always(INFRA_LEASE, a_lease("karpenter-1_uuid"))
    snapshot = scanned(healthy)
    assert [lease.spec.holder_identity for lease in snapshot.leases] == ["karpenter-1_uuid"]
    assert snapshot.covered(Kind.LEASE) == Coverage(Status.COMPLETE, 1)


def test_where_karpenter_runs_and_has_no_lease_there_is_none(healthy: Replay, scanned: Scan) -> None:
    healthy.answer_always("/apis/apps/v1/deployments", a_deployment_of_karpenter("infra"))
    assert scanned(healthy).covered(Kind.LEASE) == Coverage(Status.COMPLETE, 0, f"there is no {INFRA_LEASE}")


def test_what_may_not_be_got_names_the_rule_that_is_missing(healthy: Replay, scanned: Scan) -> None:
    said = 'leases.coordination.k8s.io "x" is forbidden: User "jane" cannot get resource "leases"'
    healthy.answer_always(LEASE, Reply(403, msgspec.json.encode({"kind": "Status", "message": said})))
    assert scanned(healthy).covered(Kind.LEASE) == Coverage(
        Status.FORBIDDEN,
        0,
        'User "jane" cannot get resource "leases"; grant {apiGroups: ["coordination.k8s.io"], resources: [leases], '
        "resourceNames: [karpenter-leader-election], verbs: [get]} by a Role in kube-system",
    )


def test_a_definition_that_may_not_be_got_names_the_rule_that_is_missing(healthy: Replay, scanned: Scan) -> None:
    healthy.answer_always(f"{DEFINITIONS}/nodepools.karpenter.sh", Reply(403, b"{}"))
    covered = scanned(healthy).covered(Kind.CUSTOMRESOURCEDEFINITION)
    assert covered.status is Status.FORBIDDEN
    assert covered.reason.startswith(
        'HTTP 403; grant {apiGroups: ["apiextensions.k8s.io"], resources: [customresourcedefinitions], '
        "resourceNames: [nodepools.karpenter.sh], verbs: [get]}"
    )


def test_an_answer_that_is_no_such_object_is_asked_for_again(healthy: Replay, scanned: Scan) -> None:
    healthy.answer(LEASE, Reply(200, b"<html>"))
    healthy.answer(LEASE, a_lease("a"), page=2)
    assert scanned(healthy).covered(Kind.LEASE) == Coverage(Status.COMPLETE, 1)


def test_an_answer_that_is_never_such_an_object_has_failed(healthy: Replay, scanned: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("karpenter_check.collect.lists.MOST_TRIES", 2)
    healthy.answer_always(LEASE, Reply(200, b"<html>"))
    assert scanned(healthy).covered(Kind.LEASE) == Coverage(
        Status.FAILED, 0, f"GET {LEASE}: the answer is no Lease (asked 2 times)"
    )


def test_what_fails_of_an_optional_kind_leaves_the_scan_complete(healthy: Replay, scanned: Scan) -> None:
    path = "/apis/storage.k8s.io/v1/volumeattachments"
    healthy.answer_always(path, forbidden(path, "volumeattachments"))
    healthy.answer_always(LEASE, Reply(400, b"{}"))
    snapshot = scanned(healthy)
    assert snapshot.covered(Kind.VOLUMEATTACHMENT).status is Status.FORBIDDEN
    assert snapshot.covered(Kind.LEASE).status is Status.FAILED
    assert not scan(snapshot, every_rule()).incomplete


def test_a_group_that_is_not_served_leaves_its_kind_absent_and_the_rest_seen(healthy: Replay, scanned: Scan) -> None:
    groups = msgspec.json.decode(groups_with(["v1"]).body)
    groups["groups"] = [group for group in groups["groups"] if group["name"] != "policy"]
    healthy.answer("/apis", Reply(200, msgspec.json.encode(groups)))
    snapshot = scanned(healthy)
    assert snapshot.covered(Kind.PODDISRUPTIONBUDGET) == Coverage(Status.ABSENT, 0, "the server does not serve policy")
    assert snapshot.covered(Kind.EVENT).status is Status.COMPLETE


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(404, b"not here"), "HTTP 404; is it a Kubernetes API server?"),
        (Reply(302, b"", {"Location": "https://login.invalid"}), "HTTP 302; is it a Kubernetes API server?"),
        (Reply(503, b"upstream"), "HTTP 503 (asked 7 times)"),
        (
            Reply(403, b'{"message":"users \\"jane\\" is forbidden: User \\"joe\\" cannot impersonate resource \\"users\\""}'),
            (
                'HTTP 403: users "jane" is forbidden: User "joe" cannot impersonate resource "users"; '
                "grant the verb impersonate on what it names, or leave out --as, --as-group and the kubeconfig's as"
            ),
        ),
    ],
    ids=["not found", "a login page", "an ailing load balancer", "impersonation"],
)
def test_a_server_that_refuses_discovery_is_told(healthy: Replay, scanned: Scan, reply: Reply, said: str) -> None:
    healthy.answer_always("/apis", reply)
    with pytest.raises(CannotScan) as refused:
        scanned(healthy)
    assert str(refused.value) == f"{healthy.url} refuses GET /apis: {said}"


def test_who_may_not_even_discover_is_told_what_to_bind(healthy: Replay, scanned: Scan) -> None:
    healthy.answer(
        "/apis", Reply(403, b'{"kind":"Status","message":"forbidden: User \\"system:anonymous\\" cannot get path \\"/apis\\""}')
    )
    with pytest.raises(CannotScan) as refused:
        scanned(healthy)
    assert str(refused.value) == (
        f'{healthy.url} refuses GET /apis: HTTP 403: forbidden: User "system:anonymous" cannot get path "/apis"; '
        "bind the ClusterRole system:discovery, or check whose credentials these are"
    )


def test_a_kind_that_the_server_does_not_know_is_absent(healthy: Replay, scanned: Scan) -> None:
    healthy.answer(NODEPOOLS, an_error("404-group-version"))
    assert scanned(healthy).covered(Kind.NODEPOOL) == Coverage(Status.ABSENT, 0, f"the server does not serve {NODEPOOLS}")


@pytest.mark.parametrize(
    ("versions", "reason"),
    [
        ([], "the server does not serve karpenter.sh"),
        (
            ["v1alpha5"],
            "the server serves karpenter.sh/v1alpha5 only: Provisioners, as Karpenter before 0.32 had them, are not read",
        ),
        (["v2"], "the server serves karpenter.sh/v2 only, not v1 or v1beta1"),
    ],
)
def test_a_cluster_without_a_version_of_karpenter_that_is_read_says_so(
    healthy: Replay, scanned: Scan, versions: list[str], reason: str
) -> None:
    healthy.answer("/apis", groups_with(versions))
    snapshot = scanned(healthy)
    assert (snapshot.covered(Kind.NODEPOOL), snapshot.covered(Kind.NODECLAIM)) == (Coverage(Status.ABSENT, 0, reason),) * 2
    assert snapshot.covered(Kind.NODE) == Coverage(Status.NOT_COLLECTED, 0, "without Karpenter there is nothing to judge")
    assert snapshot.taken_at == taken_at("healthy")
    assert healthy.paths() == ["/apis", "/version"]


@pytest.mark.parametrize(("versions", "chosen"), [(["v1beta1", "v1"], "v1"), (["v1alpha5", "v1beta1"], "v1beta1")])
def test_the_newest_version_of_karpenters_api_is_read(healthy: Replay, scanned: Scan, versions: list[str], chosen: str) -> None:
    healthy.answer("/apis", groups_with(versions))
    scanned(healthy)
    assert f"/apis/karpenter.sh/{chosen}/nodepools" in healthy.paths()


def test_a_v1beta1_nodepool_names_its_node_class_by_api_version(healthy: Replay, scanned: Scan) -> None:
    ref = b'{"apiVersion":"karpenter.kwok.sh/v1alpha1","kind":"KWOKNodeClass","name":"default"}'
    pool = b'{"metadata":{"name":"general"},"spec":{"template":{"spec":{"nodeClassRef":%s}}}}' % ref
    healthy.answer("/apis", groups_with(["v1beta1"]))
    healthy.answer("/apis/karpenter.sh/v1beta1/nodepools", Reply(200, b'{"metadata":{},"items":[%s]}' % pool))
    snapshot = scanned(healthy)
    assert [nodepool.name for nodepool in snapshot.nodepools] == ["general"]
    assert snapshot.covered(Kind.NODECLASS) == Coverage(Status.COMPLETE, 1)


def test_a_node_class_that_is_named_without_its_group_cannot_be_asked_for(healthy: Replay, scanned: Scan) -> None:
    pool = (
        b'{"metadata":{"name":"general"},"spec":{"template":{"spec":{"nodeClassRef":{"kind":"KWOKNodeClass","name":"default"}}}}}'
    )
    healthy.answer(NODEPOOLS, Reply(200, b'{"metadata":{},"items":[%s]}' % pool))
    assert scanned(healthy).covered(Kind.NODECLASS) == Coverage(Status.NOT_COLLECTED, 0, "a NodePool's nodeClassRef names no group")


def test_a_node_class_whose_group_is_not_served_is_absent(healthy: Replay, scanned: Scan) -> None:
    groups = msgspec.json.decode(groups_with(["v1"]).body)
    groups["groups"] = [group for group in groups["groups"] if group["name"] != "karpenter.kwok.sh"]
    healthy.answer("/apis", Reply(200, msgspec.json.encode(groups)))
    assert scanned(healthy).covered(Kind.NODECLASS) == Coverage(
        Status.ABSENT, 0, "the server does not serve KWOKNodeClass of karpenter.kwok.sh"
    )


def test_an_unreadable_nodepool_leaves_the_node_classes_partly_known(healthy: Replay, scanned: Scan) -> None:
    healthy.answer(NODEPOOLS, Reply(200, b'{"metadata":{},"items":[{"metadata":{"name":"bad"},"spec":1}]}'))
    snapshot = scanned(healthy)
    assert snapshot.covered(Kind.NODEPOOL) == Coverage(Status.PARTIAL, 0, "1 could not be read")
    assert snapshot.covered(Kind.NODECLASS) == Coverage(Status.PARTIAL, 0, "of the NodePools, which name them, 1 could not be read")


def test_without_nodepools_there_are_no_node_classes_to_read(healthy: Replay, scanned: Scan) -> None:
    healthy.answer(NODEPOOLS, Reply(200, b'{"metadata":{},"items":[]}'))
    assert scanned(healthy).covered(Kind.NODECLASS) == Coverage(Status.COMPLETE, 0)


def test_of_two_providers_node_classes_those_that_are_served_are_read(healthy: Replay, scanned: Scan) -> None:
    refs = ('"karpenter.kwok.sh","kind":"KWOKNodeClass"', '"eks.amazonaws.com","kind":"NodeClass"')
    pools = ",".join(
        f'{{"metadata":{{"name":"{place}"}},"spec":{{"template":{{"spec":{{"nodeClassRef":{{"group":{ref},"name":"default"}}}}}}}}}}'
        for place, ref in enumerate(refs)
    )
    healthy.answer(NODEPOOLS, Reply(200, f'{{"metadata":{{}},"items":[{pools}]}}'.encode()))
    assert scanned(healthy).covered(Kind.NODECLASS) == Coverage(
        Status.PARTIAL, 1, "the server does not serve NodeClass of eks.amazonaws.com"
    )


def test_node_classes_that_cannot_be_looked_up_have_failed(healthy: Replay, scanned: Scan) -> None:
    healthy.answer_always(NODE_CLASSES, Reply(503, b"upstream unavailable"))
    assert scanned(healthy).covered(Kind.NODECLASS) == Coverage(Status.FAILED, 0, f"GET {NODE_CLASSES}: HTTP 503 (asked 7 times)")


def test_a_server_error_between_two_pages_keeps_what_was_read_and_says_that_it_failed(scanned: Scan) -> None:
    with Replay("healthy", page_size=20) as replay:
        for page in range(2, 9):
            replay.answer(PODS, Reply(500, b'{"kind":"Status","message":"etcdserver: leader changed"}'), page=page)
        snapshot = scanned(replay)
    said = f"GET {PODS}: HTTP 500: etcdserver: leader changed (asked 7 times)"
    assert snapshot.covered(Kind.POD) == Coverage(Status.FAILED, 20, said)
    assert len(snapshot.pods) == 20


@pytest.mark.parametrize("error", ["404-group-version", "410-expired-continue", "401"])
def test_a_list_that_ends_in_a_refusal_has_failed_whatever_the_refusal(scanned: Scan, error: str) -> None:
    with Replay("healthy", page_size=20) as replay:
        replay.answer(PODS, an_error(error), page=2)
        coverage = scanned(replay).covered(Kind.POD)
    assert (coverage.status, coverage.count) == (Status.FAILED, 20)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<html>sign in</html>",
        b'{"kind":"PodList","items":[]}',
        b'{"kind":"PodList","metadata":{}}',
        read("healthy", "pods")[:9000],
    ],
    ids=["empty", "no list", "a page for people", "no metadata", "no items", "cut off"],
)
def test_an_answer_that_is_no_list_is_never_an_empty_one(healthy: Replay, scanned: Scan, body: bytes) -> None:
    healthy.answer_always(PODS, Reply(200, body))
    coverage = scanned(healthy).covered(Kind.POD)
    assert (coverage.status, coverage.count) == (Status.FAILED, 0)
    assert coverage.reason.startswith(f"GET {PODS}: the answer is no list: ")
    assert coverage.reason.endswith(" (asked 7 times)")


def test_a_body_that_breaks_off_on_the_wire_has_failed(healthy: Replay, scanned: Scan) -> None:
    pods = read("healthy", "pods")
    healthy.answer_always(PODS, Reply(200, pods[:9000], {"Content-Length": str(len(pods))}))
    coverage = scanned(healthy).covered(Kind.POD)
    assert (coverage.status, coverage.count) == (Status.FAILED, 0)
    assert coverage.reason == f"GET {PODS}: the answer broke off after 9000 bytes (asked 7 times)"


def test_a_list_without_items_is_empty(healthy: Replay, scanned: Scan) -> None:
    healthy.answer(PODS, Reply(200, b'{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":null}'))
    assert scanned(healthy).covered(Kind.POD) == Coverage(Status.COMPLETE, 0)


def test_one_bad_object_costs_one_object(healthy: Replay, scanned: Scan) -> None:
    items = b'[{"metadata":{"name":"good","namespace":"a"}},{"metadata":{"name":"bad","namespace":"a"},"spec":{"nodeName":1}}]'
    healthy.answer(PODS, Reply(200, b'{"metadata":{},"items":%s}' % items))
    snapshot = scanned(healthy)
    assert snapshot.covered(Kind.POD) == Coverage(Status.PARTIAL, 1, "1 could not be read")
    assert [str(error) for error in snapshot.errors] == [f"{PODS}: Pod a/bad: spec.nodeName: expected a string, got a number"]


@pytest.mark.parametrize("date", [None, "soon"])
def test_a_server_that_does_not_say_the_time_cannot_be_scanned(healthy: Replay, scanned: Scan, date: str | None) -> None:
    healthy.date = date
    with pytest.raises(CannotScan, match="does not say the time"):
        scanned(healthy)


def test_a_list_that_is_refused_tells_the_time_too(healthy: Replay, scanned: Scan) -> None:
    healthy.answer(NODEPOOLS, an_error("403-nodepools"))
    assert scanned(healthy).taken_at == taken_at("healthy")


def test_without_valid_credentials_nothing_can_be_scanned(healthy: Replay, scanned: Scan) -> None:
    healthy.answer("/apis", an_error("401"))
    with pytest.raises(CannotScan) as refused:
        scanned(healthy)
    assert str(refused.value) == (
        f"http://127.0.0.1:{healthy.port} refuses GET /apis: HTTP 401: Unauthorized; "
        "the token of user 'reader' in the kubeconfig may have expired: log in again"
    )


def test_a_server_that_is_no_api_server_cannot_be_scanned(healthy: Replay, scanned: Scan) -> None:
    healthy.answer_always("/apis", Reply(200, b"<html>welcome</html>"))
    with pytest.raises(CannotScan) as refused:
        scanned(healthy)
    assert str(refused.value) == (
        f"http://127.0.0.1:{healthy.port} is no Kubernetes API server: GET /apis gave no list of API groups"
    )


@pytest.mark.parametrize(
    "reply",
    [an_error("404-group-version"), Reply(503, b""), Reply(200, b"<html>"), Reply(200, b"", {"Content-Length": "9"})],
    ids=["hidden", "unavailable", "a page for people", "cut off"],
)
def test_a_server_that_does_not_tell_its_version_is_scanned_all_the_same(healthy: Replay, scanned: Scan, reply: Reply) -> None:
    healthy.answer_always("/version", reply)
    snapshot = scanned(healthy)
    assert (snapshot.kubernetes_version, snapshot.covered(Kind.POD).status) == ("", Status.COMPLETE)
