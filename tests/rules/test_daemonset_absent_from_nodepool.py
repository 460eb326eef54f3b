import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from karpenter_check import __version__
from karpenter_check.finding import Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.reports import Format, render
from karpenter_check.rules import daemonset_absent_from_nodepool as module
from karpenter_check.rules.daemonset_absent_from_nodepool import daemonset_absent_from_nodepool
from karpenter_check.scan import scan
from karpenter_check.snapshot import DaemonSet, Node, NodeClaim, NodePool, Snapshot
from karpenter_check.snapshot.pod_object import NodeSelectorTerm, PodObject
from tests.build import a_cluster, a_daemonset, a_node, a_nodeclaim, a_nodepool, a_pod, a_term, ago

PAGE = Path(__file__).parents[2] / "docs" / "rules" / "daemonset-absent-from-nodepool.md"
DEDICATED = "dedicated=batch:NoSchedule"


def found(cluster: Snapshot, *, minimum_age: timedelta = timedelta(minutes=10)) -> list[Finding]:
    return list(daemonset_absent_from_nodepool(cluster, minimum_age=minimum_age))


def severities(cluster: Snapshot) -> list[Severity | None]:
    return [finding.severity for finding in found(cluster)]


def born(daemonset: DaemonSet, age: str, *, deleted: str = "") -> DaemonSet:
    times = {"creation_timestamp": ago(age), "deletion_timestamp": ago(deleted) if deleted else None}
    return msgspec.structs.replace(daemonset, metadata=msgspec.structs.replace(daemonset.metadata, **times))


def an_agent(
    name: str = "aws-node",
    *,
    selector: dict[str, str] | None = None,
    terms: Sequence[NodeSelectorTerm] = (),
    tolerations: Sequence[str] = (),
) -> DaemonSet:
    return a_daemonset(name, selector=selector, terms=terms, tolerations=tolerations)


def a_cluster_of_three(
    agent: DaemonSet,
    *more: PodObject | NodePool | NodeClaim | DaemonSet | Node,
    node: Node | None = None,
    labels: dict[str, str] | None = None,
    runs_on: Sequence[str] = ("a", "b"),
) -> Snapshot:
    """The agent runs on the nodes of the NodePools `a` and `b`, which carry the labels; `batch` is tainted."""
    batch = node or a_node("batch-1", pool="batch", taints=[DEDICATED])
    pods = [a_pod(f"{agent.metadata.name}-{name}", on=f"{name}-1", of=agent) for name in runs_on]
    pools = (
        [] if any(isinstance(one, NodePool) and one.name == "batch" for one in more) else [a_nodepool("batch", taints=[DEDICATED])]
    )
    return a_cluster(*(a_node(f"{name}-1", pool=name, labels=labels) for name in ("a", "b")), batch, agent, *pods, *pools, *more)


def test_a_network_daemonset_that_a_taint_keeps_out_of_one_nodepool_is_found() -> None:
    agent = Ref("DaemonSet", "aws-node", "apps/v1", "kube-system")
    cluster = a_cluster_of_three(an_agent())

    assert found(cluster) == [
        Finding(
            object=agent,
            owner=agent,
            nodepool="batch",
            cause="taint:dedicated",
            message="it runs on 2 of 3 NodePools, and on none of batch's 1 node",
            why="it does not tolerate dedicated=batch:NoSchedule of NodePool batch",
            cost="pods on batch go without the network that it brings",
            impact=Impact(nodes=1, pods=0),
            evidence=(Evidence(Ref("NodePool", "batch", "karpenter.sh/v1"), "spec.template.spec.taints", DEDICATED),),
            occurrences=(
                Occurrence(
                    Ref("Node", "batch-1", "v1"),
                    cluster.nodes_by_name["batch-1"].metadata.uid,
                    "batch-1",
                    "taint:dedicated",
                    ago("1h"),
                ),
            ),
            since=ago("1h"),
            fix=(
                Fix(
                    "fix",
                    "kubectl patch daemonset -n kube-system aws-node --type json -p "
                    """'[{"op":"add","path":"/spec/template/spec/tolerations","value":[{"key":"dedicated","operator":"Exists","effect":"NoSchedule"}]}]'""",
                    text="if it should run there",
                    risk="rolls the DaemonSet; batch's nodes kept no room for it, so on full ones its pods stay Pending or preempt others",
                ),
                Fix("verify", "karpenter-check scan --select daemonset-absent-from-nodepool --nodepool batch"),
            ),
        )
    ]


def test_a_label_that_the_nodepool_does_not_have_is_found() -> None:
    cluster = a_cluster_of_three(an_agent(selector={"team": "a"}), node=a_node("batch-1", pool="batch"), labels={"team": "a"})

    assert [
        (finding.cause, finding.severity, finding.why, finding.evidence, finding.fix[0].command) for finding in found(cluster)
    ] == [
        (
            "label:team",
            None,
            "it needs team In [a], and node batch-1 has no team",
            (Evidence(Ref("Node", "batch-1", "v1"), "metadata.labels.team", "none"),),
            "",
        )
    ]


def test_a_taint_that_only_the_nodes_have_is_found_with_its_writer() -> None:
    node = a_node("batch-1", pool="batch", taints=["odd:NoExecute"], taints_written_by="kubectl-taint")
    cluster = a_cluster_of_three(an_agent(tolerations=["x:NoSchedule"]), a_nodepool("batch"), node=node)

    assert [(finding.why, finding.evidence) for finding in found(cluster)] == [
        (
            "it does not tolerate odd:NoExecute of node batch-1",
            (Evidence(Ref("Node", "batch-1", "v1"), "spec.taints", "odd:NoExecute", "kubectl-taint"),),
        )
    ]


@pytest.mark.parametrize(
    "name",
    [
        "aws-node", "kube-proxy", "cilium", "my-cilium", "calico-node", "kube-flannel-ds", "kube-flannel-ds-amd64", "weave-net",
        "azure-cns", "ebs-csi-node", "efs-csi-node", "csi-azuredisk-node", "csi-azurefile-node", "csi-cinder-nodeplugin",
        "prod-ebs-csi-node", "longhorn-csi-plugin",
    ],
)  # fmt: skip
def test_what_pods_cannot_do_without_is_high(name: str) -> None:
    assert severities(a_cluster_of_three(an_agent(name))) == [None]


@pytest.mark.parametrize(
    "name",
    ["log-agent", "node-exporter", "aws-node-termination-handler", "csi-secrets-store-provider-aws", "secrets-store-csi-driver"],
)
def test_everything_else_is_info(name: str) -> None:
    assert severities(a_cluster_of_three(an_agent(name))) == [Severity.INFO]


@pytest.mark.parametrize("term", ["dedicated NotIn batch", "dedicated DoesNotExist"])
def test_what_its_own_affinity_keeps_away_on_purpose_is_info(term: str) -> None:
    node = a_node("batch-1", pool="batch", labels={"dedicated": "batch"})
    cluster = a_cluster_of_three(an_agent(terms=[a_term(term)]), a_nodepool("batch"), node=node)

    assert severities(cluster) == [Severity.INFO]


def test_nodes_that_bring_their_own_network_are_fine() -> None:
    key = "eks.amazonaws.com/compute-type"
    node = a_node("batch-1", pool="batch", labels={key: "auto"})
    cluster = a_cluster_of_three(an_agent(terms=[a_term(f"{key} NotIn fargate,auto")]), a_nodepool("batch"), node=node)

    assert found(cluster) == []


def test_where_another_network_runs_it_is_info() -> None:
    cilium = a_daemonset("cilium")
    cluster = a_cluster_of_three(an_agent(), cilium, a_pod("cilium-1", on="batch-1", of=cilium))

    assert [(finding.severity, finding.why.partition("; ")[2]) for finding in found(cluster)] == [
        (Severity.INFO, "cilium runs there")
    ]


@pytest.mark.parametrize(
    ("absent", "there"),
    [
        ("aws-node", "kube-proxy"),
        ("kube-proxy", "aws-node"),
        ("cilium", "cilium-envoy"),
        ("aws-node", "aws-node-termination-handler"),
    ],
)
def test_what_only_works_beside_it_is_no_stand_in(absent: str, there: str) -> None:
    other = a_daemonset(there)
    cluster = a_cluster_of_three(an_agent(absent), other, a_pod("other-1", on="batch-1", of=other))

    assert severities(cluster) == [None]


def test_where_a_variant_of_it_runs_it_is_info() -> None:
    other = a_daemonset("ebs-csi-node-batch")
    cluster = a_cluster_of_three(an_agent("ebs-csi-node"), other, a_pod("other-1", on="batch-1", of=other))

    assert severities(cluster) == [Severity.INFO]


@pytest.mark.parametrize("key", ["kubernetes.io/os", "kubernetes.io/arch"])
def test_nodes_for_which_another_build_is_made_are_fine(key: str) -> None:
    agent = an_agent(selector={key: "s390"})
    node = a_node("batch-1", pool="batch")

    assert found(a_cluster_of_three(agent, a_nodepool("batch"), node=node, labels={key: "s390", "kubernetes.io/os": "linux"})) == []


def test_nodes_that_a_taint_of_their_architecture_guards_are_fine() -> None:
    node = a_node("batch-1", pool="batch", taints=["kubernetes.io/arch=arm64:NoSchedule"])

    assert found(a_cluster_of_three(an_agent(), node=node)) == []


def test_windows_nodes_are_fine() -> None:
    node = a_node("batch-1", pool="batch", labels={"kubernetes.io/os": "windows"}, taints=["os=windows:NoSchedule"])

    assert found(a_cluster_of_three(an_agent(), node=node)) == []


def test_an_alternative_that_names_an_architecture_is_no_excuse_where_a_taint_keeps_it_away() -> None:
    agent = an_agent(terms=[a_term("kubernetes.io/arch In amd64"), a_term("kubernetes.io/arch In arm64")])

    assert [finding.cause for finding in found(a_cluster_of_three(agent))] == ["taint:dedicated"]


def test_a_daemonset_that_runs_on_a_minority_is_fine() -> None:
    assert found(a_cluster_of_three(an_agent(), runs_on=["a"])) == []


def test_half_of_the_nodepools_are_no_majority() -> None:
    agent = an_agent()

    assert found(a_cluster_of_three(agent, a_node("c-1", pool="c", taints=[DEDICATED]))) == []


def test_one_nodepool_is_not_most_of_one() -> None:
    agent = an_agent()
    cluster = a_cluster(a_node("a-1", pool="a"), agent, a_pod("agent-1", on="a-1", of=agent))

    assert found(cluster) == []


def test_pods_that_only_wait_do_not_make_a_majority() -> None:
    agent = an_agent()
    waiting = a_pod("waiting", pinned_to="b-1", of=agent)

    assert found(a_cluster_of_three(agent, waiting, runs_on=["a"])) == []


def test_a_pod_that_waits_for_a_node_of_the_nodepool_is_fine() -> None:
    agent = an_agent()

    assert found(a_cluster_of_three(agent, a_pod("waiting", pinned_to="batch-1", of=agent))) == []


def test_a_daemonset_that_one_node_would_admit_is_rolling_out() -> None:
    agent = an_agent()

    assert found(a_cluster_of_three(agent, a_node("batch-2", pool="batch"))) == []


def test_a_daemonset_that_is_young_or_goes_is_fine() -> None:
    assert found(a_cluster_of_three(born(an_agent(), "5m"))) == []
    assert found(a_cluster_of_three(born(an_agent(), "1h", deleted="1m"))) == []


@pytest.mark.parametrize(
    "node",
    [
        a_node("batch-1", pool="batch", taints=[DEDICATED], age="5m"),
        a_node("batch-1", pool="batch", taints=[DEDICATED], ready=False),
        a_node("batch-1", pool="batch", taints=[DEDICATED], initialized=False),
        a_node("batch-1", pool="batch", taints=[DEDICATED], cordoned=True),
        a_node("batch-1", pool="batch", taints=[DEDICATED], deleted="1m"),
        a_node("batch-1", pool="batch", taints=[DEDICATED, "karpenter.sh/disrupted:NoSchedule"]),
        a_node("batch-1", pool="batch", taints=[DEDICATED, "node.kubernetes.io/disk-pressure:NoSchedule"]),
    ],
    ids=["young", "not ready", "not initialized", "cordoned", "deleted", "disrupted", "ill"],
)
def test_a_node_that_is_not_settled_proves_nothing(node: Node) -> None:
    assert found(a_cluster_of_three(an_agent(), node=node)) == []


def test_a_nodepool_or_nodeclaim_that_goes_is_fine() -> None:
    assert found(a_cluster_of_three(an_agent(), a_nodepool("batch", taints=[DEDICATED], deleted="1m"))) == []
    assert found(a_cluster_of_three(an_agent(), a_nodeclaim(node="batch-1", pool="batch", deleted="1m"))) == []


def test_a_node_that_is_not_karpenters_is_fine() -> None:
    labelled = a_cluster_of_three(an_agent())
    claims = tuple(claim for claim in labelled.nodeclaims if claim.nodepool != "batch")

    assert found(a_cluster_of_three(an_agent(), node=a_node("fargate", pool="", taints=[DEDICATED]))) == []
    assert found(replace(labelled, nodeclaims=claims)) == []


def test_the_minimum_age_is_a_setting() -> None:
    assert found(a_cluster_of_three(an_agent()), minimum_age=timedelta(hours=2)) == []


def test_alike_nodes_are_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []

    def admits(_selector: object, _affinity: object, _shape: object, node: Node) -> bool:
        judged.append(node.name)
        return False

    monkeypatch.setattr(module, "admits_daemonset", admits)
    more = [a_node(f"batch-{place}", pool="batch", taints=[DEDICATED]) for place in range(2, 9)]

    assert len(found(a_cluster_of_three(an_agent(), *more))[0].occurrences) == 8
    assert judged == ["batch-1"]


def test_the_example_that_no_recording_has_is_what_a_scan_prints() -> None:
    printed = render(
        scan(a_cluster_of_three(an_agent()), [daemonset_absent_from_nodepool]), Format.TABLE, version=__version__, width=1000
    )
    (example,) = re.findall(r"^```text\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)

    assert [line for line in example.splitlines() if " ".join(line.split()) not in " ".join(printed.split())] == []
