"""Our own snapshot file: it holds what the model reads, and nothing else."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec
import pytest

from karpenter_check.collect.access import connect
from karpenter_check.collect.controller import PRESENCES, SETTINGS
from karpenter_check.collect.files import read_files
from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.live import collect_live
from karpenter_check.collect.snapshot_file import Redactor, SnapshotFile, snapshot_file
from karpenter_check.collect.spool import Spool
from karpenter_check.snapshot import CollectionError, Coverage, Kind, Snapshot, Status
from karpenter_check.snapshot.clip import MAXIMUM_MESSAGE
from tests.collect.replay import LISTS, RECORDINGS, Replay, Reply, an_error, forbidden, read, taken_at
from tests.collect.test_live import plain

PODS, NODES, EVENTS = "/api/v1/pods", "/api/v1/nodes", "/api/v1/events"
DEPLOYMENTS = "/apis/apps/v1/deployments"
NODEPOOLS = "/apis/karpenter.sh/v1/nodepools"


class Kept(NamedTuple):
    """A live cluster's snapshot, and the file that was written of it."""

    snapshot: Snapshot
    content: bytes


Keep: TypeAlias = Callable[[Replay], Kept]


@pytest.fixture
def kept(tmp_path: Path) -> Keep:
    """Collect a replayed cluster, and write its file."""

    def keep(replay: Replay) -> Kept:
        with Spool() as spool:
            snapshot = collect_live(connect(replay.kubeconfig(tmp_path), request_timeout=5), gathering=Gathering(spool))
            return Kept(snapshot, b"".join(snapshot_file(snapshot, spool)))

    return keep


@pytest.fixture
def healthy() -> Iterator[Replay]:
    with Replay("healthy") as replay:
        yield replay


def read_back(content: bytes, folder: Path) -> Snapshot:
    file = folder / "cluster.json"
    file.write_bytes(content)
    return read_files([file]).snapshot


def written(paths: list[Path], redactor: Redactor | None = None) -> bytes:
    with Spool() as spool:
        return b"".join(snapshot_file(read_files(paths, gathering=Gathering(spool)).snapshot, spool, redactor))


def a_list(kind: str, api_version: str, *items: dict[str, Any]) -> Reply:
    return Reply(200, json.dumps({"kind": f"{kind}List", "apiVersion": api_version, "metadata": {}, "items": items}).encode())


@pytest.mark.parametrize("recording", ["healthy", "faults", "runaway"])
def test_a_file_reads_as_the_cluster_that_it_was_taken_of(recording: str, kept: Keep, tmp_path: Path) -> None:
    with Replay(recording, page_size=20) as replay:
        live, content = kept(replay)

    back = read_back(content, tmp_path)
    assert plain(back) == plain(live)
    assert list(back.coverage) == list(live.coverage)


def test_the_file_begins_with_its_schema_and_ends_with_the_lists(kept: Keep, healthy: Replay) -> None:
    document = json.loads(kept(healthy).content)

    assert list(document) == [
        "schema", "takenAt", "cluster", "kubernetesVersion", "karpenterVersion", "coverage", "errors", "lists",
    ]  # fmt: skip
    assert (document["schema"], document["takenAt"]) == (
        "karpenter-check/snapshot/v1",
        f"{taken_at('healthy'):%Y-%m-%dT%H:%M:%SZ}",
    )
    assert {kind: len(entries) for kind, entries in document["lists"].items()} == {
        kind: entry["count"] for kind, entry in document["coverage"].items() if entry.get("count")
    }


def test_what_was_not_seen_stays_not_seen(kept: Keep, healthy: Replay, tmp_path: Path) -> None:
    healthy.answer_always(EVENTS, forbidden(EVENTS, "events"))
    healthy.answer_always(DEPLOYMENTS, an_error("401"))
    healthy.answer(PODS, a_list("Pod", "v1", {"metadata": {"name": "p"}, "spec": {"nodeName": 7}}, {"metadata": {"name": "good"}}))
    live, content = kept(healthy)

    back = read_back(content, tmp_path)
    assert [live.covered(kind).status for kind in (Kind.EVENT, Kind.DEPLOYMENT, Kind.POD)] == [
        Status.FORBIDDEN,
        Status.FAILED,
        Status.PARTIAL,
    ]
    assert back.coverage == live.coverage
    assert back.errors == live.errors == (CollectionError(PODS, "spec.nodeName: expected a string, got a number", "Pod", "p"),)


def test_a_cluster_without_karpenter_can_be_kept(kept: Keep, healthy: Replay, tmp_path: Path) -> None:
    groups = {"kind": "APIGroupList", "groups": [{"name": "apps", "versions": [{"version": "v1"}]}]}
    healthy.answer("/apis", Reply(200, json.dumps(groups).encode()))
    live, content = kept(healthy)

    file = tmp_path / "cluster.json"
    file.write_bytes(content)
    back = read_files([file])
    assert back.snapshot.coverage == live.coverage
    assert live.covered(Kind.NODEPOOL).status is Status.ABSENT
    assert back.cluster_without_karpenter


def test_a_snapshot_of_a_snapshot_is_the_same_file(kept: Keep, tmp_path: Path) -> None:
    with Replay("faults") as replay:
        replay.answer_always(EVENTS, forbidden(EVENTS, "events"))
        content = kept(replay).content

    file = tmp_path / "cluster.json"
    file.write_bytes(content)
    assert written([file]) == content


def test_mixed_lists_are_grouped_by_kind(tmp_path: Path) -> None:
    items = [
        {"kind": kind, "apiVersion": "v1", "metadata": {"name": name}}
        for kind, name in (("Node", "n1"), ("Pod", "p1"), ("Secret", "s1"), ("Node", "n2"))
    ]
    file = tmp_path / "dump.json"
    file.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": items}))

    assert written([file]).partition(b'"lists":')[2] == (
        b'{"Node":[\n{"metadata":{"name":"n1"}},\n{"metadata":{"name":"n2"}}],"Pod":[\n{"metadata":{"name":"p1"}}]}}\n'
    )


def test_a_kind_that_is_not_wanted_is_not_written() -> None:
    with Spool() as spool:
        snapshot = read_files([RECORDINGS / "healthy"], gathering=Gathering(spool)).snapshot
        without = replace(
            snapshot, events=(), coverage={**snapshot.coverage, Kind.EVENT: Coverage(Status.NOT_COLLECTED, 0, "--no-events")}
        )
        document = json.loads(b"".join(snapshot_file(without, spool)))

    assert "Event" not in document["lists"]
    assert document["coverage"]["Event"] == {"status": "not-collected", "reason": "--no-events"}


def test_long_messages_are_cut_before_a_rule_reads_them_and_so_the_same_in_the_file(
    kept: Keep, healthy: Replay, tmp_path: Path
) -> None:
    said = {"involvedObject": {"kind": "Pod", "name": "p"}, "metadata": {"name": "e"}, "message": "x" * 76_000}
    healthy.answer_always(EVENTS, a_list("Event", "v1", said))
    live, content = kept(healthy)

    assert {len(event.message) for event in live.events} == {MAXIMUM_MESSAGE}
    assert read_back(content, tmp_path).events == live.events


def test_long_messages_of_pods_are_cut_alike_with_a_file_and_without_one(kept: Keep, healthy: Replay, tmp_path: Path) -> None:
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "y" * 76_000}
    pod = {"metadata": {"name": "p", "namespace": "shop"}, "status": {"conditions": [scheduled]}}
    healthy.answer_always(PODS, a_list("Pod", "v1", pod))
    content = kept(healthy).content
    (live,) = collect_live(connect(healthy.kubeconfig(tmp_path), request_timeout=5)).pods
    (back,) = read_back(content, tmp_path).pods

    assert live.scheduled == back.scheduled
    assert live.scheduled
    assert len(live.scheduled.message) == MAXIMUM_MESSAGE


class _Upper:
    """Writes the names of pods in capitals, once it has learnt them all."""

    def __init__(self) -> None:
        self.learnt: list[str] = []
        self.asked = False

    def learn(self, kind: Kind, entry: Any, /) -> None:
        assert not self.asked, "all is learnt before anything is asked for"
        self.learnt.append(f"{kind} {entry.metadata.name}")

    def redacted(self, kind: Kind, entry: Any, /) -> Any:
        self.asked = True
        return msgspec.structs.replace(
            entry, metadata=msgspec.structs.replace(entry.metadata, name=f"{kind} {entry.metadata.name}".upper())
        )

    def name(self, name: str, /) -> str:
        self.asked = True
        return name.upper()

    def text(self, text: str, /) -> str:
        self.asked = True
        return text.upper()

    def error(self, error: CollectionError, /) -> CollectionError:
        self.asked = True
        return msgspec.structs.replace(error, message=error.message.upper())


def test_a_redactor_learns_everything_and_then_changes_everything(tmp_path: Path) -> None:
    source = tmp_path / "source.json"
    source.write_text(
        json.dumps({
            "schema": "karpenter-check/snapshot/v1", "takenAt": "2026-11-21T08:00:00Z", "cluster": "prod",
            "coverage": {"Node": {"status": "complete"}, "Pod": {"status": "failed", "reason": "jane has gone"}},
            "errors": [{"source": "s", "message": "pod web is odd"}],
            "lists": {"Node": [{"metadata": {"name": "n1"}}], "Pod": [{"metadata": {"name": "web"}}]},
        })
    )  # fmt: skip
    redactor = _Upper()
    document = json.loads(written([source], redactor))

    assert redactor.learnt == ["Node n1", "Pod web"]
    assert document["lists"] == {"Node": [{"metadata": {"name": "NODE N1"}}], "Pod": [{"metadata": {"name": "POD WEB"}}]}
    assert (document["cluster"], document["errors"]) == ("PROD", [{"source": "s", "message": "POD WEB IS ODD"}])
    assert document["coverage"]["Pod"] == {"status": "failed", "count": 1, "reason": "JANE HAS GONE"}


def test_a_redacted_file_says_so_and_goes_on_saying_so(tmp_path: Path) -> None:
    source = tmp_path / "source.json"
    source.write_text(
        '{"schema":"karpenter-check/snapshot/v1","takenAt":"2026-11-21T08:00:00Z","lists":{"Node":[{"metadata":{"name":"n1"}}]}}'
    )
    redacted = written([source], _Upper())
    first = tmp_path / "redacted.json"
    first.write_bytes(redacted)
    again = written([first])

    assert [json.loads(content).get("redacted") for content in (redacted, again, written([source]))] == [True, True, None]
    assert [msgspec.json.decode(content, type=SnapshotFile).redacted for content in (redacted, again, source.read_bytes())] == [
        True,
        True,
        False,
    ]


CANARIES = [
    "env", "env-from", "arg", "command", "annotation", "last-applied", "managed-field", "managed-value", "probe", "volume", "image",
    "lifecycle", "init", "ephemeral", "subdomain", "log", "data-key", "queue", "password",
]  # fmt: skip


def canary(where: str) -> str:
    return f"c4n4ry-{where}-s3cr3t"


def a_container(role: str) -> dict[str, Any]:
    return {
        "name": role,
        "image": f"registry.example.com/{canary('image')}",
        "command": ["sh", "-c", canary("command")],
        "args": [f"--token={canary('arg')}"],
        "env": [
            {"name": "TOKEN", "value": canary("env")},
            {"name": canary("env"), "valueFrom": {"secretKeyRef": {"name": canary("env-from"), "key": canary("env-from")}}},
        ],
        "envFrom": [{"secretRef": {"name": canary("env-from")}}],
        "livenessProbe": {"httpGet": {"path": f"/{canary('probe')}", "httpHeaders": [{"name": "X", "value": canary("probe")}]}},
        "readinessProbe": {"exec": {"command": [canary("probe")]}},
        "lifecycle": {"preStop": {"exec": {"command": [canary("lifecycle")]}}},
        "volumeMounts": [{"name": canary("volume"), "mountPath": f"/{canary('volume')}"}],
    }


def poisoned(item: dict[str, Any]) -> dict[str, Any]:
    """An object with a canary wherever an object has place for one that is no spec."""
    metadata = {
        **item["metadata"],
        "annotations": {
            **item["metadata"].get("annotations", {}),
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"spec": canary("last-applied")}),
            "example.com/token": canary("annotation"),
            canary("annotation"): "",
        },
        "managedFields": [
            *item["metadata"].get("managedFields", []),
            {
                "manager": "kubectl-label",
                "operation": canary("managed-field"),
                "subresource": canary("managed-field"),
                "time": "2026-11-21T08:00:00Z",
                "fieldsV1": {
                    f"f:{canary('managed-field')}": {},
                    "f:data": {f"f:{canary('data-key')}": {}},
                    "f:metadata": {
                        "f:annotations": {f"f:{canary('managed-field')}": {}},
                        "f:labels": {".": {}, "f:heavy": {canary("managed-value"): canary("managed-value")}},
                    },
                    "f:spec": {"f:taints": {canary("managed-value"): {}}, "f:containers": {canary("managed-field"): {}}},
                },
            },
        ],
    }
    return {**item, "metadata": metadata}


def poisoned_spec() -> dict[str, Any]:
    return {
        "containers": [a_container("web")],
        "initContainers": [{**a_container("init"), "args": [canary("init")]}],
        "ephemeralContainers": [{**a_container("debug"), "args": [canary("ephemeral")]}],
        "subdomain": canary("subdomain"),
        "imagePullSecrets": [{"name": canary("password")}],
        "volumes": [
            {"name": canary("volume"), "secret": {"secretName": canary("volume")}},
            {"name": "csi", "csi": {"driver": "d", "volumeAttributes": {"password": canary("password")}}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        ],
    }


def poisoned_status() -> dict[str, Any]:
    state = {"terminated": {"message": canary("log"), "reason": "Error", "exitCode": 1}}
    return {
        "message": canary("log"),
        "containerStatuses": [{"name": "web", "image": canary("image"), "state": state, "lastState": state}],
    }


@pytest.fixture
def haunted() -> Iterator[Replay]:
    """A cluster with a canary wherever people keep secrets."""
    labels = {"app.kubernetes.io/name": "karpenter"}
    settings = [{"name": name, "value": f"value of {name}"} for name in sorted(SETTINGS | PRESENCES)]
    settings += [
        {"name": "AWS_SECRET_ACCESS_KEY", "value": canary("env")},
        {"name": "CLUSTER_CA_BUNDLE", "value": canary("env")},
        {"name": "BATCH_TOKEN", "value": canary("env")},
        {"name": "INTERRUPTION_QUEUE", "value": canary("queue")},
    ]
    controller = {**a_container("controller"), "image": "karpenter:1.13.0", "env": settings}
    template = {"metadata": {"annotations": {"token": canary("annotation")}}}
    deployments = [
        poisoned({"metadata": {"name": "karpenter", "namespace": "kube-system", "labels": labels},
                  "spec": {"template": {**template, "spec": {**poisoned_spec(), "containers": [controller]}}}}),
        poisoned({"metadata": {"name": "web", "namespace": "shop"},
                  "spec": {"template": {**template, "spec": {**poisoned_spec(), "containers": [{**a_container("web"), "image": "web:1"}]}}}}),
    ]  # fmt: skip
    with Replay("healthy") as replay:
        for path, name in LISTS.items():
            listed = json.loads(read("healthy", name))
            items = [poisoned(item) for item in listed["items"]] if path != EVENTS else listed["items"]
            if path == PODS:
                items = [{**item, "spec": {**item["spec"], **poisoned_spec()}, "status": {**item["status"], **poisoned_status()}} for item in items]  # fmt: skip
            if path == "/apis/apps/v1/daemonsets":
                items = [{**item, "spec": {**item["spec"], "template": {**template, "spec": poisoned_spec()}}} for item in items]
            if path == DEPLOYMENTS:
                items = deployments
            replay.answer_always(path, a_list(listed["kind"].removesuffix("List"), listed["apiVersion"], *items))
        yield replay


def test_no_secret_of_a_cluster_is_in_its_file(kept: Keep, haunted: Replay, tmp_path: Path) -> None:
    live, content = kept(haunted)

    assert live.errors == ()
    assert [status for status in live.coverage.values() if status.status is not Status.COMPLETE] == []
    assert [where for where in CANARIES if canary(where).encode() in content] == []
    assert b"c4n4ry" not in content
    assert plain(read_back(content, tmp_path)) == plain(live)


def test_the_canaries_were_in_what_the_server_said(haunted: Replay) -> None:
    said = b"".join(haunted._always[path].body for path in LISTS)

    assert [where for where in CANARIES if canary(where).encode() not in said] == []


def test_of_the_controllers_settings_exactly_the_named_ones_are_kept(kept: Keep, haunted: Replay) -> None:
    deployments = {entry["metadata"]["name"]: entry for entry in json.loads(kept(haunted).content)["lists"]["Deployment"]}

    assert deployments["web"]["spec"]["template"]["spec"]["containers"] == [{"image": "web:1"}]
    (container,) = deployments["karpenter"]["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [
        {"name": "BATCH_IDLE_DURATION", "value": "value of BATCH_IDLE_DURATION"},
        {"name": "BATCH_MAX_DURATION", "value": "value of BATCH_MAX_DURATION"},
        {"name": "CLUSTER_NAME", "value": "value of CLUSTER_NAME"},
        {"name": "FEATURE_GATES", "value": "value of FEATURE_GATES"},
        {"name": "INTERRUPTION_QUEUE", "value": "set"},
        {"name": "MIN_VALUES_POLICY", "value": "value of MIN_VALUES_POLICY"},
        {"name": "PREFERENCE_POLICY", "value": "value of PREFERENCE_POLICY"},
        {"name": "INTERRUPTION_QUEUE", "value": "set"},
    ]


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ({"name": "INTERRUPTION_QUEUE", "value": ""}, []),
        ({"name": "INTERRUPTION_QUEUE"}, []),
        ({"name": "INTERRUPTION_QUEUE", "valueFrom": {"configMapKeyRef": {"name": "s", "key": "q"}}}, [{"name": "INTERRUPTION_QUEUE", "value": "set"}]),
        ({"name": "BATCH_MAX_DURATION", "valueFrom": {"configMapKeyRef": {"name": "s", "key": "q"}}}, [{"name": "BATCH_MAX_DURATION", "valueFrom": {}}]),
        ({"name": "batch_max_duration", "value": "1s"}, []),
        ({"name": "BATCH_MAX_DURATION_", "value": "1s"}, []),
    ],
)  # fmt: skip
def test_a_setting_from_elsewhere_is_known_to_be_set_and_not_read(
    kept: Keep, healthy: Replay, variable: dict[str, Any], expected: list[dict[str, Any]]
) -> None:
    spec = {"template": {"spec": {"containers": [{"image": "karpenter:1.13.0", "env": [variable]}]}}}
    labels = {"app.kubernetes.io/name": "karpenter"}
    healthy.answer_always(DEPLOYMENTS, a_list("Deployment", "apps/v1", {"metadata": {"name": "k", "labels": labels}, "spec": spec}))
    (deployment,) = json.loads(kept(healthy).content)["lists"]["Deployment"]

    assert deployment["spec"]["template"]["spec"]["containers"][0].get("env", []) == expected


def test_of_managed_fields_only_who_wrote_which_labels_and_taints_and_when_is_kept(kept: Keep, haunted: Replay) -> None:
    document = json.loads(kept(haunted).content)
    entries = [entry for node in document["lists"]["Node"] for entry in node["metadata"]["managedFields"]]

    assert {"manager": "kubectl-label", "time": "2026-11-21T08:00:00Z",
            "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:heavy": {}}}, "f:spec": {"f:taints": {}}}} in entries  # fmt: skip
    assert {key for entry in entries for key in entry} <= {"manager", "time", "fieldsV1"}
    assert not any("managedFields" in entry["metadata"] for kind, entries in document["lists"].items() for entry in entries
                   if kind != "Node")  # fmt: skip


def test_a_gzipped_file_reads_as_well(tmp_path: Path) -> None:
    plain_file, packed = tmp_path / "cluster.json", tmp_path / "cluster.json.gz"
    plain_file.write_bytes(written([RECORDINGS / "healthy"]))
    packed.write_bytes(gzip.compress(plain_file.read_bytes()))

    assert plain(read_files([packed]).snapshot) == plain(read_files([plain_file]).snapshot)
