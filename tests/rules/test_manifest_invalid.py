"""Manifests that would be refused, or taken and not do what they say."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from karpenter_check.collect.files import read_files
from karpenter_check.finding import Finding, Fix, Location, Severity
from karpenter_check.rules.manifest_invalid import manifest_invalid
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import Version
from tests.build import a_healthy_cluster
from tests.manifests import FOLDER, manifests, name, verdicts

REFUSED = ("refused:", "unknown-field:", "not-served")
VECTORS = Path(__file__).parent.parent / "vectors" / "validate.jsonl.gz"
GROUPS = {"aws": ("karpenter.k8s.aws", "EC2NodeClass"), "kwok": ("karpenter.kwok.sh", "KWOKNodeClass")}
ALPHA = """
apiVersion: karpenter.sh/v1alpha5
kind: Provisioner
metadata: {name: default}
spec:
  ttlSecondsUntilExpired: 2592000
  providerRef: {name: default}
"""
BETA = """
apiVersion: karpenter.sh/v1beta1
kind: NodePool
metadata: {name: default}
spec:
  disruption: {consolidationPolicy: WhenUnderutilized, expireAfter: 720h}
  template:
    spec:
      nodeClassRef: {apiVersion: karpenter.k8s.aws/v1beta1, kind: EC2NodeClass, name: default}
      requirements: []
"""


def found_in(manifest: Path, version: Version | None = None) -> list[Finding]:
    snapshot = read_files([manifest], karpenter_version=version).snapshot
    (run,) = scan(snapshot, [manifest_invalid]).runs
    assert run.outcome in {Outcome.PASSED, Outcome.FAILED}, run.reason
    return list(manifest_invalid(snapshot))


def found_of(folder: Path, text: str, version: Version | None = None) -> list[Finding]:
    (folder / "pool.yaml").write_text(text)
    return found_in(folder / "pool.yaml", version)


def plain() -> str:
    return (FOLDER / "nodepool" / "plain.yaml").read_text()


def is_taken(manifest: str) -> bool:
    """Whether a manifest would get past the API server, by what the rule says of it."""
    version = Version(1, 0) if manifest.partition("/")[0].endswith("-v1beta1") else None
    return not any(finding.cause.startswith(REFUSED) for finding in found_in(FOLDER / f"{manifest}.yaml", version))


def test_manifests_are_refused_where_a_real_api_server_refuses_them() -> None:
    recorded = {key: verdict.accepted for key, verdict in verdicts().items()}

    assert {name(manifest): is_taken(name(manifest)) for manifest in manifests()} == recorded
    assert (sum(recorded.values()) > 60, len(recorded) > 240) == (True, True)


def vectors() -> Iterator[tuple[str, dict[str, Any], bool]]:
    """NodePools that Karpenter's own code was asked about, each with the node class of the provider whose labels it knew."""
    for line in gzip.decompress(VECTORS.read_bytes()).splitlines():
        asked = json.loads(line)
        nodepool = asked["nodePool"]
        nodepool["spec"]["template"]["spec"]["nodeClassRef"] |= zip(("group", "kind"), GROUPS[asked["provider"]], strict=True)
        yield asked["id"], nodepool, asked["expect"]["valid"]


def test_what_karpenter_refuses_is_found_and_of_what_it_takes_nothing_is_said_to_be_refused_by_it(tmp_path: Path) -> None:
    missed, wrong = [], []
    for case, nodepool, valid in vectors():
        causes = {finding.cause.partition(":")[0] for finding in found_of(tmp_path, json.dumps(nodepool), Version(1, 13))}
        if not valid and not causes & {"refused", "refused-by-karpenter"}:
            missed.append(case)
        if valid and "refused-by-karpenter" in causes:
            wrong.append(case)

    assert (missed, wrong) == ([], [])


def test_a_usual_manifest_is_fine() -> None:
    assert [
        finding for kind in ("nodepool", "nodeclaim", "ec2nodeclass") for finding in found_in(FOLDER / kind / "plain.yaml")
    ] == []


@pytest.mark.parametrize(
    ("manifest", "severity", "message", "advice"),
    [
        ("nodepool/policy-when-idle", "high", 'spec.disruption.consolidationPolicy of default is "WhenIdle", and may be Balanced, WhenEmpty or WhenEmptyOrUnderutilized', ""),
        ("nodepool/expire-after-under-disruption", "high", "spec.disruption.expireAfter of default is no field of karpenter.sh/v1: it is spec.template.spec.expireAfter in v1, and forceful there: nodes go at that age whatever budgets say", ""),
        ("nodepool/expire-after-days", "high", 'spec.template.spec.expireAfter of default is "30d", and must be whole numbers with s, m or h, such as 720h or 1h30m, or Never', "write 720h: there are no days in it"),
        ("nodepool/consolidate-after-number", "high", "spec.disruption.consolidateAfter of default is 30, a whole number, and takes a text", "it needs a unit: 30s, 30m or 30h"),
        ("nodepool/budget-schedule-alone", "high", "spec.disruption.budgets[0] of default breaks the rule: 'schedule' must be set with 'duration'", "a schedule without a duration has no end: write both, or neither"),
        ("nodepool/requirement-gt-two-values", "high", "spec.template.spec.requirements[1] of default breaks the rule: requirements operator 'Gt', 'Lt', 'Gte', or 'Lte' must have a single positive integer value", ""),
        ("nodepool/requirement-key-restricted", "high", 'spec.template.spec.requirements[1].key of default is "karpenter.sh/custom", which breaks the rule: label domain "karpenter.sh" is restricted', ""),
        ("nodepool/misspelt-field", "high", "spec.template.spec.expiresAfter of default is no field of karpenter.sh/v1: is expireAfter meant?", ""),
        ("nodepool/api-version-alpha", "high", 'apiVersion of default is "karpenter.sh/v1alpha5", and NodePool is of karpenter.sh/v1', "write karpenter.sh/v1"),
        ("nodepool/taint-twice", "high", "spec.template.spec.startupTaints[0] of default is refused: a:NoSchedule is there twice, among taints and startupTaints", ""),
        ("nodepool/expire-after-overflow", "high", 'spec.template.spec.expireAfter of default is "9999999999h", which is no duration that Karpenter can read', ""),
        ("nodepool/class-ref-other-kind", "high", 'spec.template.spec.nodeClassRef.kind of default is "NodeClass", and the kind of karpenter.k8s.aws is EC2NodeClass: Karpenter looks at no object that names another one', "write EC2NodeClass"),
        ("nodepool/budget-schedule-sunday-seven", "high", 'spec.disruption.budgets[0].schedule of default cannot be read by Karpenter, which then lets no node go: schedule "0 9 * * 7": day of week "7": 7 is above 6, and Sunday is 0', "write 0 9 * * 0"),
        ("nodepool/budgets-empty", "medium", "spec.disruption.budgets of default is empty, which is no limit at all: all nodes may go at once", "leave it out for the default of 10%, or write nodes: 100% where that is meant"),
        ("nodepool/requirement-capacity-type-some-typo", "medium", 'spec.template.spec.requirements[1].values of default has "ondemand", which Karpenter leaves out with a line in its log', "there is on-demand, reserved and spot"),
        ("nodepool/yaml-key-twice", "medium", "spec.weight of default is written twice: kubectl takes the last one, and others refuse the file", "take one of them out"),
        ("nodepool/yaml-yes-as-label", "high", "spec.template.metadata.labels.spot of default is true, a boolean, and takes a text", "put it in quotes as it stands: YAML takes it for true"),
        ("ec2nodeclass/alias-without-version", "high", "spec.amiSelectorTerms[0].alias of default is \"al2023\", which breaks the rule: 'alias' is improperly formatted, must match the format 'family@version'", "write family@version, such as al2023@v20250117; al2023@latest replaces nodes with every release"),
        ("ec2nodeclass/subnet-selector-of-v1alpha1", "high", "spec.subnetSelector of default is no field of karpenter.k8s.aws/v1: it is spec.subnetSelectorTerms since v1beta1: - tags: {…}", ""),
        ("ec2nodeclass/user-data-prefix-delegation", "low", "spec.userData of default sets ENABLE_PREFIX_DELEGATION, which nothing on the node reads: prefix delegation belongs to the VPC CNI", "set it in the environment of DaemonSet kube-system/aws-node, and spec.kubelet.maxPods here"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_field_its_value_and_what_to_write(
    manifest: str, severity: str, message: str, advice: str
) -> None:
    (finding,) = found_in(FOLDER / f"{manifest}.yaml")

    assert (finding.severity, finding.message, finding.fix[0].text) == (severity, message, advice)


def test_a_finding_knows_the_line_and_column_of_its_field(tmp_path: Path) -> None:
    text = f"# the pool\n---\n{plain()}  weight: 1000\n"

    (finding,) = found_of(tmp_path, text)

    assert finding.location == Location(str(tmp_path / "pool.yaml"), text.count("\n"), 3)
    assert [evidence.location for evidence in finding.evidence] == [finding.location]
    assert finding.why == "the API server refuses the object"


def test_a_field_that_is_missing_stands_where_it_should_be(tmp_path: Path) -> None:
    (finding,) = found_of(tmp_path, plain().replace("        kind: EC2NodeClass\n", ""))

    assert (finding.location, finding.message) == (
        Location(str(tmp_path / "pool.yaml"), 8, 7),
        "spec.template.spec.nodeClassRef.kind of default is missing, and is required",
    )


def test_two_objects_of_one_name_are_told_together_each_with_its_file(tmp_path: Path) -> None:
    for overlay in ("production", "staging"):
        (tmp_path / f"{overlay}.yaml").write_text(f"{plain()}  weight: 1000\n")

    (finding,) = manifest_invalid(read_files([tmp_path]).snapshot)

    assert [str(evidence.location).removeprefix(f"{tmp_path}/") for evidence in finding.evidence] == [
        "production.yaml:23",
        "staging.yaml:23",
    ]
    assert finding.why == (
        f"the API server refuses the object; {tmp_path}/staging.yaml:23: spec.weight is 1000, and may be 1 to 100"
    )


def test_json_has_lines_too(tmp_path: Path) -> None:
    nodepool = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "default"}, "spec": {"template": 1}}
    (tmp_path / "pool.json").write_text("\n" + json.dumps(nodepool, indent="\t"))

    (finding,) = found_in(tmp_path / "pool.json")

    assert finding.location == Location(str(tmp_path / "pool.json"), 9, 3)


def test_the_same_field_of_several_entries_is_one_finding(tmp_path: Path) -> None:
    budgets = "    budgets:\n    - nodes: 101%\n    - nodes: 102%\n  limits:\n"

    (finding,) = found_of(tmp_path, plain().replace("  limits:\n", budgets))

    assert finding.cause == "refused:spec.disruption.budgets.nodes"
    assert [evidence.path for evidence in finding.evidence] == [
        "spec.disruption.budgets[0].nodes",
        "spec.disruption.budgets[1].nodes",
    ]
    assert finding.why.endswith(
        'line 23: spec.disruption.budgets[1].nodes is "102%", and must be a number of nodes or a percentage of up to 100%'
    )


def test_an_object_of_the_alpha_api_is_told_with_where_its_fields_went(tmp_path: Path) -> None:
    (finding,) = found_of(tmp_path, ALPHA)

    assert (finding.severity, finding.cause, finding.message) == (
        Severity.HIGH,
        "not-served",
        'apiVersion of default is "karpenter.sh/v1alpha5", which no Karpenter since 0.33 serves: Provisioner became NodePool of karpenter.sh/v1',
    )
    assert [evidence.path for evidence in finding.evidence] == ["apiVersion", "spec.ttlSecondsUntilExpired", "spec.providerRef"]


@pytest.mark.parametrize(
    ("version", "severities"),
    [(None, [Severity.MEDIUM]), (Version(1, 0, 8), []), (Version(1, 1), [Severity.HIGH])],
    ids=["of unknown version", "1.0", "1.1"],
)
def test_v1beta1_is_of_karpenter_up_to_1_0(tmp_path: Path, version: Version | None, severities: list[Severity]) -> None:
    assert [finding.severity for finding in found_of(tmp_path, BETA, version)] == severities


def test_v1beta1_is_judged_by_its_own_schema(tmp_path: Path) -> None:
    causes = [
        finding.cause
        for finding in found_of(tmp_path, BETA.replace("expireAfter: 720h", "expireAfter: 720h, consolidateAfter: 1m"))
    ]

    assert causes == ["not-served", "refused:spec.disruption"]


def test_a_field_that_the_karpenter_does_not_know_yet_is_refused() -> None:
    said = [finding.message for finding in found_in(FOLDER / "nodepool" / "policy-balanced.yaml", Version(1, 13))]

    assert said == [
        'spec.disruption.consolidationPolicy of default is "Balanced", which is known since Karpenter 1.14; this is 1.13.0'
    ]


def test_the_text_of_user_data_and_annotations_is_not_repeated(tmp_path: Path) -> None:
    nodeclass = (
        (FOLDER / "ec2nodeclass" / "plain.yaml")
        .read_text()
        .replace("  name: default", "  name: default\n  annotations: {note: 12345}")
    )

    found = found_of(tmp_path, f"{nodeclass}  userData: [hunter2]\n  password: hunter2\n")

    assert len(found) == 3
    assert not any("hunter2" in repr(finding) or "12345" in repr(finding) for finding in found)


def test_what_is_long_is_cut(tmp_path: Path) -> None:
    (finding,) = found_of(tmp_path, plain().replace("WhenEmptyOrUnderutilized", "x" * 100_000))

    assert len(finding.message) < 400


def test_a_cluster_has_no_manifests_and_its_api_server_has_judged() -> None:
    (run,) = scan(a_healthy_cluster(), [manifest_invalid]).runs

    assert (run.outcome, run.reason) == (Outcome.PASSED, "")


def test_manifests_say_that_they_are_not_all_there_is() -> None:
    (run,) = scan(read_files([FOLDER / "ec2nodeclass" / "plain.yaml"]).snapshot, [manifest_invalid]).runs

    assert (run.outcome, run.reason) == (Outcome.PASSED, "NodeClass: partial (manifests)")


def test_it_tells_how_to_look_again() -> None:
    (finding,) = found_in(FOLDER / "nodepool" / "weight-zero.yaml")

    assert finding.fix == (Fix("verify", f"karpenter-check scan -f {FOLDER}/nodepool/weight-zero.yaml --select manifest-invalid"),)
