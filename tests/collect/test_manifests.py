"""Manifests in files and folders: what is kept of them, where they stand, and what is no object."""

import gzip
from codecs import BOM_UTF8, BOM_UTF16_LE
from pathlib import Path

import pytest

from karpenter_check.collect.files import FileInput, read_files
from karpenter_check.collect.manifests import is_karpenters
from karpenter_check.collect.refusal import UnreadableInput
from karpenter_check.collect.set_aside import made_into_objects
from karpenter_check.snapshot import Coverage, Kind, Ref, Status
from karpenter_check.snapshot.manifest import Location
from tests.manifests import FOLDER

PLAIN = (FOLDER / "nodepool" / "plain.yaml").read_text()
TEMPLATE = PLAIN.replace("name: default\nspec", 'name: "{{ .Values.name }}"\nspec')
DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {}\n"
PATCH = "apiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {name: default}\nspec: {weight: 5}\n"


def a_folder(folder: Path, **files: str) -> FileInput:
    """What is read of a folder with these files; their ending is `.yaml`."""
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(content)
    return read_files([folder])


def test_every_object_knows_its_file_and_line(tmp_path: Path) -> None:
    snapshot = a_folder(tmp_path, all=f"# pools\n{PLAIN}---\n{DEPLOYMENT}").snapshot
    file = str(tmp_path / "all.yaml")

    assert snapshot.location_of(Ref("NodePool", "default", "karpenter.sh/v1")) == Location(file, 2)
    assert snapshot.location_of(Ref("Deployment", "web", "apps/v1", "shop")) == Location(file, PLAIN.count("\n") + 3)
    assert snapshot.location_of(Ref("Deployment", "other", "apps/v1", "shop")) is None


def test_of_karpenters_objects_the_whole_manifest_is_kept_and_of_others_nothing(tmp_path: Path) -> None:
    private = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n"

    snapshot = a_folder(tmp_path, pool=PLAIN, web=DEPLOYMENT, secret=private).snapshot

    assert [manifest.ref for manifest in snapshot.manifests] == [Ref("NodePool", "default", "karpenter.sh/v1")]
    assert list(snapshot.schemas) == [("karpenter.sh/v1", "NodePool")]
    assert "hunter2" not in repr(snapshot)


def test_what_is_listed_is_of_a_cluster_and_no_manifest(tmp_path: Path) -> None:
    items = "".join(f"  {line}\n" for line in PLAIN.splitlines())

    snapshot = a_folder(tmp_path, list=f"apiVersion: v1\nkind: List\nitems:\n- {items.lstrip()}").snapshot

    assert (snapshot.manifests, snapshot.locations, len(snapshot.nodepools)) == ((), {}, 1)


@pytest.mark.parametrize(
    ("kind", "api_version", "karpenters"),
    [
        ("NodePool", "karpenter.sh/v1", True),
        ("NodePool", "karpenter.sh/v7", True),
        ("NodePool", "v1", True),
        ("NodePool", "container.cnrm.cloud.google.com/v1beta1", False),
        ("NodePool", "hypershift.openshift.io/v1beta1", False),
        ("AKSNodeClass", "karpenter.azure.com/v1beta1", True),
        ("Provisioner", "karpenter.sh/v1alpha5", True),
        ("Pod", "v1", False),
    ],
)
def test_karpenters_kinds_are_told_from_others_of_the_same_name(kind: str, api_version: str, karpenters: bool) -> None:  # noqa: FBT001  a row of the table
    assert is_karpenters(kind, api_version) is karpenters


def test_a_manifest_that_no_type_fits_is_kept_all_the_same(tmp_path: Path) -> None:
    read = a_folder(tmp_path, pool=PLAIN.replace("expireAfter: 720h", "taints: abc"))

    assert [manifest.ref.name for manifest in read.snapshot.manifests] == ["default"]
    assert read.snapshot.coverage[Kind.NODEPOOL] == Coverage(Status.PARTIAL, 0, "1 could not be read; manifests")
    assert not read.snapshot.coverage[Kind.NODEPOOL].sufficient


def test_a_template_is_named_and_costs_nothing_else(tmp_path: Path) -> None:
    snapshot = a_folder(tmp_path, good=PLAIN, template=TEMPLATE, raw="{{- if .Values.on }}\nkind: Pod\n{{- end }}\n").snapshot

    assert [nodepool.name for nodepool in snapshot.nodepools] == ["default"]
    assert [str(error).removeprefix(f"{tmp_path}/") for error in snapshot.errors] == [
        "raw.yaml: looks like a template that was not rendered (line 1, column 3): render it first (helm template …) and scan the result",
        "template.yaml: line 1: NodePool was not rendered ({{ .Values.name }}): render it first (helm template …) and scan the result",
    ]


def test_braces_in_user_data_and_annotations_are_somebody_elses(tmp_path: Path) -> None:
    nodeclass = (
        (FOLDER / "ec2nodeclass" / "plain.yaml")
        .read_text()
        .replace("  name: default", "  name: default\n  annotations: {a: '{{ x }}'}")
    )

    snapshot = a_folder(tmp_path, nodeclass=f"{nodeclass}  userData: 'echo {{{{ ds.x }}}}'\n").snapshot

    assert (len(snapshot.manifests), snapshot.errors) == (1, ())


def test_what_objects_are_made_of_is_set_aside(tmp_path: Path) -> None:
    kustomization = "resources: [pool.yaml]\npatches:\n- path: patch.yaml\n- patch: '[]'\n"

    read = a_folder(tmp_path, pool=PLAIN, patch=PATCH, kustomization=kustomization, Chart="name: x\n", values="replicas: 1\n")

    assert [entry.removeprefix(f"{tmp_path}/") for entry in read.set_aside] == [
        "Chart.yaml (about a chart)",
        "kustomization.yaml (a kustomization)",
        "patch.yaml (a patch)",
        "values.yaml (values of a chart)",
    ]
    assert ([nodepool.name for nodepool in read.snapshot.nodepools], read.snapshot.errors) == (["default"], ())


def test_patches_are_found_in_other_folders_too(tmp_path: Path) -> None:
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "kustomization.yaml").write_text("patches:\n- path: ../patch.yaml\n- path: nowhere.yaml\n")

    files = [tmp_path / "overlay" / "kustomization.yaml", tmp_path / "patch.yaml", tmp_path / "pool.yaml"]

    assert made_into_objects(files) == {files[0]: "a kustomization", files[1]: "a patch"}


def test_values_with_objects_are_read(tmp_path: Path) -> None:
    read = a_folder(tmp_path, **{"my-values": PLAIN})

    assert (read.set_aside, len(read.snapshot.manifests)) == ((), 1)


def test_a_folder_of_nothing_but_such_files_says_what_to_scan(tmp_path: Path) -> None:
    with pytest.raises(
        UnreadableInput, match=r"values.yaml \(values of a chart\) is no object: scan what helm template or kustomize build prints"
    ):
        a_folder(tmp_path, values="replicas: 1\n")


def test_what_no_schema_is_there_for_is_said_to_be_unjudged(tmp_path: Path) -> None:
    aks = "apiVersion: karpenter.azure.com/v1beta1\nkind: AKSNodeClass\nmetadata: {name: default}\n"

    assert a_folder(tmp_path, aks=aks).snapshot.coverage[Kind.NODECLASS] == Coverage(
        Status.PARTIAL, 1, "no schema of AKSNodeClass karpenter.azure.com/v1beta1 here, so their fields are not judged; manifests"
    )


@pytest.mark.parametrize(
    "content",
    [PLAIN.encode(), BOM_UTF8 + PLAIN.encode(), BOM_UTF16_LE + PLAIN.encode("utf-16-le"), PLAIN.replace("\n", "\r\n").encode(), gzip.compress(PLAIN.encode())],
    ids=["UTF-8", "byte order mark", "UTF-16", "Windows' line ends", "gzip"],
)  # fmt: skip
def test_a_manifest_is_read_however_it_was_saved(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pool.yaml").write_bytes(content)

    (manifest,) = read_files([tmp_path / "pool.yaml"]).snapshot.manifests

    assert (manifest.ref.name, manifest.at(("spec", "limits", "cpu"))) == (
        "default",
        Location(str(tmp_path / "pool.yaml"), PLAIN.count("\n"), 5),
    )


def test_half_a_text_in_utf_16_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "pool.yaml").write_bytes(BOM_UTF16_LE + b"a")

    with pytest.raises(UnreadableInput, match="begins as UTF-16, and is none"):
        read_files([tmp_path / "pool.yaml"])
