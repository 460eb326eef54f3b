"""`karpenter-check scan` with a configuration."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from karpenter_check.cli import group

KNOWN = """
rules:
  node-expiry-herd: {severity: info}
ignore:
  - rule: pod-fits-no-nodepool
    namespace: shop
    name: ty*
    reason: a typo that we keep
    until: 2026-12-31
  - rule: nodepool-overlap
    reason: over
    until: 2026-01-01
  - rule: nodepool-overlap
    name: nobody
    reason: gone
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def scan(*arguments: str, width: int = 200) -> Result:
    return CliRunner().invoke(group, ["scan", "--demo", *arguments], env={"COLUMNS": str(width)})


def configured(text: str = KNOWN, name: str = ".karpenter-check.yaml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


def section(output: str, heading: str) -> list[str]:
    """The lines below a heading."""
    lines = output.splitlines()
    start = lines.index(heading) + 1 if heading in lines else len(lines)
    return [line.strip() for line in lines[start : lines.index("", start)]] if start < len(lines) else []


def test_the_file_in_the_working_directory_is_taken_and_named() -> None:
    configured()
    result = scan()

    assert result.stderr == "karpenter-check: note: configured by .karpenter-check.yaml\n"
    assert result.stdout.splitlines()[-1].endswith("; 1 suppressed")
    assert "Deployment shop/typo" not in result.stdout


def test_what_is_left_be_is_shown_where_asked_for() -> None:
    configured()
    (line,) = section(scan("--show-suppressed", "--width", "1000").stdout, "SUPPRESSED")

    assert line.startswith("high pod-fits-no-nodepool, Deployment shop/typo: ")
    assert line.endswith("; left be until 2027-01-01 00:00Z: a typo that we keep (.karpenter-check.yaml, ignore[0])")


def test_ignores_that_are_of_no_use_are_told() -> None:
    configured()

    assert section(scan("--width", "1000").stdout, "IGNORES") == [
        ".karpenter-check.yaml, ignore[1] (nodepool-overlap: over): expired at 2026-01-02 00:00Z",
        ".karpenter-check.yaml, ignore[2] (nodepool-overlap: gone): matches no finding; take it away",
    ]


def test_a_severity_is_that_of_every_finding() -> None:
    configured()
    findings = json.loads(scan("-o", "json").stdout)["findings"]

    assert {finding["severity"] for finding in findings if finding["rule"] == "node-expiry-herd"} == {"info"}


def test_json_has_what_is_left_be_and_why() -> None:
    configured()
    document = json.loads(scan("-o", "json").stdout)

    assert [(finding["object"]["name"], finding["suppressed"]) for finding in document["findings"] if finding["suppressed"]] == [
        (
            "typo",
            {"reason": "a typo that we keep", "until": "2027-01-01T00:00:00Z", "source": ".karpenter-check.yaml, ignore[0]"},
        )
    ]
    assert [(entry["matched"], entry["complaint"]) for entry in document["ignores"]] == [
        (1, ""),
        (0, "expired at 2026-01-02 00:00Z"),
        (0, "matches no finding; take it away"),
    ]


def test_lines_count_what_is_left_be_apart() -> None:
    configured()
    lines = [json.loads(line) for line in scan("-o", "jsonl").stdout.splitlines()]
    told = [line for line in lines[:-1] if line["suppressed"] is None]

    assert (lines[-1]["findings"], lines[-1]["suppressed"], len(lines) - 1) == (len(told), 1, len(told) + 1)


def test_metrics_count_what_is_left_be_apart() -> None:
    configured()
    text = scan("-o", "prometheus").stdout

    assert 'karpenter_check_findings_suppressed{rule="pod-fits-no-nodepool"} 1.0' in text.splitlines()
    assert 'karpenter_check_findings_suppressed{rule="node-expiry-herd"} 0.0' in text.splitlines()


def test_what_is_left_be_does_not_fail_a_scan() -> None:
    everything = 'ignore: [{rule: "*", reason: all is known}]'
    configured(everything)

    assert scan("--fail-on", "info").exit_code == 0
    assert scan("--fail-on", "info", "--no-ignores").exit_code == 10
    assert scan("--fail-on", "info", "--no-config").exit_code == 10


def test_settings_reach_their_rules() -> None:
    settings = "rules: {node-expiry-herd: {settings: {warn_within: 0s, fail_within: 0s}}}"
    herds = [json.loads(scan("-o", "json", *arguments).stdout)["findings"] for arguments in ((), ("--config", str(configured(settings, "mine.yaml"))))]  # fmt: skip

    assert [sum(finding["rule"] == "node-expiry-herd" for finding in findings) > 0 for findings in herds] == [True, False]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}\n"])
def test_an_empty_file_changes_nothing(text: str) -> None:
    configured(text)

    assert scan("-o", "json").stdout == scan("-o", "json", "--no-config").stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ignore: [{rule: nodepool-overlap}]", "mine.yaml: ignore[0]: the key 'reason' is missing"),
        ("rules: {a: 1}\n---\n{}\n", "mine.yaml: holds 2 documents; one is expected"),
        ("rules: [", "mine.yaml: is neither JSON nor YAML: "),
        (
            "ignore:\n  - rule: nodepool-overlap\n    reason: x\n    name: a\n    name: b\n",
            "mine.yaml: the key 'name' is there twice, in line 4 and in line 5",
        ),
        ("rules: {}\nignore: []\nrules: {}\n", "mine.yaml: the key 'rules' is there twice, in line 1 and in line 3"),
        ("rules: {node-expiry-hurd: {}}", "mine.yaml: rules: there is no rule 'node-expiry-hurd'; did you mean node-expiry-herd?"),
    ],
)
def test_a_file_that_is_wrong_is_refused_before_anything_is_read(text: str, said: str) -> None:
    result = scan("--config", str(configured(text, "mine.yaml")))

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_key_is_not_there_twice_in_json_either() -> None:
    result = scan("--config", str(configured('{"ignore": [], "ignore": []}', "mine.json")))

    assert (result.exit_code, "mine.json: the key 'ignore' is there twice" in result.stderr) == (2, True)


def test_what_is_written_once_and_said_twice_by_an_alias_is_fine() -> None:
    configured('ignore: [&one {rule: "pdb-*", reason: x}, {<<: *one, namespace: shop}, *one]\n')

    assert scan().exit_code == 0


def test_a_folder_or_a_link_to_nowhere_in_the_place_of_the_file_is_refused() -> None:
    path = Path(".karpenter-check.yaml")
    path.mkdir()
    folder = scan()
    path.rmdir()
    path.symlink_to("nowhere")
    link = scan()

    assert [(result.exit_code, result.stderr.splitlines()[-1]) for result in (folder, link)] == [
        (2, "Error: .karpenter-check.yaml: is a directory"),
        (2, "Error: .karpenter-check.yaml: no such file or directory"),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--config", "none.yaml"), "File 'none.yaml' does not exist"),
        (("--config", ".", "--no-config"), "is a directory"),
        (("--no-ignores", "--honor-annotations"), "--no-ignores and --honor-annotations exclude each other"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: tuple[str, ...], said: str) -> None:
    result = scan(*arguments)

    assert (result.exit_code, said in result.stderr) == (2, True)


def test_annotations_count_where_they_are_honoured() -> None:
    annotations = {"karpenter-check/ignore": "nodepool-requirements-contradictory", "karpenter-check/ignore-reason": "switched off"}
    architectures = [{"key": "kubernetes.io/arch", "operator": "In", "values": [value]} for value in ("amd64", "arm64")]
    nodepool = {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "off", "annotations": annotations},
        "spec": {"template": {"spec": {"requirements": architectures}}},
    }
    Path("nodepool.json").write_text(json.dumps({"apiVersion": "karpenter.sh/v1", "kind": "NodePoolList", "items": [nodepool]}))
    arguments = ["scan", "-f", "nodepool.json", "--select", "nodepool-requirements-contradictory", "-o", "json"]

    def suppressed(*more: str) -> list[str | None]:
        findings = json.loads(CliRunner().invoke(group, [*arguments, *more]).stdout)["findings"]
        return [finding["suppressed"] and finding["suppressed"]["reason"] for finding in findings]

    assert (suppressed(), suppressed("--honor-annotations")) == ([None], ["switched off"])


def test_what_is_typed_comes_before_the_environment() -> None:
    environment = {
        "COLUMNS": "200",
        "KARPENTER_CHECK_CONFIG": str(configured(name="mine.yaml")),
        "KARPENTER_CHECK_HONOR_ANNOTATIONS": "true",
    }

    def suppressed(*options: str) -> tuple[int, bool]:
        result = CliRunner().invoke(group, ["scan", "--demo", *options], env=environment)
        return result.exit_code, result.stdout.splitlines()[-1].endswith("; 1 suppressed")

    assert [suppressed(), suppressed("--no-config"), suppressed("--no-ignores")] == [(0, True), (0, False), (0, False)]
