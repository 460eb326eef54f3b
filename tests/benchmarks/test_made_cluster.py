"""The made cluster: whole, plausible, and the same for the same seed. How long anything takes is not asked here."""

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner

from karpenter_check.cli import group
from karpenter_check.snapshot import Kind
from tests.benchmarks.blockers import all_blockers, asked_of, made_snapshot
from tests.benchmarks.made import LISTS, PAGE, make
from tests.benchmarks.measure import Broken, curl, scan
from tests.benchmarks.plan import plan
from tests.benchmarks.served import Served

METADATA_ACCEPTED = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
PODS = 1_100
"""More than two pages, so that there are a first, a middle and a last one."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("made"), PODS)


@pytest.fixture
def served(made: Path) -> Iterator[Served]:
    with Served(made) as served:
        yield served


def content(folder: Path) -> dict[str, bytes]:
    return {str(page.relative_to(folder)): page.read_bytes() for page in sorted(folder.rglob("*")) if page.is_file()}


def pages(folder: Path, path: str) -> list[Any]:
    entry = next(entry for entry in LISTS if entry.path == path and not entry.variant)
    return [
        json.loads((folder / entry.folder / str(number)).read_bytes())
        for number in range(len(list((folder / entry.folder).iterdir())))
    ]


def report(served: Served, folder: Path) -> Any:
    return json.loads(CliRunner().invoke(group, ["scan", "--kubeconfig", str(served.kubeconfig(folder)), "-o", "json"]).stdout)


def test_a_scan_sees_all_of_it(served: Served, tmp_path: Path) -> None:
    found = report(served, tmp_path)

    required = {kind: entry["status"] for kind, entry in found["coverage"].items() if not Kind(kind).optional}
    assert required == dict.fromkeys(required, "complete")
    assert found["coverage"]["Pod"]["count"] == PODS
    assert {rule["rule"] for rule in found["rules"] if rule["status"] not in {"passed", "failed"}} <= {"volume-zone-conflict"}


def test_a_scan_finds_what_was_put_there_and_little_else(served: Served, tmp_path: Path) -> None:
    found = {(finding["rule"], finding["object"]["name"], finding["nodePool"]) for finding in report(served, tmp_path)["findings"]}
    dying = next(node for node in plan(PODS, 355, 1).nodes if node.dying)

    assert {("daemonset-nodepool-mismatch", "disk-metrics", "memory"), ("node-ttl-death", dying.name, "general")} <= found
    assert len(found) <= 10


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_gets_every_byte_of_what_the_scan_asked_for(served: Served, made: Path, tmp_path: Path) -> None:
    report(served, tmp_path)
    asked = served.requests()
    of_pods = [(target, accept) for target, accept in asked if target.startswith("/api/v1/pods")]
    _, size = curl(served.curl_config(tmp_path, of_pods), tmp_path)

    entry = next(entry for entry in LISTS if entry.kind == "Pod")
    assert len(of_pods) == -(-PODS // PAGE)
    assert size == sum(page.stat().st_size for page in (made / entry.folder).iterdir())
    assert served.requests() == of_pods


@pytest.mark.parametrize(
    ("target", "accept", "kind", "said"),
    [
        ("/api/v1/events?limit=500&fieldSelector=source%3Dkarpenter", "application/json", "EventList", "Nominated"),
        ("/api/v1/events?fieldSelector=reason%3DFailedCreatePodSandBox&limit=500", "application/json", "EventList", "aws-cni"),
        ("/apis/apps/v1/replicasets?limit=500", METADATA_ACCEPTED, "PartialObjectMetadataList", "ownerReferences"),
        ("/apis/apps/v1/replicasets?limit=500", "application/json", "ReplicaSetList", "containers"),
    ],
)
def test_a_list_is_answered_as_it_is_asked_for(served: Served, target: str, accept: str, kind: str, said: str) -> None:
    answer = urlopen(Request(served.url + target, headers={"Accept": accept})).read()

    assert json.loads(answer)["kind"] == kind
    assert said.encode() in answer
    assert (b'"containers"' in answer) is (kind == "ReplicaSetList")


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(made: Path, tmp_path: Path) -> None:
    random.seed(7)  # what others draw changes nothing

    assert content(make(tmp_path, PODS)) == content(made)
    assert content(make(tmp_path, PODS, seed=2)) != content(made)


def test_the_pages_are_those_of_an_api_server(made: Path) -> None:
    pods, pools = pages(made, "/api/v1/pods"), pages(made, "/apis/karpenter.sh/v1/nodepools")

    assert [len(page["items"]) for page in pods] == [500, 500, 100]
    assert [page["metadata"].get("remainingItemCount") for page in pods] == [600, 100, None]
    assert [list(page) for page in pods] == [["kind", "apiVersion", "metadata", "items"]] * 3
    assert [list(page) for page in pools] == [["apiVersion", "items", "kind", "metadata"]]
    keys = [(pod["metadata"]["namespace"], pod["metadata"]["name"]) for page in pods for pod in page["items"]]
    assert keys == sorted(set(keys))


def test_a_pod_is_as_large_as_they_are(made: Path) -> None:
    sizes = [len(json.dumps(pod, separators=(",", ":"))) for page in pages(made, "/api/v1/pods") for pod in page["items"]]

    assert 10_500 < sum(sizes) / len(sizes) < 12_000


def test_a_scan_that_is_not_whole_is_no_measurement(served: Served, tmp_path: Path) -> None:
    program = tmp_path / "half-a-scan"
    program.write_text('#!/bin/sh\necho \'{"coverage": {"Pod": {"status": "failed", "count": 600}}, "rules": []}\'\n')
    program.chmod(0o755)

    with pytest.raises(Broken, match="the scan is not whole"):
        scan(program, served, tmp_path, PODS)


def test_the_blockers_of_every_node_ask_no_selector_that_does_not_match() -> None:
    snapshot = made_snapshot(PODS)
    asked, matches = asked_of(snapshot)

    assert (len(snapshot.nodes), len(snapshot.pods), len(snapshot.poddisruptionbudgets)) == (36, PODS, 66)
    assert 0 < asked <= matches > PODS / 3
    assert all_blockers(snapshot) > 0
