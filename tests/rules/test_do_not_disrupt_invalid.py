import msgspec
import pytest

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.do_not_disrupt_invalid import do_not_disrupt_invalid
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import Kind, Status, Version
from karpenter_check.snapshot.metadata import OwnerReference
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import Thing, a_cluster, a_daemonset, a_deployment, a_node, a_nodeclaim, a_nodepool, a_pod, a_uid

WEB = a_deployment("web")
POOL = Ref("NodePool", "default", "karpenter.sh/v1")
V1_13 = Version(1, 13)


def found(*things: Thing, version: Version | None = V1_13) -> list[Finding]:
    return list(do_not_disrupt_invalid(a_cluster(*things, version=version)))


def causes(*things: Thing, version: Version | None = V1_13) -> list[str]:
    return [finding.cause for finding in found(*things, version=version)]


def saying(value: str, *, name: str = "web-1", phase: str = "", deleted: str = "") -> PodObject:
    return a_pod(name, on="n1", of=WEB, do_not_disrupt=value, phase=phase, deleted=deleted)


def owned_by(pod: PodObject, kind: str, name: str, api_version: str) -> PodObject:
    owners = (OwnerReference(kind, name, a_uid(kind, name), api_version, controller=True),)
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, owner_references=owners))


def patched(value: str) -> str:
    return f"""--type merge -p '{{"spec":{{"template":{{"metadata":{{"annotations":{{"karpenter.sh/do-not-disrupt":"{value}"}}}}}}}}}}'"""


def test_days_are_no_duration() -> None:
    pod, web = Ref("Pod", "web-1", "v1", "shop"), Ref("Deployment", "web", "apps/v1", "shop")

    assert found(WEB, a_node("n1"), saying("1d")) == [
        Finding(
            object=web,
            owner=web,
            cause="not-a-duration",
            message="Karpenter ignores do-not-disrupt: 1d of shop/web; its pod may be disrupted",
            why='"1d" is no duration: its units are h, m and s, as in 1h30m; '
            "Karpenter ignores it, and says so in events of the pod alone",
            cost="Karpenter may disrupt what somebody meant to protect, at any time",
            impact=Impact(nodes=1, pods=1),
            evidence=(Evidence(pod, "metadata.annotations[karpenter.sh/do-not-disrupt]", "1d"),),
            occurrences=(Occurrence(pod, a_uid("Pod", "web-1", "shop"), "n1", "not-a-duration"),),
            fix=(
                Fix("stop", "kubectl annotate pod -n shop web-1 --overwrite karpenter.sh/do-not-disrupt=24h"),
                Fix(
                    "fix",
                    f"kubectl patch deployment -n shop web {patched('24h')}",
                    risk="replaces the pods, now or as its strategy says",
                ),
                Fix("verify", "karpenter-check scan --select do-not-disrupt-invalid -n shop"),
            ),
        )
    ]


@pytest.mark.parametrize(
    ("value", "cause", "instead"),
    [
        ("True", "not-true", "true"),
        ("TRUE", "not-true", "true"),
        (" true", "not-true", "true"),
        ("yes", "not-true", "true"),
        ("1", "not-true", "true"),
        ("Never", "not-true", "true"),
        ("1d", "not-a-duration", "24h"),
        ("2 weeks", "not-a-duration", "336h"),
        ("4hours", "not-a-duration", "4h"),
        ("30 min", "not-a-duration", "30m"),
        ("0d", "not-a-duration", "true"),
        ("60", "not-a-duration", "true"),
        ("P1D", "not-a-duration", "true"),
        ("1h 30m", "not-a-duration", "true"),
        ("300000000h", "not-a-duration", "true"),
        ("0s", "not-positive", "true"),
        ("-4h", "not-positive", "true"),
    ],
)
def test_values_that_karpenter_ignores(value: str, cause: str, instead: str) -> None:
    (finding,) = found(WEB, a_node("n1"), saying(value))

    assert (finding.cause, finding.severity, finding.confidence) == (cause, None, Confidence.CERTAIN)
    assert finding.fix[0].command.endswith("=" + instead)


@pytest.mark.parametrize(
    "value", ["", "true", "4h", "1h30m", "1.5h", "90s", "+4h", "1m", "500ms", "false", "False", "no", "off", "0"]
)
def test_values_that_karpenter_heeds_or_that_ask_for_nothing(value: str) -> None:
    assert causes(WEB, a_node("n1"), saying(value)) == []


def test_a_duration_that_is_over_was_heeded() -> None:
    assert causes(WEB, a_node("n1"), saying("10m")) == []


def test_before_1_12_no_duration_is_known() -> None:
    (finding,) = found(WEB, a_node("n1"), saying("4h"), version=Version(1, 11))

    assert (finding.cause, finding.severity, finding.confidence) == ("duration-too-new", None, Confidence.CERTAIN)
    assert finding.why == '"4h" is a duration, which Karpenter 1.11.0 does not know; 1.12 does; Karpenter ignores it without a word'
    assert [step.command for step in found(WEB, a_node("n1"), saying("1d"), version=Version(1, 11))[0].fix][:1] == [
        "kubectl annotate pod -n shop web-1 --overwrite karpenter.sh/do-not-disrupt=true"
    ]


def test_of_an_unknown_version_a_duration_is_no_more_than_a_note() -> None:
    (finding,) = found(WEB, a_node("n1"), saying("4h"), version=None)

    assert (finding.cause, finding.severity, finding.confidence) == ("duration-too-new", Severity.INFO, Confidence.POSSIBLE)
    assert finding.message == "Karpenter may ignore do-not-disrupt: 4h of shop/web; its pod may be disrupted"


def test_of_an_unknown_version_a_duration_is_proposed_with_a_warning() -> None:
    (finding,) = found(WEB, a_node("n1"), saying("1d"), version=None)

    assert finding.fix[0].text == 'before Karpenter 1.12 only "true" counts'


def test_pods_of_one_workload_are_one_finding() -> None:
    (finding,) = found(WEB, a_node("n1"), *(saying(value, name=f"web-{value}") for value in ("yes", "True", "on")))

    assert finding.message == "Karpenter ignores do-not-disrupt: yes, True and 1 more of shop/web; its 3 pods may be disrupted"
    assert (finding.impact, finding.fix[0].text) == (Impact(nodes=1, pods=3), "and so the other 2")


@pytest.mark.parametrize("pod", [saying("True", phase="Failed"), saying("True", deleted="10s")])
def test_pods_that_are_over_need_no_protection(pod: PodObject) -> None:
    assert causes(WEB, a_node("n1"), pod) == []


def test_what_is_not_on_karpenters_nodes_needs_none_of_it() -> None:
    assert causes(WEB, a_node("n1", pool=""), saying("True"), a_pod("waits", do_not_disrupt="True")) == []


def test_a_long_value_is_cut_and_a_hostile_one_stays_out_of_commands() -> None:
    (finding,) = found(WEB, a_node("n1"), saying("x'; rm -rf / #" * 100))

    assert len(finding.message) < 200
    assert "rm -rf" not in "".join(step.command for step in finding.fix)


def test_where_a_template_is_out_of_reach_the_fix_says_so() -> None:
    job = owned_by(a_pod("train-1", on="n1", do_not_disrupt="1d"), "Job", "train", "batch/v1")
    cron = owned_by(a_pod("nightly-1", on="n1", do_not_disrupt="1d"), "Job", "nightly-29386080", "batch/v1")
    other = owned_by(a_pod("canary-1", on="n1", do_not_disrupt="1d"), "CloneSet", "canary", "apps.kruise.io/v1alpha1")
    bare = a_pod("runner", on="n1", do_not_disrupt="1d")
    steps = {finding.owner.kind: finding.fix[:-1] for finding in found(a_node("n1"), job, cron, other, bare)}

    assert steps["Job"][1] == Fix("fix", text="a Job's template cannot be changed: mend what makes the Job")
    assert steps["CronJob"][1].command == (
        "kubectl patch cronjob -n shop nightly --type merge -p "
        """'{"spec":{"jobTemplate":{"spec":{"template":{"metadata":{"annotations":{"karpenter.sh/do-not-disrupt":"24h"}}}}}}}'"""
    )
    assert steps["CloneSet"][1] == Fix("fix", text="mend what CloneSet shop/canary makes its pods from")
    assert steps["Pod"] == (Fix("fix", "kubectl annotate pod -n shop runner --overwrite karpenter.sh/do-not-disrupt=24h"),)


def test_daemonsets_and_static_pods_are_protected_no_better() -> None:
    logs = a_daemonset("logs")
    static = owned_by(a_pod("proxy-n1", on="n1", do_not_disrupt="True"), "Node", "n1", "v1")
    owners = [
        finding.owner.kind for finding in found(logs, a_node("n1"), a_pod("logs-1", on="n1", of=logs, do_not_disrupt="yes"), static)
    ]

    assert owners == ["DaemonSet", "NodePool"]


@pytest.mark.parametrize(("value", "cause"), [("4h", "duration-on-node"), ("True", "not-true-on-node"), ("1d", "not-true-on-node")])
def test_of_a_node_only_true_counts(value: str, cause: str) -> None:
    (finding,) = found(a_node("n1", do_not_disrupt=value))

    assert (finding.object, finding.owner, finding.nodepool, finding.cause) == (Ref("Node", "n1", "v1"), POOL, "default", cause)
    assert finding.message == f"Karpenter ignores do-not-disrupt: {value} of n1; it may be disrupted"
    assert finding.fix[0] == Fix("fix", "kubectl annotate node n1 --overwrite karpenter.sh/do-not-disrupt=true")


@pytest.mark.parametrize("value", ["true", "false", ""])
def test_other_nodes_are_fine(value: str) -> None:
    assert causes(a_nodepool(do_not_disrupt=value), a_node("n1", do_not_disrupt=value)) == []


def test_a_template_is_told_once_and_not_for_each_node() -> None:
    nodes = [a_node(name, do_not_disrupt="4h") for name in ("n1", "n2")]
    (finding,) = found(a_nodepool(do_not_disrupt="4h"), *nodes)

    assert (finding.object, finding.cause) == (POOL, "duration-on-template")
    assert finding.message == "Karpenter ignores do-not-disrupt: 4h of default; its nodes may be disrupted"
    assert finding.why == '"4h" is a duration, and of a node only "true" counts; Karpenter ignores it without a word'
    assert [step.command for step in finding.fix] == [
        "kubectl annotate node -l karpenter.sh/nodepool=default --overwrite karpenter.sh/do-not-disrupt=true",
        f"kubectl patch nodepool default {patched('true')}",
        "karpenter-check scan --select do-not-disrupt-invalid --nodepool default",
    ]


@pytest.mark.parametrize("kind", [Kind.POD, Kind.NODE, Kind.NODECLAIM, Kind.NODEPOOL])
def test_without_what_it_needs_it_is_not_checked(kind: Kind) -> None:
    cluster = a_cluster(a_node("n1"), missing={kind: Status.FORBIDDEN})

    assert [run.outcome for run in scan(cluster, [do_not_disrupt_invalid]).runs] == [Outcome.SKIPPED]


def test_nodes_that_were_made_by_hand_stand_for_themselves() -> None:
    nodes = [a_node(name, pool="", do_not_disrupt="yes") for name in ("n1", "n2")]
    claims = [a_nodeclaim(f"by-hand-{node.name}", node=node.name, pool="") for node in nodes]

    assert [finding.owner.name for finding in found(*nodes, *claims)] == ["by-hand-n1", "by-hand-n2"]
