"""What cronjob.yaml grants is enough, and each part of it is needed: by a real server that says no."""

import json
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
import yaml

from karpenter_check.collect.resources import RESOURCES
from karpenter_check.snapshot import Kind
from tests.e2e.api import Api, Object
from tests.e2e.cluster import Cluster
from tests.e2e.manifests import NODECLASS, requirements
from tests.e2e.scans import scan

_MANIFEST = Path(__file__).parents[2] / "cronjob.yaml"
_NAME = "karpenter-check"
_OPTIONAL = f"{_NAME}-optional"
_ALL = list(yaml.safe_load_all(_MANIFEST.read_text(encoding="utf-8")))
_OBJECTS: dict[str, Object] = {found["kind"]: found for found in _ALL if found["metadata"]["name"] == _NAME}
_ROLE = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{_NAME}"

_GRANTED = [pair for rule in _OBJECTS["ClusterRole"]["rules"] for pair in product(rule["apiGroups"], rule["resources"])]
_PROVIDERS = {"karpenter.kwok.sh", "karpenter.k8s.aws"}
"""Whose node classes the cluster serves."""
_UNSERVED = [(group, plural) for group, plural in _GRANTED if plural.endswith("nodeclasses") and group not in _PROVIDERS]
_SERVED = [pair for pair in _GRANTED if pair not in _UNSERVED]
_KINDS = {(resource.group, resource.plural): kind for kind, resource in RESOURCES.items()}
_ALL_READ = dict.fromkeys(map(str, Kind), "complete")
"""The Lease, too, which is not there: Karpenter runs outside of the cluster, and elects no leader."""
_NO_OPTIONAL = {str(kind): "forbidden" for kind in Kind if kind.optional}


@dataclass(frozen=True)
class Reader:
    """The ServiceAccount of cronjob.yaml, and what a scan as it says."""

    admin: Api
    own: Api
    kubeconfig: Path
    folder: Path

    def scan(self) -> tuple[int, dict[str, str], str]:
        """The exit code with `--strict`, the status of each kind's coverage, and the table."""
        file = self.folder / "report.json"
        done = scan(self.kubeconfig, "--strict", "-o", f"json={file}", "-o", "table", "--width", "1000", home=self.folder)
        coverage = json.loads(file.read_bytes())["coverage"]
        return done.returncode, {kind: seen["status"] for kind, seen in coverage.items()}, done.stdout.decode()

    def may_list(self, granted: Collection[tuple[str, str]]) -> None:
        """Let the ClusterRole grant these alone, and wait until the server acts on it."""
        rules = [{"apiGroups": [group], "resources": [plural], "verbs": ["list"]} for group, plural in granted]
        self.admin.ask("PATCH", _ROLE, {"rules": rules}, "application/merge-patch+json")
        deadline = time.monotonic() + 10
        while {pair for pair in _SERVED if self.own.answers(self._path(*pair))} != {*granted} & {*_SERVED}:
            assert time.monotonic() < deadline, "the ClusterRole has no effect"

    def wait_for(self, *, listed: bool) -> None:
        """Wait until the server acts on what it grants of the optional kinds."""
        deadline = time.monotonic() + 10
        while self.own.answers("/api/v1/persistentvolumes?limit=1") is not listed:
            assert time.monotonic() < deadline, "the binding has no effect"

    def _path(self, group: str, plural: str) -> str:
        if not group:
            return f"/api/v1/{plural}?limit=1"
        return f"/apis/{self.admin.ask('GET', f'/apis/{group}')['preferredVersion']['groupVersion']}/{plural}?limit=1"


@pytest.fixture(scope="module")
def reader(healthy: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Who runs the CronJob, as the manifest grants it; beside kwok's there is a NodePool of AWS, for the node classes of both."""
    folder = tmp_path_factory.mktemp("access")
    manifest = folder / "access.yaml"
    manifest.write_text(yaml.safe_dump_all(found for found in _ALL if found["kind"] != "CronJob"), encoding="utf-8")
    healthy.kubectl("apply", "-f", str(manifest))
    token = healthy.kubectl("create", "token", _NAME, "--namespace", _NAME).strip()
    healthy.api.apply([_nodepool_of_aws()])
    yield Reader(healthy.api, Api(healthy.api.url, healthy.api.ca, token), healthy.kubeconfig_for(token, "reader"), folder)
    healthy.api.ask("DELETE", "/apis/karpenter.sh/v1/nodepools/aws")


@pytest.fixture
def whole_role(reader: Reader) -> Iterator[None]:
    """Whatever a test takes away is put back."""
    yield
    reader.may_list(_GRANTED)


@pytest.mark.usefixtures("reader")
def test_the_server_accepts_the_cronjob(healthy: Cluster) -> None:
    assert healthy.kubectl("apply", "--dry-run=server", "-f", str(_MANIFEST)).splitlines() == [
        f"namespace/{_NAME} unchanged (server dry run)",
        f"serviceaccount/{_NAME} unchanged (server dry run)",
        f"clusterrole.rbac.authorization.k8s.io/{_NAME} unchanged (server dry run)",
        f"clusterrolebinding.rbac.authorization.k8s.io/{_NAME} unchanged (server dry run)",
        f"clusterrole.rbac.authorization.k8s.io/{_OPTIONAL} unchanged (server dry run)",
        f"clusterrolebinding.rbac.authorization.k8s.io/{_OPTIONAL} unchanged (server dry run)",
        f"role.rbac.authorization.k8s.io/{_NAME} unchanged (server dry run)",
        f"rolebinding.rbac.authorization.k8s.io/{_NAME} unchanged (server dry run)",
        f"cronjob.batch/{_NAME} created (server dry run)",
    ]


def test_what_the_role_grants_is_enough(reader: Reader) -> None:
    code, coverage, table = reader.scan()

    assert (code, coverage, _not_checked(table)) == (0, _ALL_READ, {})


@pytest.mark.parametrize(("group", "plural"), _SERVED)
@pytest.mark.usefixtures("whole_role")
def test_what_is_taken_away_from_the_role_is_told(group: str, plural: str, reader: Reader) -> None:
    reader.may_list([pair for pair in _GRANTED if pair != (group, plural)])

    code, coverage, table = reader.scan()

    kind = str(_KINDS.get((group, plural), Kind.NODECLASS))
    # NodePools say which node classes there are, and Karpenter's Deployment where its Lease is
    unnamed = {"NodePool": {"NodeClass": "not-collected"}, "Deployment": {"Lease": "not-collected"}}.get(kind, {})
    assert (code, coverage) == (4, {**_ALL_READ, **unnamed, kind: "forbidden"})
    told = _not_checked(table)
    assert [*told] == [str(name) for name in Kind if name in {kind, *unnamed} and not name.optional]
    assert f'apiGroups: ["{group}"], resources: [{plural}], verbs: [list]' in told[kind]


@pytest.fixture
def no_optional_role(reader: Reader) -> Iterator[None]:
    """Without what is optional, which comes back after the test."""
    binding = f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{_OPTIONAL}"
    role_binding = f"/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings/{_NAME}"
    for path in (binding, role_binding):
        reader.admin.ask("DELETE", path)
    reader.wait_for(listed=False)
    yield
    reader.admin.apply([found for found in _ALL if found["kind"] in {"ClusterRoleBinding", "RoleBinding"}])
    reader.wait_for(listed=True)


@pytest.mark.usefixtures("no_optional_role")
def test_without_what_is_optional_a_scan_is_complete_and_says_so(reader: Reader) -> None:
    code, coverage, table = reader.scan()

    assert (code, coverage, _not_checked(table)) == (0, {**_ALL_READ, **_NO_OPTIONAL}, {})
    assert "optional kinds not read: " in table


@pytest.mark.usefixtures("whole_role")
def test_providers_that_are_not_there_are_granted_for_nothing(reader: Reader) -> None:
    assert [group for group, _ in _UNSERVED if reader.admin.answers(f"/apis/{group}")] == []
    reader.may_list(_SERVED)

    code, coverage, table = reader.scan()

    assert (code, coverage, _not_checked(table)) == (0, _ALL_READ, {})


def _not_checked(table: str) -> dict[str, str]:
    """Which kinds the table names under NOT CHECKED, and why. Rules that prove nothing on this Karpenter stand there too."""
    _, _, after = table.partition("\nNOT CHECKED\n")
    entries = (line.strip().partition(": ") for line in after.partition("\n\n")[0].splitlines())
    return {name: why for name, _, why in entries if name in _ALL_READ}


def _nodepool_of_aws() -> Object:
    """A NodePool that is another Karpenter's: kwok's leaves it alone."""
    reference = {**NODECLASS, "group": "karpenter.k8s.aws", "kind": "EC2NodeClass"}
    template = {"spec": {"nodeClassRef": reference, "requirements": requirements()}}
    spec = {"limits": {"cpu": "0"}, "template": template}
    return {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "aws"}, "spec": spec}
