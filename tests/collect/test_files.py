"""Input as people have it: what kubectl printed, manifests, snapshots; and what is wrong with it."""

import gzip
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from karpenter_check.collect.files import read_files
from karpenter_check.collect.refusal import UnreadableInput
from karpenter_check.snapshot import NO_TIME, CollectionError, Coverage, Kind, Status, Version

POD = {
    "kind": "Pod",
    "apiVersion": "v1",
    "metadata": {"name": "web", "namespace": "shop", "creationTimestamp": "2026-11-21T08:00:00Z"},
    "spec": {},
}
NODEPOOL = "apiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata:\n  name: default\nspec:\n  template:\n    spec:\n      expireAfter: 720h\n"
NOT_IN_INPUT = Coverage(Status.NOT_COLLECTED, 0, "not in the input")


def a_list(*items: Mapping[str, Any], kind: str = "List", api_version: str = "v1") -> bytes:
    return json.dumps({"kind": kind, "apiVersion": api_version, "items": items}).encode()


def a_file(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def coverage_of(path: Path, *, complete: bool = False) -> dict[Kind, Coverage]:
    """What is known of each kind that is in the input."""
    covered = read_files([path], complete=complete).snapshot.coverage
    return {kind: coverage for kind, coverage in covered.items() if coverage != NOT_IN_INPUT}


def refusal_of(path: Path) -> str:
    """The one line that the user gets, without the folder."""
    with pytest.raises(UnreadableInput) as refused:
        read_files([path])
    said = str(refused.value).replace(f"{path.parent}/", "")
    assert "\n" not in said
    return said


def test_kinds_in_a_list_are_complete(tmp_path: Path) -> None:
    assert coverage_of(a_file(tmp_path, "list.json", a_list(POD))) == {Kind.POD: Coverage(Status.COMPLETE, 1)}


def test_a_typed_list_gives_its_items_their_kind(tmp_path: Path) -> None:
    bare = {"metadata": {"name": "web", "namespace": "shop"}}

    assert coverage_of(a_file(tmp_path, "pods.json", a_list(bare, kind="PodList"))) == {Kind.POD: Coverage(Status.COMPLETE, 1)}


@pytest.mark.parametrize("items", [b"[]", b"null"])
def test_an_empty_typed_list_is_complete(tmp_path: Path, items: bytes) -> None:
    empty = b'{"kind":"PodList","apiVersion":"v1","items":' + items + b"}"

    assert coverage_of(a_file(tmp_path, "pods.json", empty)) == {Kind.POD: Coverage(Status.COMPLETE, 0)}


def test_loose_manifests_are_partial(tmp_path: Path) -> None:
    assert coverage_of(a_file(tmp_path, "pool.yaml", NODEPOOL)) == {Kind.NODEPOOL: Coverage(Status.PARTIAL, 1, "manifests")}


def test_with_complete_what_does_not_appear_is_empty(tmp_path: Path) -> None:
    node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n1"}}
    old = {**POD, "metadata": {"name": "web", "namespace": "shop", "creationTimestamp": "2026-11-20T08:00:00Z"}}
    event = {"kind": "Event", "apiVersion": "v1", "metadata": {"creationTimestamp": "2026-11-21T08:00:00Z"}, "involvedObject": {}}
    covered = coverage_of(a_file(tmp_path, "list.json", a_list(node, old, event)), complete=True)

    asked_for = [kind for kind in Kind if not kind.optional]
    assert {kind: covered[kind] for kind in asked_for} == {
        kind: Coverage(Status.COMPLETE, int(kind in {Kind.NODE, Kind.POD, Kind.EVENT})) for kind in asked_for
    }


def test_with_complete_an_optional_kind_that_does_not_appear_was_not_asked_for(tmp_path: Path) -> None:
    node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n1"}}
    volume = {"kind": "PersistentVolume", "apiVersion": "v1", "metadata": {"name": "pv-1"}}
    covered = coverage_of(a_file(tmp_path, "list.json", a_list(node, volume)), complete=True)

    assert {kind: known for kind, known in covered.items() if kind.optional} == {
        Kind.PERSISTENTVOLUME: Coverage(Status.COMPLETE, 1)
    }


def test_leases_and_definitions_of_others_are_left_out(tmp_path: Path) -> None:
    names = {
        "Lease": ("coordination.k8s.io/v1", ("karpenter-leader-election", "kube-scheduler", "n1")),
        "CustomResourceDefinition": (
            "apiextensions.k8s.io/v1",
            ("nodepools.karpenter.sh", "ec2nodeclasses.karpenter.k8s.aws", "certificates.cert-manager.io"),
        ),
    }
    objects = [
        {"kind": kind, "apiVersion": version, "metadata": {"name": name}}
        for kind, (version, of_kind) in names.items()
        for name in of_kind
    ]
    snapshot = read_files([a_file(tmp_path, "list.json", a_list(*objects))]).snapshot

    assert [lease.metadata.name for lease in snapshot.leases] == ["karpenter-leader-election"]
    assert [entry.metadata.name for entry in snapshot.customresourcedefinitions] == [
        "nodepools.karpenter.sh",
        "ec2nodeclasses.karpenter.k8s.aws",
    ]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"{NODEPOOL}---\n{NODEPOOL.replace('default', 'other')}---\n", id="yaml documents"),
        pytest.param(f"# comment\n---\n---\n{NODEPOOL}\n---\n{NODEPOOL.replace('default', 'other')}", id="empty documents between"),
        pytest.param('{"kind":"NodePool","apiVersion":"karpenter.sh/v1","metadata":{"name":"default"}}\n{"kind":"NodePool","apiVersion":"karpenter.sh/v1beta1","metadata":{"name":"other"}}', id="json documents"),
        pytest.param(f"\ufeff{NODEPOOL}---\n{NODEPOOL.replace('default', 'other')}", id="byte order mark"),
    ],
)  # fmt: skip
def test_many_documents_in_one_file(tmp_path: Path, content: str) -> None:
    read = read_files([a_file(tmp_path, "pools.yaml" if "karpenter.sh/v1\nkind" in content else "pools.json", content)])

    assert [nodepool.name for nodepool in read.snapshot.nodepools] == ["default", "other"]


def test_gzip_is_unpacked_whatever_the_file_is_called(tmp_path: Path) -> None:
    assert coverage_of(a_file(tmp_path, "dump", gzip.compress(a_list(POD)))) == {Kind.POD: Coverage(Status.COMPLETE, 1)}


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(a_list(POD))))

    assert [pod.metadata.name for pod in read_files([None]).snapshot.pods] == ["web"]


def test_a_folder_is_read_and_what_is_not_read_is_counted(tmp_path: Path) -> None:
    a_file(tmp_path, "pods.json", a_list(POD))
    a_file(tmp_path, "pools.yml.gz", gzip.compress(NODEPOOL.encode()))
    a_file(tmp_path, "notes.txt", "hello")
    (tmp_path / "more").mkdir()

    read = read_files([tmp_path])

    assert (len(read.snapshot.pods), len(read.snapshot.nodepools), read.ignored) == (1, 1, 2)


def test_kinds_that_no_rule_reads_are_counted(tmp_path: Path) -> None:
    secret = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}}
    foreign = {"kind": "Node", "apiVersion": "example.com/v1", "metadata": {"name": "n"}}

    read = read_files([a_file(tmp_path, "list.json", a_list(POD, secret, foreign))])

    assert (read.skipped, read.snapshot.nodes) == (2, ())


def test_discovery_documents_are_no_objects(tmp_path: Path) -> None:
    a_file(tmp_path, "apis.json", '{"kind":"APIGroupList","apiVersion":"v1","groups":[]}')
    a_file(tmp_path, "version.json", '{"major":"1","gitVersion":"v1.36.2"}')
    a_file(tmp_path, "pods.json", a_list(POD))

    read = read_files([tmp_path])

    assert (read.snapshot.kubernetes_version, read.skipped, read.snapshot.errors) == ("v1.36.2", 0, ())


def test_node_classes_of_every_provider_are_one_kind(tmp_path: Path) -> None:
    classes = [
        {"kind": kind, "apiVersion": f"{group}/v1", "metadata": {"name": "default"}}
        for kind, group in (("EC2NodeClass", "karpenter.k8s.aws"), ("AKSNodeClass", "karpenter.azure.com"))
    ]

    snapshot = read_files([a_file(tmp_path, "list.json", a_list(*classes))]).snapshot

    assert [node_class.kind for node_class in snapshot.nodeclasses] == ["EC2NodeClass", "AKSNodeClass"]


def test_null_means_absent(tmp_path: Path) -> None:
    nulls = {
        "kind": "NodePool", "apiVersion": "karpenter.sh/v1", "metadata": {"name": "default", "labels": None, "annotations": None},
        "spec": {"disruption": None, "limits": None, "template": {"metadata": None, "spec": {"taints": None, "requirements": [None]}}},
    }  # fmt: skip

    read = read_files([a_file(tmp_path, "list.json", a_list(nulls))])

    assert ([nodepool.name for nodepool in read.snapshot.nodepools], read.snapshot.errors) == (["default"], ())


def test_times_in_yaml_stay_what_the_api_says(tmp_path: Path) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, creationTimestamp: 2026-11-21T08:00:00Z, labels: {released: '2026-11-21'}}\n"

    (read,) = read_files([a_file(tmp_path, "pod.yaml", pod)]).snapshot.pods

    assert (read.metadata.creation_timestamp, read.metadata.labels) == (
        datetime(2026, 11, 21, 8, tzinfo=UTC),
        {"released": "2026-11-21"},
    )


def test_one_broken_object_costs_one_object(tmp_path: Path) -> None:
    broken = {**POD, "metadata": {"name": "broken", "namespace": "shop"}, "spec": {"tolerations": "x"}}
    path = a_file(tmp_path, "list.json", a_list(POD, broken))

    snapshot = read_files([path]).snapshot

    assert [pod.metadata.name for pod in snapshot.pods] == ["web"]
    assert snapshot.errors == (CollectionError(str(path), "spec.tolerations: expected a list, got a string", "Pod", "shop/broken"),)
    assert snapshot.coverage[Kind.POD] == Coverage(Status.PARTIAL, 1, "1 could not be read")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spec": {"containers": [{"resources": {"requests": {"cpu": "lots"}}}]}}, "resources: cpu: 'lots' is not a Kubernetes quantity"),
        ({"metadata": {"namespace": "shop"}}, "metadata.name is missing"),
        ({"metadata": {"name": "web", "creationTimestamp": "yesterday"}}, "metadata.creationTimestamp: Invalid RFC3339 encoded datetime"),
        ({"metadata": {"name": "web", "labels": {"a": 1}}}, "metadata.labels[...]: expected a string, got a number"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_object_is_named_by_its_field(tmp_path: Path, change: Mapping[str, Any], said: str) -> None:
    snapshot = read_files([a_file(tmp_path, "list.json", a_list({**POD, **change}, POD))]).snapshot

    assert [error.message for error in snapshot.errors] == [said]


def test_an_item_without_kind_is_named_by_its_place(tmp_path: Path) -> None:
    path = a_file(tmp_path, "list.json", a_list(POD, {"metadata": {"name": "x"}}))

    assert read_files([path]).snapshot.errors == (CollectionError(str(path), "items[1] is no Kubernetes object: it has no kind"),)


def test_in_a_folder_an_unreadable_file_is_a_warning(tmp_path: Path) -> None:
    bad = a_file(tmp_path, "bad.json", '{"metadata":{"name":"x"}}')
    a_file(tmp_path, "pods.json", a_list(POD))

    snapshot = read_files([tmp_path]).snapshot

    assert snapshot.errors == (CollectionError(str(bad), "is no Kubernetes object: it has no kind"),)
    assert len(snapshot.pods) == 1


DEEP = "[" * 100_000
LAUGHS = "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.yaml", "foo: [1,2\n bar", "a.yaml: is neither JSON nor YAML: did not find expected ',' or ']' (line 3, column 1)"),
        ("a.json", '{"metadata":{"name":"x"}}', "a.json: is no Kubernetes object: it has no kind"),
        ("a.json", '{"kind":"PodList","apiVersion":"v1","items":[', "a.json: is not JSON: Expecting value (line 1, column 46); was it cut off?"),
        ("a.json", '{"kind":"PodList","apiVersion":"v1","items":"abc"}', "a.json: PodList.items: expected a list, got a string"),
        ("a.json", "", "a.json: is empty"),
        ("a.json", " \n", "a.json: is empty"),
        ("a.json", b"\x7fELF\x00\x00", "a.json: is binary, neither JSON nor YAML"),
        ("a.yaml", b"a: \xff\xfe", "a.yaml: is neither JSON nor YAML: it is not UTF-8 (byte 3)"),
        ("a.json", b'{"kind": "\xff"}', "a.json: is no Kubernetes object: is not UTF-8"),
        ("a.json.gz", gzip.compress(b"{}" * 5000)[:40], "a.json.gz: the gzip is truncated or damaged (Compressed file ended before the end-of-stream marker was reached); copy the file again"),
        ("a.yaml", "metadata:\n  name: {{ .Values.name }}\n", "a.yaml: looks like a template that was not rendered (line 2, column 10): render it first (helm template …) and scan the result"),
        ("a.yaml", "{{- if .Values.on }}\nkind: Pod\n{{- end }}\n", "a.yaml: looks like a template that was not rendered (line 1, column 3): render it first (helm template …) and scan the result"),
        ("a.yaml", "just text", "a.yaml: is no Kubernetes object: expected an object, got a string"),
        ("a.json", "[]", "a.json: is a bare list; a List or one object per document is expected"),
        ("a.json", DEEP, "a.json: is nested too deeply"),
        ("a.yaml", f"a: &a [x]\n{LAUGHS}", "a.yaml: its YAML aliases blow it up beyond 20000000 values"),
        ("a.yaml", "a: &x {b: *x}", "a.yaml: is nested too deeply, or contains itself by a YAML alias"),
        ("a.yaml", '!!python/object/apply:os.system ["true"]', "a.yaml: is neither JSON nor YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.system' (line 1, column 1)"),
        ("a.yaml", "# nothing\n", "the input holds no Kubernetes object; try: kubectl get nodes,pods,… -A -o json | karpenter-check scan -f -"),
        ("a.json", '{"schema":"karpenter-check/snapshot/v9"}', "a.json: its schema is 'karpenter-check/snapshot/v9', this version reads 'karpenter-check/snapshot/v1'; use the karpenter-check that wrote it, or a newer one"),
        ("a.json", '{"schema":"karpenter-check/snapshot/v1","lists":{}}', "a.json: the snapshot file is damaged: Object missing required field takenAt"),
        ("a.json", '{"schema":"karpenter-check/snapshot/v1","takenAt":"2026-11-21T08:00:00","lists":{}}', "a.json: the snapshot file is damaged: takenAt: Expected datetime with a timezone component"),
        ("a.json", '{"schema":"karpenter-check/snapshot/v1","takenAt":"2026-11-21T08:00:00Z","lists":{"Secret":[]}}', "a.json: lists.Secret: not a kind that is read"),
    ],
)  # fmt: skip
def test_unreadable_input_is_one_clear_line(tmp_path: Path, name: str, content: bytes | str, said: str) -> None:
    assert refusal_of(a_file(tmp_path, name, content)) == said


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    said = "no.json: no such file or directory; -f takes a file, a folder or - for standard input"

    assert refusal_of(tmp_path / "no.json") == said


def test_folders_in_a_folder_are_read_where_that_is_asked_for(tmp_path: Path) -> None:
    for folder in ("a", "a/b", ".git", "a/.hidden"):
        (tmp_path / folder).mkdir()
        name = folder.strip(".").replace("/", "-").replace(".", "")
        a_file(tmp_path / folder, "pool.yaml", f"apiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {{name: {name}}}\n")
    (tmp_path / "a" / "round").symlink_to(tmp_path)

    assert [pool.name for pool in read_files([tmp_path], recursive=True).snapshot.nodepools] == ["a-b", "a"]


def test_an_empty_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert (
        refusal_of(tmp_path / "empty")
        == "empty: no *.json, *.yaml or *.yml file in this folder (gzipped ones are read too; folders in it are with -R)"
    )


def test_the_time_is_the_newest_that_the_api_server_wrote(tmp_path: Path) -> None:
    pod = {
        **POD,
        "metadata": {
            "name": "web", "creationTimestamp": "2026-11-21T08:00:00Z", "deletionTimestamp": "2026-11-21T23:00:00Z",
            "annotations": {"when": "2027-01-01T00:00:00Z"}, "managedFields": [{"manager": "m", "time": "2026-11-21T08:00:01Z"}],
        },
        "spec": {"activeDeadline": "2028-01-01T00:00:00Z"},
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-21T08:00:02Z"}],
            "containerStatuses": [{"state": {"running": {"startedAt": "2026-11-21T08:00:03Z"}}}],
        },
    }  # fmt: skip

    assert read_files([a_file(tmp_path, "list.json", a_list(pod))]).snapshot.taken_at == datetime(2026, 11, 21, 8, 0, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("item", "where"),
    [
        ({**POD, "metadata": {"name": "web", "namespace": "shop", "creationTimestamp": "2026-11-21T08:00:00"}}, "metadata.creationTimestamp"),
        ({**POD, "status": {"startTime": "2026-11-21T08:00:00"}}, "status.startTime"),
    ],
)  # fmt: skip
def test_a_time_without_a_zone_is_an_error_that_names_its_field(tmp_path: Path, item: Mapping[str, Any], where: str) -> None:
    path = a_file(tmp_path, "list.json", a_list(item, {**POD, "metadata": {"name": "api", "namespace": "shop"}}))
    snapshot = read_files([path]).snapshot

    assert (snapshot.errors, [pod.metadata.name for pod in snapshot.pods]) == (
        (CollectionError(str(path), f"{where}: Expected datetime with a timezone component", "Pod", "shop/web"),),
        ["api"],
    )


def test_a_time_without_a_zone_is_not_the_time_of_the_input(tmp_path: Path) -> None:
    item = {**POD, "metadata": {"name": "web", "creationTimestamp": "2026-11-21T08:00:00"}}

    assert read_files([a_file(tmp_path, "list.json", a_list(item, POD))]).snapshot.taken_at == datetime(2026, 11, 21, 8, tzinfo=UTC)


def test_events_tell_the_time_too(tmp_path: Path) -> None:
    event = {
        "kind": "Event", "apiVersion": "v1", "metadata": {"name": "e", "creationTimestamp": "2026-11-21T08:00:00Z"}, "involvedObject": {},
        "eventTime": "2026-11-21T08:00:01.5Z", "series": {"count": 3, "lastObservedTime": "2026-11-21T08:00:09.25Z"},
    }  # fmt: skip

    taken_at = read_files([a_file(tmp_path, "list.json", a_list(event))]).snapshot.taken_at

    assert taken_at == datetime(2026, 11, 21, 8, 0, 9, 250000, tzinfo=UTC)


def test_a_time_of_another_millennium_tells_nothing(tmp_path: Path) -> None:
    event = {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": {"name": "e"},
        "involvedObject": {},
        "eventTime": "9999-12-31T23:59:59Z",
    }

    assert read_files([a_file(tmp_path, "list.json", a_list(event))]).snapshot.taken_at == NO_TIME


def test_input_without_any_time_has_none(tmp_path: Path) -> None:
    assert read_files([a_file(tmp_path, "pool.yaml", NODEPOOL)]).snapshot.taken_at == NO_TIME


def test_the_time_that_is_given_counts(tmp_path: Path) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)

    assert read_files([a_file(tmp_path, "list.json", a_list(POD))], at=at).snapshot.taken_at == at


def a_controller(image: str = "controller", *, app: str = "karpenter", **env: str) -> dict[str, Any]:
    environment = [{"name": name, "value": value} for name, value in {"TOKEN": "secret", **env}.items()]
    return {
        "kind": "Deployment", "apiVersion": "apps/v1",
        "metadata": {"name": app, "namespace": "kube-system", "labels": {"app.kubernetes.io/name": app}},
        "spec": {"template": {"spec": {"containers": [{"image": image, "env": environment}]}}},
    }  # fmt: skip


def test_the_controllers_image_tells_karpenters_version(tmp_path: Path) -> None:
    deployment = a_controller("public.ecr.aws/karpenter/controller:1.13.0@sha256:abc")

    read = read_files([a_file(tmp_path, "list.json", a_list(deployment))], karpenter_version=Version(1, 0))

    assert read.snapshot.karpenter_version == Version(1, 13, 0)


def test_without_one_the_version_that_is_given_counts(tmp_path: Path) -> None:
    read = read_files(
        [a_file(tmp_path, "list.json", a_list(a_controller("karpenter@sha256:abc")))], karpenter_version=Version(1, 0)
    )

    assert read.snapshot.karpenter_version == Version(1, 0)


def test_the_controller_is_told_what_the_cluster_is_called(tmp_path: Path) -> None:
    read = read_files([a_file(tmp_path, "list.json", a_list(a_controller(CLUSTER_NAME="production")))])

    assert read.snapshot.cluster == "production"


def test_what_others_are_told_counts_for_nothing(tmp_path: Path) -> None:
    other = a_controller(app="grafana", CLUSTER_NAME="production")

    assert read_files([a_file(tmp_path, "list.json", a_list(other))]).snapshot.cluster == ""


def test_of_environment_variables_only_the_controllers_cluster_name_is_kept(tmp_path: Path) -> None:
    controller, other = a_controller(CLUSTER_NAME="production"), a_controller(app="grafana", CLUSTER_NAME="production")

    read = read_files([a_file(tmp_path, "list.json", a_list(controller, other))])

    containers = [container for one in read.snapshot.deployments for container in one.spec.template.spec.containers]
    assert [[(variable.name, variable.value) for variable in container.env] for container in containers] == [
        [("CLUSTER_NAME", "production")],
        [],
    ]


def test_events_that_are_not_wanted_are_not_even_looked_at(tmp_path: Path) -> None:
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "creationTimestamp": "2031-01-01T00:00:00Z"}}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "creationTimestamp": "2026-01-01T00:00:00Z"}}
    mixed, typed = tmp_path / "mixed.json", tmp_path / "typed.json"
    mixed.write_bytes(a_list(event, node))
    typed.write_bytes(a_list(event, kind="EventList"))

    snapshot = read_files([mixed, typed], events=False).snapshot

    assert (snapshot.taken_at, snapshot.errors, snapshot.events) == (datetime(2026, 1, 1, tzinfo=UTC), (), ())
    assert snapshot.covered(Kind.EVENT) == Coverage(Status.NOT_COLLECTED, 0, "--no-events")


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(UnreadableInput, match="file name too long; -f takes a file, a folder or - for standard input"):
        read_files([Path("x" * 300)])
