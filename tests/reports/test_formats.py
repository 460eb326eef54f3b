"""Each format is what its own schema or parser takes, and all of them say the same."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import xmlschema
import yaml
from click.testing import CliRunner
from markdown_it import MarkdownIt

from karpenter_check.cli import group
from karpenter_check.finding import Finding, Location, Ref, Severity
from karpenter_check.reports import Format, render
from karpenter_check.rules.node_ttl_death import node_ttl_death
from karpenter_check.rules.pdb_blocks_drain import pdb_blocks_drain
from karpenter_check.scan import Outcome, Report, Result, RuleRun
from karpenter_check.snapshot import CollectionError, Coverage, Kind, Status
from karpenter_check.suppression.ignore import Ignore
from tests.build import a_healthy_cluster

SCHEMAS = Path(__file__).parents[1] / "schemas"
SARIF = jsonschema.Draft7Validator(json.loads((SCHEMAS / "sarif-2.1.0.json").read_text()))
JUNIT = xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd"))
RECORDINGS = ["faults", "runaway", "healthy"]
EVERY_RECORDING = pytest.mark.parametrize("recording", RECORDINGS)
POOL = Ref("NodePool", "general", "karpenter.sh/v1")
PDB = Ref("PodDisruptionBudget", "db", "policy/v1", "data")


def a_finding(ref: Ref, severity: Severity, message: str = "is wrong") -> Finding:
    return Finding(object=ref, owner=ref, nodepool="general", cause="c", severity=severity, message=message, why="as it is")


def a_mixed_report() -> Report:
    """Findings, a suppressed one, a rule without its input, one that crashed, and what was not read."""
    ignored = Ignore(rule="pdb-*", reason="the database team drains by hand", source=".karpenter-check.yaml:3")
    healthy = a_healthy_cluster()
    coverage = {**healthy.coverage, Kind.DAEMONSET: Coverage(Status.FORBIDDEN, reason="list is not allowed")}
    snapshot = replace(
        healthy,
        cluster="prod",
        coverage=coverage,
        errors=(CollectionError("dump.json", "spec.x: not a number", "Pod", "shop/web"),),
    )
    low, high = a_finding(POOL, Severity.LOW), a_finding(POOL, Severity.HIGH, "dies")
    return Report(
        snapshot,
        (RuleRun(node_ttl_death, Outcome.FAILED), RuleRun(pdb_blocks_drain, Outcome.SKIPPED, "DaemonSet: forbidden", (Kind.DAEMONSET,))),
        (Result(node_ttl_death, high, "v1:1"), Result(node_ttl_death, low, "v1:2", caused_by=("v1:1",))),
        suppressed=(Result(pdb_blocks_drain, a_finding(PDB, Severity.MEDIUM), "v1:3", ignored=ignored),),
    )  # fmt: skip


def sarif_of(report: Report) -> dict[str, Any]:
    """The one run."""
    (run,) = json.loads(render(report, Format.SARIF, version="1.2.3"))["runs"]
    assert isinstance(run, dict)
    return run


def test_yaml_is_the_json_document(recorded: Callable[[str], Report]) -> None:
    for recording in RECORDINGS:
        report = recorded(recording)
        text = render(report, Format.YAML, version="1.2.3")

        assert yaml.safe_load(text) == json.loads(render(report, Format.JSON, version="1.2.3"))
        assert text.isascii()


@EVERY_RECORDING
def test_sarif_is_valid(recording: str, recorded: Callable[[str], Report]) -> None:
    assert list(SARIF.iter_errors(json.loads(render(recorded(recording), Format.SARIF, version="1.2.3")))) == []


def test_sarif_marks_what_is_suppressed_and_tells_what_was_not_checked() -> None:
    report = a_mixed_report()
    run = sarif_of(report)

    assert list(SARIF.iter_errors(json.loads(render(report, Format.SARIF, version="1.2.3")))) == []
    assert [(found["ruleId"], found["level"], found.get("suppressions")) for found in run["results"]] == [
        ("node-ttl-death", "error", None),
        ("node-ttl-death", "note", None),
        (
            "pdb-blocks-drain",
            "warning",
            [{"kind": "external", "status": "accepted", "justification": "the database team drains by hand"}],
        ),
    ]
    assert run["invocations"] == [
        {
            "executionSuccessful": True,
            "toolExecutionNotifications": [
                {
                    "level": "warning",
                    "message": {"text": "not checked: DaemonSet: forbidden (list is not allowed); so not judged: pdb-blocks-drain"},
                },
                {"level": "warning", "message": {"text": "not checked: Pod shop/web: spec.x: not a number (dump.json)"}},
            ],
        }
    ]


def test_sarif_gives_an_object_without_a_file_a_path_that_stays() -> None:
    (first, _, last) = sarif_of(a_mixed_report())["results"]

    assert [found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for found in (first, last)] == [
        "cluster/nodepool/general.yaml",
        "cluster/data/poddisruptionbudget/db.yaml",
    ]
    assert first["partialFingerprints"] == {"karpenterCheck/v1": "v1:1"}


def test_sarif_makes_no_links_of_a_clusters_text() -> None:
    report = replace(
        a_mixed_report(), results=(Result(node_ttl_death, a_finding(POOL, Severity.LOW, "[click](http://evil) a[1]"), "v1:1"),)
    )

    assert sarif_of(report)["results"][0]["message"]["text"] == "\\[click](http://evil) a[1]; as it is"


@EVERY_RECORDING
def test_junit_is_valid(recording: str, recorded: Callable[[str], Report]) -> None:
    JUNIT.validate(render(recorded(recording), Format.JUNIT, version="1.2.3"))


def test_junit_tells_findings_from_what_was_left_be_and_what_was_not_seen() -> None:
    text = render(a_mixed_report(), Format.JUNIT, version="1.2.3")
    JUNIT.validate(text)
    cases = [
        (case.get("classname"), case.get("name"), [(ended.tag, ended.get("type"), ended.get("message")) for ended in case])
        for case in ET.fromstring(text).iter("testcase")  # noqa: S314  of our own making
    ]

    assert cases == [
        ("karpenter-check.node-ttl-death", "NodePool general in NodePool general", [("failure", "high", "dies")]),
        ("karpenter-check.node-ttl-death", "NodePool general in NodePool general (2)", [("failure", "low", "is wrong")]),
        ("karpenter-check.pdb-blocks-drain", "pdb-blocks-drain", [("skipped", "not-checked", "DaemonSet: forbidden")]),
        (
            "karpenter-check.pdb-blocks-drain",
            "PodDisruptionBudget data/db in NodePool general",
            [("skipped", "suppressed", "suppressed: the database team drains by hand")],
        ),
        ("karpenter-check.collection", "DaemonSet", [("error", "forbidden", "forbidden (list is not allowed)")]),
        ("karpenter-check.collection", "Pod shop/web", [("error", "not-read", "spec.x: not a number")]),
    ]


@pytest.mark.parametrize(
    ("run", "case"),
    [
        (RuleRun(node_ttl_death, Outcome.PASSED), []),
        (RuleRun(node_ttl_death, Outcome.PASSED, "Pod: partial"), ["nothing found in what was seen; Pod: partial"]),
        (RuleRun(node_ttl_death, Outcome.FAILED), ["filters hide what it found"]),
        (RuleRun(node_ttl_death, Outcome.ERROR, "KeyError: 'x'"), ["KeyError: 'x'"]),
    ],
    ids=["passed", "passed, as far as was seen", "hidden", "crashed"],
)
def test_in_junit_only_a_rule_that_saw_everything_and_found_nothing_has_passed(run: RuleRun, case: list[str]) -> None:
    text = render(Report(a_healthy_cluster(), (run,)), Format.JUNIT, version="1.2.3")

    assert [ended.get("message") for found in ET.fromstring(text).iter("testcase") for ended in found] == case  # noqa: S314  of our own making


def test_github_annotates_the_worst_first_and_counts_at_the_end() -> None:
    docs = "https://github.com/karpenter-check/karpenter-check/blob/main/docs/rules"
    left_be = "title=suppressed pdb-blocks-drain%2C PodDisruptionBudget data/db in NodePool general"

    assert render(a_mixed_report(), Format.GITHUB, version="1.2.3").splitlines() == [
        f"::error title=high node-ttl-death%2C NodePool general in NodePool general::dies; as it is; {docs}/node-ttl-death.md",
        f"::notice title=low node-ttl-death%2C NodePool general in NodePool general::is wrong; as it is; {docs}/node-ttl-death.md",
        "::warning title=not checked%3A DaemonSet::forbidden (list is not allowed); so not judged: pdb-blocks-drain",
        "::warning title=not checked%3A Pod shop/web::spec.x: not a number (dump.json)",
        f"::notice {left_be}::suppressed: the database team drains by hand; is wrong; as it is; {docs}/pdb-blocks-drain.md",
        "1 high, 1 low; 1 of 2 rules checked; 1 suppressed; 1 kind not wholly seen; 1 object not read",
    ]


def test_a_step_of_github_actions_gets_the_report_as_its_summary(tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    page.write_text("# before\n")
    result = CliRunner().invoke(
        group, ["scan", "--demo", "-o", "github", "--nodepool", "idle"], env={"GITHUB_STEP_SUMMARY": str(page)}
    )
    text = page.read_text()

    assert result.exit_code == 0
    assert text.startswith("# before\n# karpenter-check ")
    assert "node-reaping-nominated" in text


def test_a_summary_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    result = CliRunner().invoke(group, ["scan", "--demo", "-o", "github"], env={"GITHUB_STEP_SUMMARY": str(tmp_path)})

    assert result.exit_code == 0
    assert f"warning: the step summary {tmp_path} cannot be written: Is a directory" in result.stderr


def test_markdown_has_a_row_for_each_finding(recorded: Callable[[str], Report]) -> None:
    report = recorded("faults")
    tokens = MarkdownIt("commonmark").enable("table").parse(render(report, Format.MARKDOWN, version="1.2.3"))
    rows = sum(token.type == "tr_open" for token in tokens) - 1

    assert rows == len(report.results)


@pytest.mark.parametrize("limit", [60_000, 20_000, 3_000, 500])
def test_markdown_fits_where_it_must_and_says_what_it_left_out(limit: int, recorded: Callable[[str], Report]) -> None:
    from karpenter_check.reports.markdown import render_markdown  # noqa: PLC0415  the command line alone sets a limit

    report = recorded("faults")
    whole, text = (render_markdown(report, "1.2.3", limit=most) for most in (None, limit))

    assert len(text.encode()) <= limit
    assert text == whole or f"of {len(report.results)} findings" in text or limit == 500


def test_the_summary_is_three_lines_for_any_report(recorded: Callable[[str], Report]) -> None:
    assert [render(recorded(recording), Format.SUMMARY, version="1").count("\n") for recording in RECORDINGS] == [3, 3, 3]
    assert render(a_mixed_report(), Format.SUMMARY, version="1.2.3").splitlines() == [
        "karpenter-check prod at 2026-11-21 12:00Z: 1 high, 1 low; 1 of 2 rules checked; 1 suppressed; 1 kind not wholly seen; 1 object not read",
        "Worst: high node-ttl-death, NodePool general: dies",
        "Not checked: DaemonSet, Pod shop/web",
    ]


def test_one_run_writes_reports_that_agree_finding_by_finding(tmp_path: Path) -> None:
    names = {form: tmp_path / f"report.{form}" for form in ("json", "yaml", "sarif", "junit", "html", "markdown")}
    ignores = tmp_path / "ignores.yaml"
    ignores.write_text("ignore: [{rule: nodepool-without-limits, reason: they have none on purpose}]\n")
    outputs = [word for form, file in names.items() for word in ("-o", f"{form}={file}")]
    result = CliRunner().invoke(group, ["scan", "--demo", "--config", str(ignores), *outputs])
    assert (result.exit_code, result.stdout) == (0, "")
    texts = {form: file.read_text(encoding="utf-8") for form, file in names.items()}

    findings = json.loads(texts["json"])["findings"]
    expected = [(finding["rule"], finding["fingerprint"], finding["suppressed"] is not None) for finding in findings]
    (run,) = json.loads(texts["sarif"])["runs"]
    rows = ET.fromstring(_body(texts["html"])).findall(".//tbody/tr")  # noqa: S314  of our own making
    cases = [
        (case.get("classname", "").removeprefix("karpenter-check."), ended.text.rpartition(" ")[2], ended.tag == "skipped")
        for case in ET.fromstring(texts["junit"]).iter("testcase")  # noqa: S314  of our own making
        for ended in case
        if ended.text and "fingerprint: " in ended.text
    ]
    shown = [line.split("|")[1:3] for line in texts["markdown"].splitlines() if line.startswith("| ") and "](http" in line]

    assert any(suppressed for *_, suppressed in expected)
    assert yaml.safe_load(texts["yaml"])["findings"] == findings
    assert [
        (found["ruleId"], found["partialFingerprints"]["karpenterCheck/v1"], "suppressions" in found) for found in run["results"]
    ] == expected
    assert [
        ("".join(row[1].itertext()), row.get("data-fingerprint"), row.get("data-severity") == "suppressed") for row in rows
    ] == expected
    assert sorted(cases) == sorted(expected)
    assert [(rule.partition("]")[0].strip(" ["), severity.strip() == "suppressed") for severity, rule in shown] == [
        (rule, suppressed) for rule, _, suppressed in expected
    ]


def _body(page: str) -> str:
    """The part of an HTML page that is XML, too."""
    return page[page.index("<table>") : page.index("</table>") + len("</table>")]


def in_a_file(file: str) -> Report:
    found = Result(node_ttl_death, a_finding(POOL, Severity.HIGH), "v1:1", location=Location(file, 12, 5))
    return Report(a_healthy_cluster(), (RuleRun(node_ttl_death, Outcome.FAILED),), (found,))


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("deploy/node pools.yaml", "deploy/node%20pools.yaml"),
        ("/srv/a.yaml", "file:///srv/a.yaml"),
        ("standard input", "cluster/nodepool/general.yaml"),
    ],
)
def test_sarif_points_into_the_file(file: str, uri: str) -> None:
    (found,) = sarif_of(in_a_file(file))["results"]

    assert found["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": uri},
        "region": {"startLine": 1} if uri.startswith("cluster") else {"startLine": 12, "startColumn": 5},
    }


def test_github_points_into_the_file() -> None:
    first = render(in_a_file("deploy/a,b.yaml"), Format.GITHUB, version="1").partition(" title=")[0]

    assert first.partition(",title=")[0] == "::error file=deploy/a%2Cb.yaml,line=12,col=5"


@pytest.mark.parametrize("form", [Format.TABLE, Format.MARKDOWN, Format.HTML, Format.JUNIT, Format.SUMMARY])
def test_people_are_told_where_it_stands(form: Format) -> None:
    assert "deploy/a.yaml:12: is wrong" in render(in_a_file("deploy/a.yaml"), form, version="1")
