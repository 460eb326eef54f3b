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
        (("-f", str(PLAIN), "--strict"), Exit.INCOMPLETE),
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
