"""cronjob.yaml is what Kubernetes accepts, asks for what a scan reads and no more, and is not the disease."""

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from karpenter_check import __version__
from karpenter_check.cli import group
from karpenter_check.cli.exits import Exit
from karpenter_check.collect.controller import DEFINITIONS, LEASE, NAMESPACE
from karpenter_check.collect.resources import RESOURCES
from karpenter_check.snapshot import Kind
from tests.collect.replay import OBJECTS, Replay
from tests.command_line import parse

OPTIONAL = "ClusterRole of what is optional"
ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "cronjob.yaml").read_text(encoding="utf-8")
NAME = "karpenter-check"

NODE_CLASSES = {
    ("eks.amazonaws.com", "nodeclasses"),  # https://docs.aws.amazon.com/eks/latest/userguide/create-node-class.html
    ("karpenter-ibm.sh", "ibmnodeclasses"),  # kubernetes-sigs/karpenter-provider-ibm-cloud
    ("karpenter.alibabacloud.com", "ecsnodeclasses"),  # AliyunContainerService/karpenter-provider-alibabacloud
    ("karpenter.azure.com", "aksnodeclasses"),  # Azure/karpenter-provider-azure
    ("karpenter.azure.com", "azurenodeclasses"),
    ("karpenter.cluster.x-k8s.io", "clusterapinodeclasses"),  # kubernetes-sigs/karpenter-provider-cluster-api
    ("karpenter.exoscale.com", "exoscalenodeclasses"),  # exoscale/karpenter-provider-exoscale
    ("karpenter.k8s.alibabacloud", "ecsnodeclasses"),  # cloudpilot-ai/karpenter-provider-alibabacloud
    ("karpenter.k8s.aws", "ec2nodeclasses"),  # aws/karpenter-provider-aws
    ("karpenter.k8s.gcp", "gcenodeclasses"),  # cloudpilot-ai/karpenter-provider-gcp
    ("karpenter.k8s.linode", "linodenodeclasses"),  # linode/karpenter-provider-linode
    ("karpenter.k8s.tke", "tkemachinenodeclasses"),  # TencentCloud/karpenter-provider-tke
    ("karpenter.kwok.sh", "kwoknodeclasses"),  # kubernetes-sigs/karpenter, kwok/
    ("karpenter.proxmox.sinextra.dev", "proxmoxnodeclasses"),  # sergelogvinov/karpenter-provider-proxmox
    ("oci.oraclecloud.com", "ocinodeclasses"),  # oracle/karpenter-provider-oci
}
"""API group and plural of the providers' node classes, as the CustomResourceDefinitions in these repositories name them."""
DISCOVERY = re.compile(r"/version|/apis(/[^/]+/[^/]+)?")
"""What Kubernetes' own ClusterRole `system:discovery` lets every service account read, of what a scan asks."""
KUBERNETES = ("1.31", kubernetes_validate.latest_version().rpartition(".")[0])
"""The oldest version that docs/cronjob.md promises, and the newest that there are schemas of."""


def objects(text: str = TEXT) -> dict[str, dict[str, Any]]:
    """The manifest's objects by kind, in its order."""
    documents = list(yaml.safe_load_all(text))
    by_kind = {f"{document['kind']}{_optional(document)}": document for document in documents}
    assert len(by_kind) == len(documents)
    return by_kind


def _optional(document: dict[str, Any]) -> str:
    return " of what is optional" if document["metadata"]["name"] == f"{NAME}-optional" else ""


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: part for name, part in value.items() if name not in names}


JOB = objects()["CronJob"]["spec"]["jobTemplate"]["spec"]
POD = JOB["template"]["spec"]
(CONTAINER,) = POD["containers"]


def with_all_options() -> str:
    """The manifest with its optional environment put in."""
    text, times = re.subn(r"^( {16})# (- name: KARPENTER_CHECK_.*\n)\1# (  value: .*\n)", r"\1\2\1\3", TEXT, flags=re.MULTILINE)
    assert times == 3
    return text


def on_auto_mode() -> str:
    """The manifest with the lines for EKS Auto Mode in the place of the one that they name."""
    text, times = re.subn(r"( +)operator: DoesNotExist\n( +#.*\n)\1# (operator: .*\n)\1# (values: .*\n)", r"\1\3\1\4", TEXT)
    assert times == 1
    return text


VARIANTS = {"as it is": TEXT, "with all options": with_all_options(), "on Auto Mode": on_auto_mode()}


@pytest.mark.parametrize("text", VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize("version", KUBERNETES)
def test_every_object_is_one_that_kubernetes_knows(version: str, text: str) -> None:
    assert [kubernetes_validate.validate(document, version, strict=True) for document in objects(text).values()] == [version] * 9


def test_a_field_that_kubernetes_does_not_know_would_be_seen() -> None:
    misspelled = TEXT.replace("onExitCodes", "onExitcodes")

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(objects(misspelled)["CronJob"], KUBERNETES[0], strict=True)


def test_it_applies_to_a_fresh_cluster() -> None:
    named = {kind: (value["metadata"]["name"], value["metadata"].get("namespace")) for kind, value in objects().items()}
    binding = without(objects()["ClusterRoleBinding"], "apiVersion", "kind", "metadata")

    assert list(named.items()) == [
        ("Namespace", (NAME, None)),
        ("ServiceAccount", (NAME, NAME)),
        ("ClusterRole", (NAME, None)),
        ("ClusterRoleBinding", (NAME, None)),
        (OPTIONAL, (f"{NAME}-optional", None)),
        ("ClusterRoleBinding of what is optional", (f"{NAME}-optional", None)),
        ("Role", (NAME, "kube-system")),
        ("RoleBinding", (NAME, "kube-system")),
        ("CronJob", (NAME, NAME)),
    ]
    assert binding == {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAME}],
    }


def granted(role: str = "ClusterRole") -> list[tuple[str, str]]:
    """Group and plural of each resource in a role that may be listed."""
    rules = [rule for rule in objects()[role]["rules"] if rule["verbs"] == ["list"]]
    return sorted(pair for rule in rules for pair in product(rule["apiGroups"], rule["resources"]))


def test_the_role_grants_what_collect_reads_and_nothing_else() -> None:
    necessary = [resource for kind, resource in RESOURCES.items() if not kind.optional and kind is not Kind.NODECLASS]

    assert granted() == sorted({(resource.group, resource.plural) for resource in necessary} | NODE_CLASSES)


def test_the_optional_role_grants_the_rest() -> None:
    by_name = {Kind.LEASE, Kind.CUSTOMRESOURCEDEFINITION}
    listed = [resource for kind, resource in RESOURCES.items() if kind.optional and kind not in by_name]

    assert granted(OPTIONAL) == sorted((resource.group, resource.plural) for resource in listed)
    (definitions,) = (rule for rule in objects()[OPTIONAL]["rules"] if rule["verbs"] != ["list"])
    names = {*DEFINITIONS, *(f"{plural}.{group_}" for group_, plural in NODE_CLASSES)}
    assert {**definitions, "resourceNames": sorted(definitions["resourceNames"])} == {
        "apiGroups": ["apiextensions.k8s.io"],
        "resources": ["customresourcedefinitions"],
        "resourceNames": sorted(names),
        "verbs": ["get"],
    }


def test_the_lease_is_got_where_karpenter_is_usually_installed() -> None:
    assert objects()["Role"]["rules"] == [
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": [LEASE], "verbs": ["get"]}
    ]
    assert {objects()[kind]["metadata"]["namespace"] for kind in ("Role", "RoleBinding")} == {NAMESPACE}


@pytest.mark.parametrize("binding", ["ClusterRoleBinding of what is optional", "RoleBinding"])
def test_what_is_optional_is_bound_to_the_same_account(binding: str) -> None:
    bound = objects()[binding]

    assert bound["subjects"] == objects()["ClusterRoleBinding"]["subjects"]
    assert bound["roleRef"]["name"] == bound["metadata"]["name"]


def test_the_role_lets_list_and_nothing_else() -> None:
    assert [(sorted(rule), rule["verbs"]) for rule in objects()["ClusterRole"]["rules"]] == [
        (["apiGroups", "resources", "verbs"], ["list"])
    ] * len(objects()["ClusterRole"]["rules"])


@pytest.mark.parametrize("recording", ["healthy", "faults"])
def test_the_container_sees_everything_with_what_the_role_grants(
    recording: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Replay(recording) as replay:
        ended = CliRunner().invoke(group, [*CONTAINER["args"], "--kubeconfig", str(replay.kubeconfig(tmp_path))])
    asked = {(request.method, request.path) for request in replay.requests}
    listed = {path for _, path in asked if not DISCOVERY.fullmatch(path)}
    by_name = {path for path in listed if path in OBJECTS}
    run = json.loads(ended.stdout.splitlines()[-1])

    assert ended.exit_code == Exit.CLEAN
    assert {kind: seen["status"] for kind, seen in run["coverage"].items()} == {
        **dict.fromkeys(map(str, Kind), "complete"),
        "Lease": "not-collected",  # the recorded Karpenter has none
    }
    assert by_name == set(OBJECTS)
    assert {method for method, _ in asked} == {"GET"}
    assert sorted(map(resource_at, listed - by_name)) == sorted(
        [*(pair for pair in granted() if pair not in NODE_CLASSES or "kwok" in pair[1]), *granted(OPTIONAL)]
    )


def resource_at(path: str) -> tuple[str, str]:
    """Group and plural of the whole cluster's list at a path; any other path stands for itself."""
    match path.split("/")[1:]:
        case ["api", "v1", plural]:
            return "", plural
        case ["apis", group_, _, plural]:
            return group_, plural
        case _:
            return "?", path


def test_it_does_not_become_the_disease() -> None:
    assert without(objects()["CronJob"]["spec"], "jobTemplate") == {
        "schedule": "*/10 * * * *",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 300,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 1,
    }
    assert without(JOB, "template") == {
        "activeDeadlineSeconds": 240,
        "backoffLimit": 1,
        "ttlSecondsAfterFinished": 3600,
        "podFailurePolicy": {
            "rules": [
                {"action": "FailJob", "onExitCodes": {"containerName": NAME, "operator": "In", "values": [2, 3, 4, 10]}}
            ]
        },
    }  # fmt: skip
    assert POD["affinity"] == only_on({"key": "karpenter.sh/nodepool", "operator": "DoesNotExist"})


def test_on_auto_mode_it_runs_beside_the_other_critical_add_ons() -> None:
    pod = objects(on_auto_mode())["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]

    assert pod["affinity"] == only_on({"key": "karpenter.sh/nodepool", "operator": "In", "values": ["system"]})
    assert without(pod, "affinity") == without(POD, "affinity")


def only_on(expression: dict[str, Any]) -> dict[str, Any]:
    terms = [{"matchExpressions": [expression]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def test_a_job_is_given_up_for_exit_codes_that_exist_in_the_order_that_kubernetes_wants() -> None:
    (rule,) = JOB["podFailurePolicy"]["rules"]
    codes = rule["onExitCodes"]["values"]

    assert codes == sorted({Exit(code) for code in codes} - {Exit.CLEAN})
    assert Exit.CANNOT_SCAN not in codes, "an API server that did not answer may answer the second time"


def test_the_pod_is_hardened() -> None:
    assert objects()["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert objects()["ServiceAccount"]["automountServiceAccountToken"] is False
    assert without(POD, "affinity", "containers") == {
        "restartPolicy": "Never",
        "serviceAccountName": NAME,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [
            {"name": "push", "secret": {"secretName": "karpenter-check-push", "optional": True}},
            {"name": "config", "configMap": {"name": NAME, "optional": True}},
        ],
    }
    assert without(CONTAINER, "args", "env") == {
        "name": NAME,
        "image": f"ghcr.io/karpenter-check/karpenter-check:{__version__}",
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": name, "mountPath": f"/etc/karpenter-check/{name}", "readOnly": True} for name in ("push", "config")
        ],
    }


def test_the_arguments_are_ones_of_the_command_line() -> None:
    assert CONTAINER["args"] == ["scan", "--fail-on", "none", "--output", "jsonl", "--timeout", "3m"]
    given = parse(CONTAINER["args"]).params
    assert given["fail_on"] == "none"
    assert given["timeout"] < JOB["activeDeadlineSeconds"] - 30, "what was read is judged and pushed before the Job is stopped"


def environment(text: str) -> dict[str, Any]:
    (container,) = objects(text)["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry["value"] for entry in container.get("env", [])}


def variables() -> set[str]:
    """The environment variables that set an option of `scan`."""
    scan = group.get_command(click.Context(group), "scan")
    assert scan
    return {str(parameter.envvar) for parameter in scan.params if parameter.envvar}


def test_the_environment_sets_options_of_scan() -> None:
    assert environment(TEXT) == {"KARPENTER_CHECK_PUSH_GATEWAY_URL": "", "KARPENTER_CHECK_CLUSTER_NAME": ""}
    assert sorted(environment(with_all_options()).keys() - variables()) == []


def test_an_empty_environment_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = parse(CONTAINER["args"]).params
    for name, value in environment(TEXT).items():
        monkeypatch.setenv(name, value)

    assert parse(CONTAINER["args"]).params == unset


def test_a_password_and_a_configuration_come_from_files_of_the_volumes() -> None:
    added = {name: value for name, value in environment(with_all_options()).items() if name not in environment(TEXT)}

    assert added == {
        "KARPENTER_CHECK_PUSH_USERNAME": "karpenter-check",
        "KARPENTER_CHECK_PUSH_PASSWORD_FILE": "/etc/karpenter-check/push/password",
        "KARPENTER_CHECK_CONFIG": "/etc/karpenter-check/config/config.yaml",
    }
    assert "--from-file=config.yaml=.karpenter-check.yaml" in (ROOT / "docs" / "cronjob.md").read_text(encoding="utf-8")


def test_the_dockerfile_makes_the_image_that_the_pod_expects() -> None:
    said = dict(re.findall(r"^(USER|ENTRYPOINT) (.*)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))

    assert said == {"USER": "65532:65532", "ENTRYPOINT": '["karpenter-check"]'}
