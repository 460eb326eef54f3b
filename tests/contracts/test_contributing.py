"""docs/contributing.md, followed word for word, adds a rule."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
NEEDED = (
    "karpenter_check",
    "tests",
    "docs",
    "README.md",
    "LICENSE",
    "setup.cfg",
    "tox.ini",
    "cronjob.yaml",
    "deployment.yaml",
    "mixin",
    "Dockerfile",
    "action.yml",
    ".pre-commit-hooks.yaml",
)


def blocks() -> list[str]:
    """The code blocks of the section on adding a rule: the rule, its tests, its page, its line in the index."""
    section = (ROOT / "docs" / "contributing.md").read_text().partition("\n## Adding a rule\n")[2].partition("\n## ")[0]
    found = re.findall(r"^   ```(?:python|markdown)\n(.*?)^   ```", section, re.MULTILINE | re.DOTALL)
    return [dedent(block) for block in found]


def test_following_it_adds_a_rule(tmp_path: Path) -> None:
    rule, tests, page, line = blocks()
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    (tmp_path / "karpenter_check" / "rules" / "node_too_young.py").write_text(rule)
    (tmp_path / "tests" / "rules" / "test_node_too_young.py").write_text(tests)
    (tmp_path / "docs" / "rules" / "node-too-young.md").write_text(page)
    index = tmp_path / "docs" / "rules" / "index.md"
    rows = index.read_text().replace("| [node-ttl-death]", f"{line}| [node-ttl-death]")
    index.write_text(rows.replace("| Karpenter itself | ", "| Karpenter itself | [node-too-young](node-too-young.md), "))
    testing = tmp_path / "docs" / "testing.md"
    reason = "| rules | because |\n|---|---|\n"
    testing.write_text(testing.read_text().replace(reason, f"{reason}| `node-too-young` | it is a toy |\n"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )  # fmt: skip

    assert [run(step).returncode for step in ("tests.make_picture", "tests.make_schema")] == [0, 0]
    listed = run("karpenter_check", "rules", "list").stdout
    tested = run(
        "pytest", "-q", "-p", "no:cacheprovider", "tests/rules/test_node_too_young.py", "tests/contracts",
        "--ignore", "tests/contracts/test_contributing.py",
    )  # fmt: skip

    assert ["node-too-young", "info", "A NodePool's nodes were born a moment ago."] in [
        line.split(maxsplit=2) for line in listed.splitlines()
    ]
    assert tested.returncode == 0, tested.stdout[-3000:]
