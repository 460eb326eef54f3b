"""What pipelines take from this repository is what it should be: the action, the hook, and the examples of docs/ci.md."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
EXAMPLES = dict(re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", (ROOT / "docs" / "ci.md").read_text(), re.MULTILINE | re.DOTALL))
SCHEMAS = {
    ".github/workflows/karpenter-manifests.yaml": "vendor.github-workflows",
    ".github/workflows/karpenter-nightly.yaml": "vendor.github-workflows",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
}


def judged(schema: str, file: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_action_is_valid_by_githubs_schema() -> None:
    said = judged("vendor.github-actions", ROOT / "action.yml")

    assert said.returncode == 0, said.stdout


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_example_is_valid_by_its_own_schema(name: str, tmp_path: Path) -> None:
    file = tmp_path / Path(name).name
    file.write_text(EXAMPLES[name])
    said = judged(SCHEMAS[name], file)

    assert said.returncode == 0, said.stdout


def test_the_examples_are_of_all_that_there_is() -> None:
    assert set(EXAMPLES) == {*SCHEMAS, ".pre-commit-config.yaml"}
    steps = [
        step["with"]
        for name in SCHEMAS
        for job in yaml.safe_load(EXAMPLES[name]).get("jobs", {}).values()
        for step in job["steps"]
        if step.get("uses", "").startswith("karpenter-check/karpenter-check@")
    ]

    assert len(steps) == 2
    assert all(set(step) <= set(ACTION["inputs"]) for step in steps)


def test_the_hook_is_valid_and_the_example_uses_it(tmp_path: Path) -> None:
    config = tmp_path / ".pre-commit-config.yaml"
    config.write_text(EXAMPLES[".pre-commit-config.yaml"])
    for what, file in (("validate-manifest", ROOT / ".pre-commit-hooks.yaml"), ("validate-config", config)):
        said = subprocess.run([sys.executable, "-m", "pre_commit", what, str(file)], capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stdout

    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (repo,) = yaml.safe_load(EXAMPLES[".pre-commit-config.yaml"])["repos"]
    assert [used["id"] for used in repo["hooks"]] == [hook["id"]]


def run_of_the_action(folder: Path, **inputs: str) -> tuple[int, str, str, str]:
    """Its step "Scan" as a runner runs it: how it ended, its log, its output, and its page."""
    (scan,) = [step for step in ACTION["runs"]["steps"] if step.get("id") == "scan"]
    given: dict[str, Any] = {name: entry.get("default", "") for name, entry in ACTION["inputs"].items()} | inputs
    variables = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: str(given[found[1]]), value)
        for name, value in scan["env"].items()
    }
    installed = folder / "karpenter-check" / "bin"
    installed.mkdir(parents=True, exist_ok=True)
    program = installed / "karpenter-check"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m karpenter_check "$@"\n')
    program.chmod(0o755)
    output, page = folder / "output", folder / "page"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("KARPENTER_CHECK_")},
        **variables,
        "RUNNER_TEMP": str(folder), "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(page), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", scan["run"]]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    return ended.returncode, ended.stdout, output.read_text(), page.read_text() if page.exists() else ""


def test_the_action_annotates_fails_and_writes_what_it_was_asked_for(tmp_path: Path) -> None:
    demo = ROOT / "karpenter_check" / "demo"
    code, log, output, page = run_of_the_action(
        tmp_path, files=f"{next(demo.glob('*.json.gz'))}\n", sarif="found files.sarif", args="--nodepool\nidle\n"
    )

    assert (code, output) == (10, "exit-code=10\n")
    assert log.startswith("::error title=high node-reaping-nominated")
    assert page.startswith("# karpenter-check ")
    assert (tmp_path / "found files.sarif").is_file()


def test_inputs_of_the_action_are_words_and_never_commands(tmp_path: Path) -> None:
    code, _, _, _ = run_of_the_action(tmp_path, files="$(touch ran); touch ran; `touch ran`", args='"; touch ran; "')

    assert code == 2
    assert not (tmp_path / "ran").exists()
