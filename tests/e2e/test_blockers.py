"""What `why node` says keeps a node: exactly what was set up, and Karpenter's own event names one of it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.kubelet import IGNORES_SIGTERM
from tests.e2e.scans import Scans
from tests.e2e.stage import NeverCame, Stage

SAYS = {
    "not_initialized": "node isn't initialized",
    "terminating": "node is deleting or marked for deletion",
    "nominated": "node is nominated for a pending pod",
    "do_not_disrupt_node": 'disruption is blocked through the "karpenter.sh/do-not-disrupt" annotation',
    "missing_label": "node doesn't have required label",
    "do_not_disrupt_pod": 'pod has "karpenter.sh/do-not-disrupt" annotation',
    "multiple_pdbs": "eviction does not support multiple pdbs",
    "pdb": "pdb prevents pod evictions",
    "budget": "no allowed disruptions for disruption reason empty due to blocking budget",
}
"""Each blocker, and Karpenter's words for it (`state/statenode.go`, `disruption/types.go`, `disruption/events`, 1.13 and 1.14), in small letters."""
_OF_DAEMONSET = "do-not-disrupt-pod-of-a-daemonset"
ALONE = [(word,) for word in SAYS]
PAIRS = [
    ("do_not_disrupt_node", "do_not_disrupt_pod"),
    ("do_not_disrupt_pod", "pdb"),
    ("nominated", "pdb"),
    ("do_not_disrupt_node", "multiple_pdbs"),
    ("not_initialized", "pdb"),
]
CASES = {"-and-".join(words).replace("_", "-"): words for words in [*ALONE, *PAIRS]} | {_OF_DAEMONSET: ("do_not_disrupt_pod",)}


@pytest.fixture(scope="module")
def answers(
    request: pytest.FixtureRequest, kept: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, "Future[tuple[set[str], bool]]"]]:
    """The blockers that `why node` tells, and whether Karpenter tells one of them, for each case that was selected."""
    chosen = [
        item.callspec.id for item in request.session.items if isinstance(item, pytest.Function) and "case" in item.fixturenames
    ]
    home = tmp_path_factory.mktemp("why")
    scans = Scans(kept.kubeconfig, home)  # none are made: nothing is scanned here
    with ThreadPoolExecutor(max_workers=len(CASES)) as threads:
        try:
            yield {case: threads.submit(_answer, case, kept, scans, home) for case in chosen}
        finally:
            scans.end()


@pytest.mark.parametrize("case", CASES)
def test_a_node_is_kept_by_what_was_set_up_and_by_nothing_else(
    case: str, answers: Mapping[str, "Future[tuple[set[str], bool]]"]
) -> None:
    assert answers[case].result() == (set(CASES[case]), True)


def _answer(case: str, cluster: Cluster, scans: Scans, home: Path) -> tuple[set[str], bool]:
    stage = Stage(f"kept-by-{case}", cluster, scans)
    words = CASES[case]
    node = _kept_node(stage, words)
    stage.wait("Karpenter to say so", lambda: _karpenter_says(stage, node, words), seconds=420)
    with suppress(NeverCame):  # a node that has just come is kept by the nomination that it was bought for, until that lapses
        stage.wait("nothing else", lambda: _blockers(cluster, node, home) == set(words), seconds=60)
    return _blockers(cluster, node, home), _karpenter_says(stage, node, words)


def _kept_node(stage: Stage, words: tuple[str, ...]) -> str:
    """A node that such things keep; its name."""
    budgets = [{"nodes": "0" if "budget" in words else "100%"}]
    disruption = {"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "10s", "budgets": budgets}
    startup = {"key": "agent.example.com/not-ready", "effect": "NoSchedule"}
    stage.nodepool(changes={"disruption": disruption}, startupTaints=[startup] if "not_initialized" in words else [])
    do_not_disrupt, agents = {"karpenter.sh/do-not-disrupt": "true"}, stage.name.endswith(_OF_DAEMONSET)
    annotations = do_not_disrupt if "do_not_disrupt_pod" in words and not agents else {IGNORES_SIGTERM: ""}
    tolerations = [{"key": "pool", "value": stage.name, "effect": "NoSchedule"}, startup]
    stage.deployment("web", cpu="300m", annotations=annotations, tolerations=tolerations, terminationGracePeriodSeconds=600)
    stage.daemonset("node-agent", annotations=do_not_disrupt if agents else {}, tolerations=tolerations)
    if "pdb" in words:  # over another pod than the one that says do-not-disrupt: that one is not evicted, and no PDB is asked of it
        stage.pdb("node-agent", app="node-agent", minAvailable=1)
    if "multiple_pdbs" in words:
        for name in ("web", "web-too"):
            stage.pdb(name, app="web", maxUnavailable=1)
    stage.running("web")
    stage.running("node-agent")
    (pod,) = stage.pods("web", "Running")
    node: str = pod["spec"]["nodeName"]
    if "do_not_disrupt_node" in words:
        stage.kubectl("annotate", "node", node, "karpenter.sh/do-not-disrupt=true")
    if "missing_label" in words:
        stage.kubectl("label", "node", node, "karpenter.sh/nodepool-")
    if "nominated" in words:
        stage.waits_for_nobody("ghost")
        stage.nominated("ghost")
    if "terminating" in words:
        stage.kubectl("delete", "node", node, "--wait=false")
    if "budget" in words:
        stage.kubectl("delete", "deployment", "web", "-n", stage.name)
        stage.kubectl("delete", "pods", "--all", "-n", stage.name, "--force", "--grace-period=0")
        stage.wait("the node to be consolidatable", lambda: stage.is_true("Consolidatable"))
    return node


def _karpenter_says(stage: Stage, node: str, words: tuple[str, ...]) -> bool:
    """Whether an event of Karpenter's about the node, its NodeClaim or its NodePool names one of these."""
    names = {node, stage.name, *(claim["metadata"]["name"] for claim in stage.nodeclaims())}
    events = stage.api.items("/api/v1/events", fieldSelector="reason=DisruptionBlocked")
    said = [event["message"].lower() for event in events if event["involvedObject"]["name"] in names]
    return any(SAYS[word] in message for word in words for message in said)


def _blockers(cluster: Cluster, node: str, home: Path) -> set[str]:
    """What blocks, by a `why node` of its own process; of a node that is being deleted it tells the phase in place of the checks."""
    command = (sys.executable, "-m", "karpenter_check", "why", "node", node, "--kubeconfig", str(cluster.kubeconfig), "-o", "json")
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "HOME": str(home)})
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    deleting = {"terminating"} if answer["termination"] else set()
    return deleting | {check["check"] for check in answer["checks"] if check["answer"] == "blocks"}
