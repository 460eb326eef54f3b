"""A real API server, with Karpenter's own CustomResourceDefinitions, takes the manifests that `manifest-invalid` takes, and no others."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import yaml

from karpenter_check.admission.fault import Fate
from karpenter_check.admission.judge import faults
from karpenter_check.collect.schemas import SchemaFile, schema_of
from karpenter_check.collect.yaml_documents import yaml_documents
from karpenter_check.snapshot.manifest import Location, Manifest
from tests.e2e.api import Refused
from tests.e2e.binaries import EC2_NODECLASS, CannotBuild, built, installed, karpenter_versions
from tests.e2e.control_plane import ControlPlane
from tests.e2e.crds import apply_crds
from tests.e2e.mutants import mutant
from tests.make_schemas import FOLDER, schema_file
from tests.manifests import VERDICTS, Verdict, manifests, name, verdicts
from tests.rules.test_manifest_invalid import is_taken

KINDS = {"nodepool", "nodeclaim", "ec2nodeclass"}
NEWEST = f"karpenter-{karpenter_versions()[-1]}"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server that knows the newest Karpenter's kinds, and nothing that acts on them."""
    try:
        installed("kubectl")
        with ControlPlane(tmp_path_factory.mktemp("manifests"), controllers=False) as started:
            apply_crds(started, NEWEST)
            for schema in carried():
                if schema.api_version.endswith("/v1beta1"):
                    serve_beta(started, schema)
            started.api.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "karpenter"}})
            yield started
    except CannotBuild as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def carried() -> list[SchemaFile]:
    """The schemas of the package."""
    return [msgspec.json.decode(file.read_bytes(), type=SchemaFile) for file in sorted(FOLDER.iterdir())]


def serve_beta(plane: ControlPlane, schema: SchemaFile) -> None:
    """Have the server know v1beta1 of a kind too, by the package's schema: no Karpenter has both without a webhook."""
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{schema.kind.lower()}s.karpenter.sh"
    definition = plane.api.ask("GET", path)
    definition["spec"]["versions"].append(
        {"name": "v1beta1", "served": True, "storage": False, "schema": {"openAPIV3Schema": schema.schema}}
    )
    plane.api.ask("PUT", path, definition)
    plane.wait_until(lambda: plane.api.answers(f"/apis/karpenter.sh/v1beta1/{schema.kind.lower()}s"))


def asked(plane: ControlPlane, manifest: Path) -> Verdict:
    """What kubectl and the server make of a manifest."""
    cluster = ("--kubeconfig", str(plane.kubeconfig), "--cache-dir", str(plane.folder / "kubectl"))
    command = (installed("kubectl"), *cluster, "create", "--dry-run=server", "--validate=strict", "-f", str(manifest))
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    said = " ".join(done.stderr.replace(str(manifest), manifest.name).replace(plane.api.url, "…").split())
    return Verdict(accepted=done.returncode == 0, said=said[:400] if done.returncode else "")


def test_the_verdicts_are_the_servers(plane: ControlPlane, request: pytest.FixtureRequest) -> None:
    found = {name(manifest): asked(plane, manifest) for manifest in manifests()}
    if request.config.getoption("--write-verdicts"):
        VERDICTS.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")

    assert {key: verdict.accepted for key, verdict in found.items()} == {
        key: verdict.accepted for key, verdict in verdicts().items()
    }
    assert [key for key, verdict in found.items() if is_taken(key) is not verdict.accepted] == []


def taken(plane: ControlPlane, manifest: dict[str, Any]) -> bool:
    """Whether the server takes an object."""
    plural = "ec2nodeclasses" if manifest["kind"] == "EC2NodeClass" else f"{manifest['kind'].lower()}s"
    try:
        plane.api.ask("POST", f"/apis/{manifest['apiVersion']}/{plural}", manifest, dryRun="All", fieldValidation="Strict")
    except Refused as refused:
        if refused.status not in {400, 422}:
            raise
        return False
    return True


def test_a_thousand_mutants_are_judged_as_the_server_judges_them(plane: ControlPlane) -> None:
    texts = (file for file in manifests() if file.parent.name in KINDS and not file.stem.startswith(("api-version", "status")))
    sound = [json.loads(document.raw) for file in texts for document in yaml_documents(file.name, file.read_bytes())]
    named = [manifest for manifest in sound if isinstance(manifest["metadata"].get("name"), str)]
    random, wrong = Random(1), []  # noqa: S311  no secret, and the same every time
    for _ in range(1000):
        manifest = mutant([{**entry, "metadata": {"name": "default"}} for entry in named], random)
        schema = schema_of(manifest["apiVersion"], manifest["kind"])
        found = faults(Manifest(manifest, Location("mutant", 1)), schema, None)
        if taken(plane, manifest) is any(fault.fate in {Fate.REFUSED, Fate.UNKNOWN} for fault in found):
            wrong.append((manifest, found))

    assert wrong == []


def test_the_schemas_of_the_package_are_those_of_the_newest_karpenter() -> None:
    served = {}
    for module in (NEWEST, EC2_NODECLASS):
        for file in (built(module) / "crds").iterdir():
            definition = yaml.safe_load(file.read_text(encoding="utf-8"))
            for version in definition["spec"]["versions"]:
                made = schema_file(definition, version["name"], "")
                served[made["apiVersion"], made["kind"]] = made["schema"]
    assert [
        (entry.api_version, entry.kind)
        for entry in carried()
        if not entry.api_version.endswith("/v1beta1") and served[entry.api_version, entry.kind] != entry.schema
    ] == []
