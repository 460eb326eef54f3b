"""deployment.yaml is what Kubernetes accepts, has cronjob.yaml's access and hardening, and runs a server that its probes know."""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from karpenter_check.cli.serve import command
from tests.command_line import parse
from tests.contracts.test_cronjob import CONTAINER as JOB_CONTAINER
from tests.contracts.test_cronjob import KUBERNETES, NAME, POD, without
from tests.contracts.test_cronjob import objects as job_objects

TEXT = (Path(__file__).parents[2] / "deployment.yaml").read_text(encoding="utf-8")
OBJECTS = list(yaml.safe_load_all(TEXT))
*ACCESS, DEPLOYMENT, SERVICE = OBJECTS
SERVER = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = SERVER["containers"]


@pytest.mark.parametrize("version", KUBERNETES)
def test_every_object_is_one_that_kubernetes_knows(version: str) -> None:
    for document in OBJECTS:
        kubernetes_validate.validate(document, version, strict=True)


def test_the_access_is_that_of_the_cronjob() -> None:
    assert [document for kind, document in job_objects().items() if kind != "CronJob"] == ACCESS


def test_the_pod_runs_where_the_cronjobs_does_and_is_as_hardened() -> None:
    own = ("containers", "volumes", "restartPolicy", "securityContext")
    of_container = ("args", "env", "ports", "livenessProbe", "readinessProbe", "volumeMounts")

    assert without(SERVER, *own) == without(POD, *own)
    assert SERVER["securityContext"] == {**POD["securityContext"], "fsGroup": POD["securityContext"]["runAsGroup"]}
    assert without(CONTAINER, *of_container) == without(JOB_CONTAINER, *of_container)


def test_one_server_counts_at_a_time_and_the_service_finds_it() -> None:
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]

    assert (DEPLOYMENT["spec"]["replicas"], DEPLOYMENT["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"] == SERVICE["spec"]["selector"] == labels
    assert labels != job_objects()["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]


def test_the_ports_and_probes_are_the_servers() -> None:
    (port,) = CONTAINER["ports"]
    probes = {
        CONTAINER[probe]["httpGet"]["path"]: CONTAINER[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")
    }

    assert CONTAINER["args"][0] == "serve"
    assert parse(CONTAINER["args"]).params["metrics_addr"] == ("", port["containerPort"])
    assert probes == {"/healthz": port["name"], "/readyz": port["name"]}
    assert [(entry["targetPort"], entry["port"]) for entry in SERVICE["spec"]["ports"]] == [(port["name"], port["containerPort"])]


def test_the_environment_sets_options_of_the_server() -> None:
    options = {parameter.envvar for parameter in command.params if parameter.envvar}
    named = {entry["name"] for entry in CONTAINER["env"]} | {"KARPENTER_CHECK_CONFIG"}

    assert named <= options


def test_the_state_is_in_a_volume_that_may_be_written() -> None:
    (state,) = [entry["value"] for entry in CONTAINER["env"] if entry["name"] == "KARPENTER_CHECK_STATE"]
    mounts = {mount["mountPath"]: mount for mount in CONTAINER["volumeMounts"]}
    volumes = {volume["name"]: without(volume, "name") for volume in SERVER["volumes"]}
    mount = mounts[str(Path(state).parent)]

    assert (mount.get("readOnly"), volumes[mount["name"]]) == (None, {"emptyDir": {"sizeLimit": "64Mi"}})
    assert CONTAINER["image"].startswith(f"ghcr.io/{NAME}/")
