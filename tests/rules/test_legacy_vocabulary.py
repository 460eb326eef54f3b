"""Words that Karpenter understood before 1.0."""

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Blame, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.legacy_vocabulary import legacy_vocabulary
from karpenter_check.rules.pod_ignored_by_karpenter import pod_ignored_by_karpenter
from karpenter_check.scan import scan
from karpenter_check.snapshot import Snapshot, Version
from karpenter_check.snapshot.nodepool import Disruption
from karpenter_check.snapshot.pod_object import (
    Affinity,
    NodeAffinity,
    PodObject,
    PreferredSchedulingTerm,
    TopologySpreadConstraint,
)
from tests.build import a_cluster, a_daemonset, a_deployment, a_node, a_nodepool, a_pod, a_term, ago

LABEL = "karpenter.sh/provisioner-name"
WEB = Ref("Deployment", "web", "apps/v1", "shop")
POD = Ref("Pod", "web-1", "v1", "shop")
POOL = Ref("NodePool", "default", "karpenter.sh/v1")
VERIFY = Fix("verify", "karpenter-check scan --select legacy-vocabulary -n shop")


def found(cluster: Snapshot) -> list[Finding]:
    return list(legacy_vocabulary(cluster))


def judged(cluster: Snapshot) -> list[tuple[str, str, Severity | None]]:
    return [(finding.owner.name, finding.cause, finding.severity) for finding in found(cluster)]


def of_pod(pod: PodObject, *, version: Version | None = None) -> list[tuple[str, Severity | None]]:
    cluster = a_cluster(a_node("n1"), a_node("ours", pool=""), pod, version=version)
    return [(cause, severity) for _, cause, severity in judged(cluster)]


def test_a_pod_that_selects_the_label_of_provisioners_is_found() -> None:
    web = a_deployment()
    cluster = a_cluster(a_nodepool(), web, a_pod("web-1", of=web, selector={LABEL: "default"}))

    assert found(cluster) == [
        Finding(
            object=WEB,
            owner=WEB,
            cause="provisioner-name",
            severity=Severity.MEDIUM,
            message="web asks for nodes with karpenter.sh/provisioner-name, which Karpenter gives to none any more",
            why="spec.nodeSelector[karpenter.sh/provisioner-name] is default; Provisioners became NodePools in 0.32; their nodes say karpenter.sh/nodepool, and Karpenter looks at no pod that asks for the old label",
            impact=Impact(nodes=0, pods=1),
            evidence=(Evidence(POD, "spec.nodeSelector[karpenter.sh/provisioner-name]", "default"),),
            occurrences=(Occurrence(POD, cluster.pods[0].metadata.uid, "", "provisioner-name", ago("50m")),),
            since=ago("50m"),
            fix=(
                Fix(
                    "fix",
                    "kubectl edit deployment -n shop web",
                    "rename it to karpenter.sh/nodepool, with the name of a NodePool",
                    "its pods are replaced, as by a rollout",
                ),
                VERIFY,
            ),
            blames=(Blame(WEB),),
        )
    ]


def test_of_a_pod_that_waits_for_it_both_rules_tell_one_story() -> None:
    web = a_deployment()
    cluster = a_cluster(a_nodepool(), web, a_pod("web-1", of=web, selector={LABEL: "default"}, do_not_evict="true"))
    report = scan(cluster, [legacy_vocabulary, pod_ignored_by_karpenter])
    ignored = next(result for result in report.results if result.rule.slug == "pod-ignored-by-karpenter")

    assert {result.finding.cause: result.caused_by for result in report.results} == {
        f"label:{LABEL}": (),
        "provisioner-name": (ignored.fingerprint,),
        "do-not-evict": (),
    }


def test_a_pod_that_runs_all_the_same_is_low() -> None:
    web = a_deployment()
    node = a_node("old", pool="", labels={LABEL: "default"})
    (finding,) = found(a_cluster(a_nodepool(), node, web, a_pod("web-1", on="old", of=web, selector={LABEL: "default"})))

    assert (finding.severity, finding.blames) == (Severity.LOW, ())
    assert finding.why.endswith(
        "; the nodes that it runs on have the label from somewhere else, and Karpenter buys no more of them"
    )


def test_a_pod_that_says_do_not_evict_is_found() -> None:
    web = a_deployment()
    cluster = a_cluster(a_node("n1"), web, a_pod("web-1", on="n1", of=web, do_not_evict="true"))

    assert found(cluster) == [
        Finding(
            object=WEB,
            owner=WEB,
            cause="do-not-evict",
            severity=Severity.MEDIUM,
            message="web says karpenter.sh/do-not-evict, which Karpenter ignores since 1.0: its 1 pod may be disrupted",
            why="only karpenter.sh/do-not-disrupt keeps a pod from being disrupted now",
            impact=Impact(nodes=1, pods=1),
            evidence=(Evidence(POD, "metadata.annotations[karpenter.sh/do-not-evict]", "true"),),
            occurrences=(Occurrence(POD, cluster.pods[0].metadata.uid, "n1", "do-not-evict", ago("50m")),),
            since=ago("50m"),
            fix=(
                Fix(
                    "fix",
                    "kubectl edit deployment -n shop web",
                    'write karpenter.sh/do-not-disrupt: "true" instead, in the template of its pods, if they must not be disrupted',
                    "its pods are replaced, as by a rollout",
                ),
                VERIFY,
            ),
        )
    ]


def test_a_bare_pod_is_to_be_made_again() -> None:
    (finding,) = found(a_cluster(a_nodepool(), a_pod("once", selector={LABEL: "default"})))

    assert finding.fix[0] == Fix("fix", text="make it again, and rename it to karpenter.sh/nodepool, with the name of a NodePool")


@pytest.mark.parametrize(
    "pod",
    [
        a_pod("web-1", on="n1", do_not_evict="false"),
        a_pod("web-1", on="n1", do_not_evict="true", do_not_disrupt="true"),
        a_pod("web-1", on="ours", do_not_evict="true"),
        a_pod("web-1", on="n1", do_not_evict="true", phase="Succeeded"),
        a_pod("web-1", on="n1", do_not_evict="true", deleted="1m"),
        a_pod("logs-1", on="n1", of=a_daemonset()),
        a_pod("web-1", terms=[a_term(f"{LABEL} DoesNotExist")]),
        a_pod("web-1", terms=[a_term(f"{LABEL} NotIn old")]),
        a_pod("web-1", selector={"karpenter.sh/capacity-type": "spot"}),
    ],
    ids=[
        "it asks for no protection",
        "the new word protects it",
        "its node is not Karpenter's",
        "finished",
        "on its way out",
        "a DaemonSet's pod, which is pinned by matchFields",
        "the label may not be there",
        "the label may not have that value",
        "a label that is still there",
    ],
)
def test_what_does_no_harm_is_fine(pod: PodObject) -> None:
    assert of_pod(pod) == []


@pytest.mark.parametrize("term", [f"{LABEL} In default,other", f"{LABEL} Exists"])
def test_required_affinity_asks_for_it_too(term: str) -> None:
    assert of_pod(a_pod("web-1", terms=[a_term("team Exists"), a_term(term)])) == [("provisioner-name", Severity.MEDIUM)]


def test_a_preference_is_given_up_and_so_fine() -> None:
    pod = a_pod("web-1")
    preferred = NodeAffinity(preferred=(PreferredSchedulingTerm(1, a_term(f"{LABEL} Exists")),))

    assert of_pod(replace(pod, spec=replace(pod.spec, affinity=Affinity(preferred)))) == []


def test_spread_over_it_is_found() -> None:
    pod = a_pod("web-1")
    spread = (TopologySpreadConstraint(LABEL, "DoNotSchedule"),)

    assert of_pod(replace(pod, spec=replace(pod.spec, topology_spread_constraints=spread))) == [
        ("provisioner-name", Severity.MEDIUM)
    ]


def test_a_toleration_of_the_old_taint_is_low() -> None:
    assert of_pod(a_pod("web-1", on="n1", tolerations=["karpenter.sh/disruption:NoSchedule"])) == [
        ("disruption-taint", Severity.LOW)
    ]


@pytest.mark.parametrize("also", ["karpenter.sh/disrupted:NoSchedule", "*"])
def test_a_toleration_beside_one_of_the_new_taint_is_fine(also: str) -> None:
    assert of_pod(a_pod("web-1", on="n1", tolerations=["karpenter.sh/disruption:NoSchedule", also])) == []


def test_a_karpenter_that_knows_the_words_is_told_nothing() -> None:
    pod = a_pod("web-1", on="n1", do_not_evict="true")

    assert of_pod(pod, version=Version(0, 37)) == []
    assert of_pod(pod, version=Version(1, 0)) == [("do-not-evict", Severity.MEDIUM)]


def test_of_an_unknown_version_nodepools_of_v1beta1_show_that_it_may_know_them() -> None:
    pool = a_nodepool()
    old = replace(pool, spec=replace(pool.spec, disruption=Disruption(expire_after="720h")))

    assert found(a_cluster(old, a_node("n1"), a_pod("web-1", on="n1", do_not_evict="true"))) == []


def test_a_cluster_without_nodepools_is_told_nothing() -> None:
    assert found(a_cluster(a_pod("web-1", selector={LABEL: "default"}))) == []


def test_a_daemonset_that_selects_the_label_runs_on_no_node() -> None:
    (finding,) = found(a_cluster(a_node("n1"), a_daemonset("agent", selector={LABEL: "default"})))

    assert (finding.owner.name, finding.cause, finding.severity) == ("agent", "provisioner-name", Severity.MEDIUM)
    assert finding.why == "the label is on no node that Karpenter makes, so it runs on none of them"
    assert finding.evidence == (Evidence(finding.owner, f"spec.template.spec.nodeSelector[{LABEL}]", "default"),)


def test_a_daemonset_on_nodes_that_were_labelled_otherwise_is_told_of_those() -> None:
    agent = a_daemonset("agent", selector={LABEL: "default"})
    node = a_node("old", pool="", labels={LABEL: "default"})
    (finding,) = found(a_cluster(a_nodepool(), node, agent, a_pod("agent-1", on="old", of=agent)))

    assert finding.why.endswith("; it runs on 1 node with that label from somewhere else, and on no other")


def test_a_daemonset_that_asks_for_the_old_label_or_the_new_one_is_fine() -> None:
    terms = [a_term(f"{LABEL} Exists"), a_term("karpenter.sh/nodepool Exists")]

    assert found(a_cluster(a_node("n1"), a_daemonset("agent", terms=terms, tolerations=[]))) == []


def test_a_daemonsets_toleration_of_the_old_taint_is_low() -> None:
    agent = a_daemonset("agent", tolerations=["karpenter.sh/disruption:NoSchedule"])

    assert judged(a_cluster(a_node("n1"), agent)) == [("agent", "disruption-taint", Severity.LOW)]


def test_a_node_that_says_do_not_consolidate_is_found() -> None:
    node = a_node("n1", do_not_consolidate="true")

    assert found(a_cluster(node)) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="default",
            cause="do-not-consolidate",
            message="1 node of default says karpenter.sh/do-not-consolidate, which Karpenter ignores since 1.0",
            why="such a node is consolidated like any other; only karpenter.sh/do-not-disrupt keeps it",
            impact=Impact(nodes=1),
            evidence=(Evidence(Ref("Node", "n1", "v1"), "metadata.annotations[karpenter.sh/do-not-consolidate]", "true"),),
            occurrences=(Occurrence(Ref("Node", "n1", "v1"), node.metadata.uid, "n1", "do-not-consolidate", ago("1h")),),
            since=ago("1h"),
            fix=(
                Fix(
                    "fix",
                    "kubectl annotate node n1 karpenter.sh/do-not-disrupt=true karpenter.sh/do-not-consolidate-",
                    "if it must stay; else take the old annotation away",
                    "it then stays when it drifts, too",
                ),
                Fix("verify", "karpenter-check scan --select legacy-vocabulary --nodepool default"),
            ),
        )
    ]


def test_a_nodepool_whose_template_says_it_is_found() -> None:
    (finding,) = found(a_cluster(a_nodepool(do_not_consolidate="true")))

    assert finding.message == "default's template says karpenter.sh/do-not-consolidate, which Karpenter ignores since 1.0"
    assert finding.fix[0].command == "kubectl edit nodepool default"


def test_a_node_that_the_new_word_keeps_is_fine() -> None:
    pool = a_nodepool(do_not_consolidate="true", do_not_disrupt="true")

    assert found(a_cluster(pool, a_node("n1", do_not_consolidate="true", do_not_disrupt="true"))) == []
