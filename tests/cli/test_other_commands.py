"""`rules`, `completion`, help and version."""

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from karpenter_check import __version__
from karpenter_check.cli import group
from karpenter_check.rules import every_rule


def test_rules_list_has_a_line_for_every_rule() -> None:
    result = CliRunner().invoke(group, ["rules", "list"])

    assert [line.split()[:2] for line in result.output.splitlines()] == [[rule.slug, str(rule.severity)] for rule in every_rule()]


@pytest.mark.parametrize("slug", [rule.slug for rule in every_rule()])
def test_rules_explain_shows_the_page(slug: str) -> None:
    result = CliRunner().invoke(group, ["rules", "explain", slug])

    assert result.output.splitlines()[0] == f"# {slug}"


def test_rules_explain_of_a_misspelt_rule_says_what_is_meant() -> None:
    result = CliRunner().invoke(group, ["rules", "explain", "node-ttl"])

    assert (result.exit_code, result.output.splitlines()[-1]) == (2, "Error: no rule 'node-ttl': did you mean node-ttl-death?")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_of_the_shell(shell: str) -> None:
    result = CliRunner().invoke(group, ["completion", shell])

    assert (result.exit_code, "_KARPENTER_CHECK_COMPLETE" in result.output) == (0, True)


def test_completion_completes_rules() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv[0] = 'karpenter-check'; from karpenter_check.cli import main; main()"],
        env={"_KARPENTER_CHECK_COMPLETE": "bash_complete", "COMP_WORDS": "karpenter-check rules explain node-tt", "COMP_CWORD": "3"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.stdout == "plain,node-ttl-death\n"


def test_the_version_is_the_packages() -> None:
    result = CliRunner().invoke(group, ["--version"], prog_name="karpenter-check")

    assert result.output == f"karpenter-check {__version__}\n"


def commands(command: click.Command, *names: str) -> Iterator[list[str]]:
    """The names of every command below this one, and of itself."""
    yield [*names]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below
            yield from commands(below, *names, name)


@pytest.mark.parametrize("command", [*commands(group)], ids=" ".join)
def test_help_waits_for_nothing_heavy(command: list[str]) -> None:
    heavy = {"kubernetes", "msgspec", "prometheus_client", "rich", "urllib3", "yaml"}
    program = (
        "import sys\nfrom karpenter_check.cli import group\n"
        f"group.main({[*command, '--help']!r}, standalone_mode=False)\nsys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert heavy & set(done.stderr.split()) == set()


@pytest.mark.parametrize("command", [*commands(group)], ids=" ".join)
def test_help_fits_80_columns_and_leaves_nothing_out(command: list[str]) -> None:
    result = CliRunner().invoke(group, [*command, "--help"], prog_name="karpenter-check", env={"COLUMNS": "80"})
    usage, *lines = result.output.splitlines()

    assert usage.startswith("Usage: karpenter-check")
    assert [line for line in lines if len(line) > 80 or line.endswith("...")] == []


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        (["--request-timeout", "x"], {"KARPENTER_CHECK_REQUEST_TIMEOUT": "1s"}, "'--request-timeout'"),
        ([], {"KARPENTER_CHECK_REQUEST_TIMEOUT": "x"}, "'KARPENTER_CHECK_REQUEST_TIMEOUT'"),
        ([], {"KARPENTER_CHECK_FAIL_ON": "x"}, "'KARPENTER_CHECK_FAIL_ON'"),
    ],
)
def test_a_wrong_value_is_told_by_the_name_under_which_it_was_given(
    arguments: list[str], environment: dict[str, str], named: str
) -> None:
    result = CliRunner().invoke(group, ["scan", "--demo", *arguments], env=environment)

    assert (result.exit_code, result.stderr.splitlines()[-1].split(":")[1]) == (2, f" Invalid value for {named}")
