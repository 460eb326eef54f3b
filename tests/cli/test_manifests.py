"""Manifests on the command line: what is printed, and the exit code."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from karpenter_check.cli import group
from karpenter_check.cli.exits import Exit
from tests.manifests import FOLDER

PLAIN, WRONG = FOLDER / "nodepool" / "plain.yaml", FOLDER / "nodepool" / "policy-when-idle.yaml"


def scanned(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["scan", "--no-config", *arguments])


def document(*arguments: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(scanned("-o", "json", "-q", *arguments).stdout)
    return parsed


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("-f", str(PLAIN)), Exit.CLEAN),
        (("-f", str(PLAIN), "--strict"), Exit.CLEAN),
        (("-f", str(WRONG)), Exit.FINDINGS),
        (("-f", str(WRONG), "--fail-on", "none"), Exit.CLEAN),
        (("-f", str(WRONG), "--ignore", "manifest-invalid"), Exit.CLEAN),
        (("-f", str(FOLDER / "nodepool" / "api-version-alpha.yaml")), Exit.FINDINGS),
        (("-f", str(FOLDER / "nodepool" / "api-version-v1.yaml")), Exit.FINDINGS),
        (("-f", str(FOLDER / "nodepool" / "name-number.yaml")), Exit.FINDINGS),
        (("-f", str(FOLDER / "nodepool" / "nowhere.yaml")), Exit.USAGE),
    ],
)
def test_a_scan_of_manifests_ends_with_what_was_found(arguments: tuple[str, ...], code: Exit) -> None:
    assert scanned(*arguments).exit_code == code


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: karpenter.sh/v1\n\tkind: NodePool\n",
        "apiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {name: {{ .Values.name }}}\n",
        "apiVersion: karpenter.azure.com/v1beta1\nkind: AKSNodeClass\nmetadata: {name: default}\nspec: {}\n",
    ],
    ids=["a tab", "a template", "a node class that nothing here can judge"],
)
def test_strict_is_for_what_more_could_be_seen_of_than_manifests_tell(text: str, tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text(PLAIN.read_text())
    assert scanned("-f", str(tmp_path), "--strict").exit_code == Exit.CLEAN

    (tmp_path / "other.yaml").write_text(text)
    assert scanned("-f", str(tmp_path), "--strict").exit_code == Exit.INCOMPLETE
    assert scanned("-f", str(tmp_path)).exit_code == Exit.CLEAN


@pytest.mark.parametrize(
    ("api_version", "kind", "message"),
    [
        ("karpenter.sh/v1", "Nodepool", 'kind of x is "Nodepool", and "karpenter.sh/v1" has no such kind'),
        ("karpenter.k8s.aws/v1", "Ec2NodeClass", 'kind of x is "Ec2NodeClass", and "karpenter.k8s.aws/v1" has no such kind'),
        ("karpenter.io/v1", "NodePool", 'apiVersion of x is "karpenter.io/v1", and NodePool is of karpenter.sh/v1'),
    ],
)
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside another one"])
def test_a_misspelt_kind_or_group_is_found(api_version: str, kind: str, message: str, beside: bool, tmp_path: Path) -> None:  # noqa: FBT001  a pytest parameter
    if beside:
        (tmp_path / "plain.yaml").write_text(PLAIN.read_text())
    (tmp_path / "x.yaml").write_text(f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: x}}\nspec: {{}}\n")

    assert [finding["message"] for finding in document("-f", str(tmp_path))["findings"]] == [message]


def test_what_merges_another_mapping_and_says_something_else_says_nothing_twice(tmp_path: Path) -> None:
    merged = "      - &arch {key: kubernetes.io/arch, operator: In, values: [amd64]}\n      - <<: *arch\n        key: kubernetes.io/os\n        values: [linux]\n"
    before, requirements, after = PLAIN.read_text().partition("      requirements:\n")
    assert requirements
    (tmp_path / "pool.yaml").write_text(before + requirements + merged + after)

    assert document("-f", str(tmp_path))["findings"] == []


def test_what_is_written_twice_is_told_once(tmp_path: Path) -> None:
    plain = (FOLDER / "ec2nodeclass" / "plain.yaml").read_text()
    (tmp_path / "class.yaml").write_text(plain + "  tags: {a: b}\n" + "  tags: {a: b}\n")

    assert [finding["message"] for finding in document("-f", str(tmp_path))["findings"]] == [
        "spec.tags of default is written twice: kubectl takes the last one, and others refuse the file"
    ]


def test_an_object_of_the_alpha_api_alone_is_found_too(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("apiVersion: karpenter.sh/v1alpha5\nkind: Provisioner\nmetadata: {name: old}\nspec: {}\n")

    assert scanned("-f", str(tmp_path)).exit_code == Exit.FINDINGS


def test_every_finding_has_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "pool.yaml").write_text("---\n" + WRONG.read_text().replace("  limits:\n    cpu: '1000'\n", ""))

    found = {finding["rule"]: finding["location"] for finding in document("-f", str(tmp_path))["findings"]}

    assert found == {
        "manifest-invalid": {"file": str(tmp_path / "pool.yaml"), "line": 20, "column": 5},
        "nodepool-without-limits": {"file": str(tmp_path / "pool.yaml"), "line": 2, "column": 1},
    }


def test_where_a_manifest_stands_changes_no_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "moved.yaml").write_text("# moved\n" + WRONG.read_text())

    before, after = (
        [finding["fingerprint"] for finding in document("-f", str(file))["findings"]] for file in (WRONG, tmp_path / "moved.yaml")
    )

    assert before == after


def test_rules_that_need_a_cluster_are_not_judged() -> None:
    ended = {entry["rule"]: entry["status"] for entry in document("-f", str(PLAIN))["rules"]}

    assert {rule for rule, status in ended.items() if status != "skipped"} == {
        "budget-schedule-invalid",
        "manifest-invalid",
        "nodepool-inflexible",
        "nodepool-overlap",
        "nodepool-requirements-contradictory",
        "nodepool-without-limits",
    }


def test_with_a_time_those_that_look_at_the_clock_are_too() -> None:
    ended = document("-f", str(PLAIN), "--at", "2026-11-22T08:00:00Z")["rules"]

    assert {"budget-leaves-reason-unbounded", "nodepool-min-values-unsatisfiable"} <= {
        entry["rule"] for entry in ended if entry["status"] != "skipped"
    }


def test_a_list_of_a_cluster_has_no_places(tmp_path: Path) -> None:
    nodepool = {"metadata": {"name": "default"}, "spec": {"disruption": {"consolidationPolicy": "WhenIdle"}}}
    listed = {"kind": "NodePoolList", "apiVersion": "karpenter.sh/v1", "items": [nodepool]}
    (tmp_path / "list.json").write_text(json.dumps(listed))

    found = document("-f", str(tmp_path / "list.json"))["findings"]

    assert [(finding["rule"], finding["location"]) for finding in found] == [("nodepool-without-limits", None)]


def test_what_is_no_object_is_named_in_a_note(tmp_path: Path) -> None:
    (tmp_path / "pool.yaml").write_text(PLAIN.read_text())
    (tmp_path / "values.yaml").write_text("replicas: 1\n")

    said = scanned("-f", str(tmp_path)).stderr

    assert (
        f"no objects, so not judged: {tmp_path}/values.yaml (values of a chart); what helm template or kustomize build prints can be"
        in said
    )


def test_text_of_a_manifest_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "pool.yaml").write_text(PLAIN.read_text() + '  "\\e]0;title\\a\\u202e": "\\e[31m"\n')

    printed = scanned("-f", str(tmp_path), "--width", "200").output

    assert not {"\x1b", "\x07", "\u202e"} & set(printed)


def test_what_manifests_do_not_tell_is_one_line_and_what_cannot_be_read_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain.yaml").write_text(PLAIN.read_text())
    (tmp_path / "tab.yaml").write_text("apiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata:\n\tname: x\n")
    monkeypatch.chdir(tmp_path)

    lines = scanned("-f", ".", "--width", "200").stdout.partition("NOT CHECKED\n")[2].splitlines()
    annotations = scanned("-f", ".", "-o", "github").stdout.splitlines()

    assert [line.strip() for line in lines if line.startswith(" ")] == [
        "tab.yaml: has a tab where YAML wants spaces (line 4, column 1)",
        "50 rules: need to know what is in the cluster, and manifests do not tell",
        "2 rules: nothing in the input carries a time, and it judges ages; --at TIME sets one",
    ]
    assert [line.partition("::has")[0].partition("::need")[0].partition("::nothing")[0] for line in annotations[:-1]] == [
        "::warning file=tab.yaml,line=4,col=1,title=not checked%3A tab.yaml",
        "::notice title=not checked%3A 50 rules",
        "::notice title=not checked%3A 2 rules",
    ]


def test_manifests_are_judged_as_of_the_newest_karpenter_where_none_is_named() -> None:
    assert scanned("-f", str(PLAIN)).stdout.splitlines()[0].endswith("Karpenter of unknown version, manifests judged as of 1.14.0")
    assert scanned("-f", str(PLAIN), "--karpenter-version", "1.8.1").stdout.splitlines()[0].endswith("Karpenter 1.8.1")


def test_a_schedule_that_cannot_be_read_is_told_once_and_with_its_line(tmp_path: Path) -> None:
    wrong = (FOLDER / "nodepool" / "budget-schedule-sunday-seven.yaml").read_text()
    alone = (FOLDER / "nodepool" / "budget-schedule-alone.yaml").read_text().replace("name: default", "name: other")
    (tmp_path / "pools.yaml").write_text(f"{wrong}---\n{alone}")

    found = [
        (finding["rule"], finding["object"]["name"], finding["severity"]) for finding in document("-f", str(tmp_path))["findings"]
    ]

    assert found == [
        ("manifest-invalid", "default", "high"),
        ("manifest-invalid", "other", "high"),
        ("nodepool-overlap", "other", "info"),
    ]


def test_what_to_do_is_to_edit_the_file_and_to_look_at_it_again(tmp_path: Path) -> None:
    file = tmp_path / "no limits.yaml"
    file.write_text(PLAIN.read_text().replace("  limits:\n    cpu: '1000'\n", ""))
    (finding,) = document("-f", str(file))["findings"]

    assert finding["rule"] == "nodepool-without-limits"
    assert finding["fix"][0]["text"].startswith(f"edit {file}:1")
    assert finding["fix"][-1] == {"step": "verify", "command": f"karpenter-check scan -f '{file}' --select nodepool-without-limits"}
