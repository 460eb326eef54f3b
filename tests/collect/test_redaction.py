"""Snapshots without names: nothing of them is left, and a scan finds the same."""

import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import yaml

from karpenter_check.collect.decode import decode_object
from karpenter_check.collect.files import read_files
from karpenter_check.collect.public_names import NAMES, is_public_key
from karpenter_check.collect.redacted_fields import DECISIONS
from karpenter_check.collect.redaction import Redaction, holds_text, redaction_key
from karpenter_check.collect.resources import RESOURCES, kind_of
from karpenter_check.finding import Ref
from karpenter_check.rules import every_rule
from karpenter_check.rules.daemonset_absent_from_nodepool import _essential
from karpenter_check.rules.node_expiry_herd import _vital
from karpenter_check.scan import Report, scan
from karpenter_check.snapshot import CollectionError, Kind, NodePool
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.installation import CustomResourceDefinition, CustomResourceDefinitionStatus, Lease, LeaseSpec
from karpenter_check.snapshot.metadata import Annotations, Condition, Metadata, OwnerReference
from karpenter_check.snapshot.node import Node, NodeMetadata, NodeStatus
from karpenter_check.snapshot.nodepool import (
    NodeClass,
    NodeClassRef,
    NodeClassSpec,
    NodeClassStatus,
    NodePoolSpec,
    Requirement,
    SelectorTerm,
    Subnet,
    Template,
    TemplateMetadata,
    TemplateSpec,
)
from karpenter_check.snapshot.owners import owner_of
from karpenter_check.snapshot.pod import PodShapes
from karpenter_check.snapshot.pod_object import PodObject, PodSpec, Toleration
from karpenter_check.snapshot.workload import (
    DaemonSet,
    Deployment,
    DeploymentContainer,
    DeploymentPodSpec,
    DeploymentSpec,
    DeploymentTemplate,
    EnvVar,
    ReplicaSet,
    StatefulSet,
)
from tests.build import a_claim, a_cluster, a_term, a_volume, an_attachment
from tests.conftest import RECORDINGS

KEY = b"a key"
NAME_OF_A_NODE = "ip-10-0-1-23.eu-west-1.compute.internal"


class Redacted(NamedTuple):
    """A recording, its redaction, and the redacted objects as JSON values."""

    plain: Report
    report: Report
    redaction: Redaction
    objects: list[Any]


def _documents(recording: str) -> Iterator[dict[str, Any]]:
    for file in sorted((RECORDINGS / recording).iterdir()):
        if file.name.endswith(".json.gz"):
            yield json.loads(gzip.decompress(file.read_bytes()))
        elif file.suffix == ".yaml":
            yield from yaml.safe_load_all(file.read_text())


def _objects(document: dict[str, Any]) -> Iterator[tuple[Kind, Any]]:
    """The objects of a list, or a document's one."""
    for item in document.get("items", [document]):
        head = {"kind": document.get("kind", "").removesuffix("List"), "apiVersion": document.get("apiVersion", "")}
        kind = kind_of(head["kind"], head["apiVersion"])
        if kind:
            yield kind, decode_object(kind, msgspec.json.encode({**head, **item}))


@pytest.fixture(scope="module", params=["faults", "runaway", "healthy", "written/nodepools"])
def redacted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Redacted:
    """A recording, redacted, written as kubectl would print it, and scanned."""
    documents = list(_documents(request.param))
    objects = [found for document in documents for found in _objects(document)]
    redaction = Redaction(redaction_key([entry for _, entry in objects if isinstance(entry, NodePool)]))
    for kind, entry in objects:
        redaction.learn(kind, entry)
    folder, written = tmp_path_factory.mktemp(Path(request.param).name), []
    for number, document in enumerate(documents):
        shown = [json.loads(msgspec.json.encode(redaction.redacted(kind, entry))) for kind, entry in _objects(document)]
        whole = {**document, "items": shown} if "items" in document else {**document, **shown[0]} if shown else document
        (folder / f"{number}.json").write_text(json.dumps(whole))
        written += shown
    at = datetime.fromisoformat((RECORDINGS / request.param / "taken-at").read_text().strip())
    plain, report = (scan(read_files([place], at=at).snapshot, every_rule()) for place in (RECORDINGS / request.param, folder))
    return Redacted(plain, report, redaction, written)


def _found(report: Report, redaction: Redaction | None) -> list[tuple[object, ...]]:
    """What a report says; with a redaction, what it would say with the pseudonyms."""

    def named(name: str) -> str:
        return redaction.name(name) if redaction else name

    def of(ref: Ref) -> tuple[str, str, str]:
        return ref.kind, named(ref.namespace), named(ref.name)

    def cause(text: str) -> str:
        what, colon, key = text.partition(":")
        return what + colon + (redaction._pseudonyms.key(key) if redaction else key)

    def message(text: str) -> str:
        return redaction.text(text) if redaction else text

    return sorted(
        (
            result.rule.slug, str(result.finding.severity), str(result.finding.confidence), cause(result.finding.cause),
            of(result.finding.object), of(result.finding.owner), named(result.finding.nodepool), str(result.finding.impact),
            len(result.finding.occurrences), str(result.finding.since), message(result.finding.message),
        )
        for result in report.results
    )  # fmt: skip


def test_a_redacted_recording_is_found_to_have_the_same_faults(redacted: Redacted) -> None:
    assert _found(redacted.report, None) == _found(redacted.plain, redacted.redaction)
    assert [(run.rule.slug, run.outcome) for run in redacted.report.runs] == [
        (run.rule.slug, run.outcome) for run in redacted.plain.runs
    ]


_ALSO_WORDS_OF_KUBERNETES = frozenset({"a", "arm64", "batch", "controller", "node"})
"""Names or values in the recordings: also an article, an architecture, an API group, Karpenter's image, and of `Preempted by … on node`."""


def _texts(value: Any) -> Iterator[str]:
    """The texts in a JSON value, and the keys that are no field names of the model's."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from () if key.isalpha() else (key,)
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value


def test_no_name_of_a_recording_is_left(redacted: Redacted) -> None:
    tokens = {token for text in _texts(redacted.objects) for token in re.findall(r"[^\s\"'()\[\],;:=]+", text)}
    words = {word.strip(".") for token in tokens if not is_public_key(token.removeprefix("f:")) for word in token.split("/")}

    assert (words & redacted.redaction.names) - NAMES <= _ALSO_WORDS_OF_KUBERNETES


def test_no_uid_of_a_recording_is_left(redacted: Redacted) -> None:
    snapshot = redacted.plain.snapshot
    pods, nodes = ({entry.metadata.uid for entry in entries} for entries in (snapshot.pods, snapshot.nodes))

    assert (pods | nodes).isdisjoint(word for text in _texts(redacted.objects) for word in text.split())


def test_redacting_twice_redacts_the_pseudonyms(redacted: Redacted) -> None:
    again = Redaction(KEY)
    snapshot = redacted.report.snapshot
    for nodepool in snapshot.nodepools:
        again.learn(Kind.NODEPOOL, nodepool)

    names = {again.redacted(Kind.NODEPOOL, nodepool).name for nodepool in snapshot.nodepools}

    assert len(names) == len(snapshot.nodepools)
    assert names & snapshot.nodepools_by_name.keys() <= NAMES


def _redaction(*objects: tuple[Kind, Any]) -> Redaction:
    redaction = Redaction(KEY)
    for kind, entry in objects:
        redaction.learn(kind, entry)
    return redaction


def _pod(name: str, owner: str = "", kind: str = "ReplicaSet", **labels: str) -> PodObject:
    owners = (OwnerReference(kind, owner, api_version="apps/v1", controller=True),) if owner else ()
    keys = {key.replace("_", "-"): value for key, value in labels.items()}
    return PodObject(Metadata(name, "shop", "uid", labels=keys, owner_references=owners))


def test_the_deployment_of_a_pod_can_be_told_from_its_replicasets_name() -> None:
    pod = _pod("web-6d955c6c95-x8kfd", "web-6d955c6c95", pod_template_hash="6d955c6c95")
    redaction = _redaction((Kind.POD, pod), (Kind.DEPLOYMENT, Deployment(Metadata("web", "shop"))))

    shown = PodShapes().share(redaction.redacted(Kind.POD, pod))

    assert owner_of(shown, {}) == Ref("Deployment", redaction.name("web"), "apps/v1", redaction.name("shop"))
    assert shown.metadata.name.startswith(f"{redaction.name('web-6d955c6c95')}-")


def test_the_cronjob_of_a_pod_can_be_told_from_its_jobs_name() -> None:
    pod = _pod("backup-29393939-x8kfd", "backup-29393939", "Job")
    redaction = _redaction((Kind.POD, pod))

    shown = PodShapes().share(redaction.redacted(Kind.POD, pod))

    assert owner_of(shown, {}) == Ref("CronJob", redaction.name("backup"), "batch/v1", redaction.name("shop"))


def test_pods_of_a_statefulset_keep_their_ordinals() -> None:
    redaction = _redaction((Kind.STATEFULSET, StatefulSet(Metadata("db"))), (Kind.POD, _pod("db-12", "db", "StatefulSet")))

    assert redaction.name("db-12") == f"{redaction.name('db')}-12"


def test_generated_suffixes_differ_as_they_did() -> None:
    redaction = _redaction((Kind.REPLICASET, ReplicaSet(Metadata("web"))))
    suffixes = [f"{one}{other}bcd" for one in "bcdfghjkl" for other in "bcdfghjklmnpqrstvwxz2456789"]

    shown = {redaction.name(f"web-{suffix}") for suffix in suffixes}

    assert len(shown) == len(suffixes)
    assert all(re.fullmatch(rf"{redaction.name('web')}-[bcdfghjklmnpqrstvwxz2456789]{{5}}", name) for name in shown)


@pytest.mark.parametrize(
    "name",
    ["acme-aws-node", "acme-cilium-agent", "acme-csi-rocket-node", "acme-longhorn-manager-linux-amd64", "acme-ebs-csi-node-ds", "agent", "kube-proxy"],
)  # fmt: skip
def test_what_a_daemonset_brings_can_still_be_told_from_its_name(name: str) -> None:
    redaction = _redaction((Kind.DAEMONSET, DaemonSet(Metadata(name))))

    shown = redaction.name(name)

    assert _essential(shown) == _essential(name)
    assert "acme" not in shown
    assert "rocket" not in shown


@pytest.mark.parametrize("name", ["acme-webhook", "acme-coredns", "acme-node-local-dns-cache", "acme"])
def test_what_the_cluster_needs_can_still_be_told_from_its_name(name: str) -> None:
    redaction = _redaction((Kind.DEPLOYMENT, Deployment(Metadata(name))))

    shown = redaction.name(name)

    assert _vital(Ref("Deployment", shown)) == _vital(Ref("Deployment", name))
    assert "acme" not in shown


def test_a_variant_of_a_daemonset_still_begins_with_its_name() -> None:
    daemonsets = [DaemonSet(Metadata(name)) for name in ("agent", "agent-heavy", "aws-node", "aws-node-v2", "agents")]
    redaction = _redaction(*((Kind.DAEMONSET, entry) for entry in daemonsets))

    assert redaction.name("agent-heavy").startswith(f"{redaction.name('agent')}-")
    assert redaction.name("aws-node-v2").startswith("aws-node-")
    assert not redaction.name("agents").startswith(redaction.name("agent"))


def test_a_node_has_one_name_everywhere() -> None:
    pod = PodObject(Metadata("app"), PodSpec(node_name=NAME_OF_A_NODE, node_selector={"kubernetes.io/hostname": NAME_OF_A_NODE}))
    redaction = _redaction((Kind.POD, pod))

    shown = redaction.redacted(Kind.POD, pod).spec

    assert shown.node_name == shown.node_selector["kubernetes.io/hostname"] == redaction.name(NAME_OF_A_NODE)
    assert redaction.text(f"lost {NAME_OF_A_NODE}.") == f"lost {shown.node_name}."


def test_keys_and_values_that_everybody_has_stay() -> None:
    labels = {
        "topology.kubernetes.io/zone": "eu-west-1a", "karpenter.k8s.aws/instance-family": "m7i", "replicas": "3", "spot": "true",
        "acme.com/team": "payments", "node-restriction.kubernetes.io/tenant": "rocket", "karpenter.sh/nodepool": "general", "broken": "a b",
    }  # fmt: skip
    nodepool = NodePool(Metadata("general", labels=labels))
    redaction = _redaction((Kind.NODEPOOL, nodepool))
    name = redaction.name

    assert redaction.redacted(Kind.NODEPOOL, nodepool).metadata.labels == {
        "topology.kubernetes.io/zone": "eu-west-1a", "karpenter.k8s.aws/instance-family": "m7i", name("replicas"): "3", name("spot"): "true",
        f"{name('acme.com')}/{name('team')}": name("payments"), f"node-restriction.kubernetes.io/{name('tenant')}": name("rocket"),
        "karpenter.sh/nodepool": name("general"), name("broken"): f"{name('a b')}!",
    }  # fmt: skip


def test_requirements_taints_and_tolerations_still_meet() -> None:
    requirement = Requirement("acme.com/team", "In", ("payments", "7"))
    nodepool = NodePool(Metadata("general"))
    template = Template(TemplateMetadata({"acme.com/team": "payments"}), TemplateSpec((requirement,)))
    nodepool = msgspec.structs.replace(nodepool, spec=msgspec.structs.replace(nodepool.spec, template=template))
    pod = PodObject(Metadata("app"), PodSpec(tolerations=(Toleration("acme.com/team", "Equal", "payments", "NoSchedule"),)))
    redaction = _redaction((Kind.NODEPOOL, nodepool), (Kind.POD, pod))
    shown = redaction.redacted(Kind.NODEPOOL, nodepool).spec.template
    (toleration,) = redaction.redacted(Kind.POD, pod).spec.tolerations

    assert shown.metadata.labels == {toleration.key: toleration.value}
    assert shown.spec.requirements == (Requirement(toleration.key, "In", (toleration.value, "7")),)
    assert (toleration.operator, toleration.effect) == ("Equal", "NoSchedule")


def test_of_karpenters_deployment_the_version_and_the_settings_stay() -> None:
    environment = (EnvVar("CLUSTER_NAME", "prod"), EnvVar("FEATURE_GATES", "SpotToSpotConsolidation=true"))
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/karpenter/controller:1.13.0@sha256:0123"
    containers = (DeploymentContainer(image, environment), DeploymentContainer("registry.acme.com/payments:1.2.3"))
    labels = {"app.kubernetes.io/name": "karpenter"}
    spec = DeploymentSpec(template=DeploymentTemplate(DeploymentPodSpec(containers)))
    karpenter = Deployment(Metadata("karpenter", "kube-system", labels=labels), spec)
    redaction = _redaction((Kind.DEPLOYMENT, karpenter))

    shown = redaction.redacted(Kind.DEPLOYMENT, karpenter)

    cluster = redaction.cluster("prod")
    assert cluster.startswith("cluster-")
    assert shown.metadata == karpenter.metadata
    assert shown.spec.template.spec.containers == (
        DeploymentContainer("karpenter/controller:1.13.0", (EnvVar("CLUSTER_NAME", cluster), environment[1])),
        DeploymentContainer(redaction.name("registry.acme.com/payments:1.2.3")),
    )


def _with_node_class(kind: str, group: str) -> tuple[NodePool, NodeClass]:
    template = Template(spec=TemplateSpec(node_class_ref=NodeClassRef(kind, "blue", group)))
    return NodePool(Metadata("general"), NodePoolSpec(template=template)), NodeClass(Metadata("blue"), kind, f"{group}/v1")


@pytest.mark.parametrize(
    ("kind", "group"),
    [
        ("EC2NodeClass", "karpenter.k8s.aws"), ("AKSNodeClass", "karpenter.azure.com"), ("NodeClass", "eks.amazonaws.com"),
        ("KWOKNodeClass", "karpenter.kwok.sh"),
    ],
)  # fmt: skip
def test_a_well_known_node_class_keeps_its_kind_and_is_still_referred_to(kind: str, group: str) -> None:
    nodepool, nodeclass = _with_node_class(kind, group)
    event = Event(InvolvedObject(kind, name="blue"), message=f"{kind} blue is not ready")
    redaction = _redaction((Kind.NODEPOOL, nodepool), (Kind.NODECLASS, nodeclass), (Kind.EVENT, event))
    name = redaction.name("blue")
    shown_event = redaction.redacted(Kind.EVENT, event)

    assert redaction.redacted(Kind.NODEPOOL, nodepool).spec.template.spec.node_class_ref == NodeClassRef(kind, name, group)
    assert redaction.redacted(Kind.NODECLASS, nodeclass) == NodeClass(Metadata(name), kind, f"{group}/v1")
    assert (shown_event.involved_object, shown_event.message) == (InvolvedObject(kind, name=name), f"{kind} {name} is not ready")


def test_a_provider_that_nobody_knows_gets_one_pseudonym_everywhere_and_stays_a_provider() -> None:
    nodepool, nodeclass = _with_node_class("AcmeNodeClass", "karpenter.acme.com")
    event = Event(InvolvedObject("AcmeNodeClass", name="blue"), message="AcmeNodeClass/blue of karpenter.acme.com")
    redaction = _redaction((Kind.EVENT, event), (Kind.NODEPOOL, nodepool), (Kind.NODECLASS, nodeclass))
    shown_pool, shown = redaction.redacted(Kind.NODEPOOL, nodepool), redaction.redacted(Kind.NODECLASS, nodeclass)
    shown_event = redaction.redacted(Kind.EVENT, event)
    group = redaction.name("karpenter.acme.com")

    assert re.fullmatch("kind-[0-9a-f]{10}NodeClass", shown.kind)
    assert shown_pool.spec.template.spec.node_class_ref == NodeClassRef(shown.kind, shown.metadata.name, group)
    assert shown.api_version == f"{group}/v1"
    assert kind_of(shown.kind, shown.api_version) is Kind.NODECLASS
    assert (shown_event.involved_object.kind, shown_event.message) == (shown.kind, f"{shown.kind}/{shown.metadata.name} of {group}")
    assert a_cluster(shown_pool, shown).nodeclass_of(shown_pool) == shown


def test_a_kind_of_a_well_known_group_stays_wherever_it_is_told() -> None:
    owner = OwnerReference("Blaupause", "b", api_version="argoproj.io/v1", controller=True)
    event = Event(InvolvedObject("Blaupause", name="b"), message="Blaupause failed")
    pod = PodObject(Metadata("p", owner_references=(owner,)))
    redaction = _redaction((Kind.EVENT, event), (Kind.POD, pod))

    assert redaction.redacted(Kind.POD, pod).metadata.owner_references[0].kind == "Blaupause"
    assert redaction.redacted(Kind.EVENT, event).involved_object.kind == "Blaupause"
    assert redaction.redacted(Kind.EVENT, event).message == "Blaupause failed"


def test_a_reason_or_condition_of_somebodys_own_is_a_name_and_one_of_karpenters_is_not() -> None:
    node = Node(
        NodeMetadata("n1"),
        status=NodeStatus(conditions=(Condition("AcmeDiskHealthy", "False", "AcmeRollout", "AcmeRollout failed"), Condition("Ready", "True", "KubeletReady"))),
    )  # fmt: skip
    event = Event(InvolvedObject("Node", name="n1"), reason="AcmeRollout")
    redaction = _redaction((Kind.NODE, node), (Kind.EVENT, event))
    (own, ready) = redaction.redacted(Kind.NODE, node).status.conditions
    word = redaction.name("AcmeRollout")

    assert own == Condition(redaction.name("AcmeDiskHealthy"), "False", word, f"{word} failed")
    assert word.startswith("word-")
    assert ready == Condition("Ready", "True", "KubeletReady")
    assert redaction.redacted(Kind.EVENT, event).reason == word


def test_a_feature_gate_of_somebodys_own_is_a_name() -> None:
    gates = "SpotToSpotConsolidation=true,NodeRepair=false,AcmeGate=true"
    containers = (DeploymentContainer("karpenter:1.13.0", (EnvVar("FEATURE_GATES", gates), EnvVar("BATCH_MAX_DURATION", "10s"))),)
    deployment = Deployment(Metadata("karpenter"), DeploymentSpec(template=DeploymentTemplate(DeploymentPodSpec(containers))))
    redaction = _redaction((Kind.DEPLOYMENT, deployment))
    (shown,) = redaction.redacted(Kind.DEPLOYMENT, deployment).spec.template.spec.containers

    assert [entry.value for entry in shown.env] == [gates.replace("AcmeGate", redaction.name("AcmeGate")), "10s"]


def test_of_images_it_stays_visible_what_moves_them() -> None:
    own, public = "/acme/golden/image", "/aws/service/eks/optimized-ami/1.31/amazon-linux-2023/x86_64/standard/recommended/image_id"
    terms = (
        SelectorTerm(alias="al2023@latest"),
        SelectorTerm(alias="acme@blue"),
        SelectorTerm(name="acme-golden-*"),
        SelectorTerm(name="acme-golden-1", tags={"team": "search"}),
        SelectorTerm(ssm_parameter=own),
        SelectorTerm(ssm_parameter=f"arn:aws:ssm:eu-west-1:123456789012:parameter{public}"),
    )
    nodeclass = NodeClass(Metadata("blue"), "EC2NodeClass", "karpenter.k8s.aws/v1", spec=NodeClassSpec(ami_selector_terms=terms))
    redaction = _redaction((Kind.NODECLASS, nodeclass))

    assert redaction.redacted(Kind.NODECLASS, nodeclass).spec.ami_selector_terms == (
        SelectorTerm(alias="al2023@latest"),
        SelectorTerm(alias=redaction.name("acme@blue")),
        SelectorTerm(name=redaction.name("acme-golden-*") + "*"),
        SelectorTerm(name=redaction.name("acme-golden-1"), tags={redaction._pseudonyms.key("team"): redaction.name("search")}),
        SelectorTerm(ssm_parameter=redaction.name(own)),
        SelectorTerm(ssm_parameter=public),
    )


def test_what_a_node_class_selects_by_is_shown_as_names_and_only_public_words_stay() -> None:
    terms = (
        SelectorTerm(
            {"kubernetes.io/cluster/acme": "owned", "karpenter.sh/discovery": "acme"}, "ami-1", "acme-*", owner="123456789012"
        ),
        SelectorTerm(alias="al2023@v20260101", owner="self"),
    )
    spec = NodeClassSpec(terms, role="AcmeNodes", instance_profile="acme-profile")
    redaction = _redaction((Kind.NODECLASS, NodeClass(Metadata("blue"), "EC2NodeClass", "karpenter.k8s.aws/v1", spec)))
    shown = redaction.redacted(Kind.NODECLASS, NodeClass(Metadata("blue"), "EC2NodeClass", "karpenter.k8s.aws/v1", spec)).spec

    assert shown.subnet_selector_terms[1] == terms[1]
    assert "karpenter.sh/discovery" in shown.subnet_selector_terms[0].tags
    assert not re.search("acme|ami-1|123456789012", str(shown), re.IGNORECASE)


def test_a_zone_of_somebodys_own_has_one_pseudonym_everywhere() -> None:
    zone = "topology.kubernetes.io/zone"
    template = Template(spec=TemplateSpec((Requirement(zone, "In", ("acme-frankfurt", "eu-west-1a")),)))
    nodepool = NodePool(Metadata("general"), NodePoolSpec(template=template))
    nodeclass = NodeClass(
        Metadata("blue"), "EC2NodeClass", "karpenter.k8s.aws/v1", status=NodeClassStatus(subnets=(Subnet("acme-frankfurt"),))
    )
    pod = PodObject(Metadata("app"), PodSpec(node_selector={zone: "acme-frankfurt"}))
    redaction = _redaction((Kind.NODEPOOL, nodepool), (Kind.NODECLASS, nodeclass), (Kind.POD, pod))
    shown = redaction.name("acme-frankfurt")

    assert shown.startswith("zone-")
    assert redaction.redacted(Kind.NODEPOOL, nodepool).spec.template.spec.requirements == (
        Requirement(zone, "In", (shown, "eu-west-1a")),
    )
    assert redaction.redacted(Kind.NODECLASS, nodeclass).status.subnets == (Subnet(shown),)
    assert redaction.redacted(Kind.POD, pod).spec.node_selector == {zone: shown}
    assert redaction.text("no subnet in acme-frankfurt.") == f"no subnet in {shown}."


def test_a_long_number_is_a_name_unless_a_requirement_compares_it() -> None:
    labels = {"acme.com/size": "12345678", "phone": "491701234567", "short": "123456", "plus": "+4917012345"}
    nodepool = NodePool(Metadata("general", labels=labels))
    compares = Template(spec=TemplateSpec((Requirement("acme.com/size", "Gt", ("10000000",)),)))
    other = NodePool(Metadata("other"), NodePoolSpec(template=compares))
    redaction = _redaction((Kind.NODEPOOL, nodepool), (Kind.NODEPOOL, other))
    name, size = redaction.name, redaction._pseudonyms.key("acme.com/size")

    assert redaction.redacted(Kind.NODEPOOL, nodepool).metadata.labels == {
        size: "12345678", name("phone"): name("491701234567"), name("short"): "123456", name("plus"): f"{name('+4917012345')}!",
    }  # fmt: skip
    assert redaction.redacted(Kind.NODEPOOL, other).spec.template.spec.requirements == (Requirement(size, "Gt", ("10000000",)),)


def test_a_clusters_name_is_known_in_texts() -> None:
    redaction = _redaction()

    assert redaction.cluster("prod").startswith("cluster-")
    assert redaction.text("not found in prod") == f"not found in {redaction.cluster('prod')}"


def test_an_error_names_no_file_and_no_object() -> None:
    error = CollectionError("/home/alice/prod.json", "spec.nodeName: expected a string", "Pod", "shop/web")
    redaction = _redaction((Kind.POD, _pod("web")))

    assert redaction.error(error) == CollectionError(
        redaction._pseudonyms.name("/home/alice/prod.json", "file"),
        error.message.replace("spec.nodeName", redaction.name("spec.nodeName")),
        "Pod",
        f"{redaction.name('shop')}/{redaction.name('web')}",
    )


def test_the_key_is_that_of_the_oldest_nodepool() -> None:
    old, new = (
        NodePool(Metadata(name, uid=f"uid-{name}", creation_timestamp=datetime(2026, 1, day, tzinfo=UTC)))
        for name, day in (("old", 1), ("new", 2))
    )

    assert redaction_key([new, old]) == redaction_key([old])
    assert redaction_key([new]) != redaction_key([old])
    assert redaction_key([]) != redaction_key([])


def _structs(of: Any) -> Iterator[type[msgspec.Struct]]:
    """All Structs that can be in a value of that type."""
    if isinstance(of, type) and issubclass(of, msgspec.Struct):
        yield of
        for field in msgspec.structs.fields(of):
            yield from _structs(field.type)
    for argument in getattr(of, "__args__", ()):
        yield from _structs(argument)


def test_of_every_text_in_the_model_it_is_decided_what_it_is() -> None:
    model = {struct for resource in RESOURCES.values() for struct in _structs(resource.type)}
    texts = {(struct, field.name) for struct in model for field in msgspec.structs.fields(struct) if holds_text(field.type)}

    assert {(struct, name) for struct, names in DECISIONS.items() for name in names} == texts


def test_volumes_and_who_leads_are_told_apart_and_not_named() -> None:
    claim = a_claim("ledger-data", volume="ledger-volume", storage_class="ledger-class")
    volume = a_volume("ledger-volume", terms=[a_term("topology.kubernetes.io/zone In eu-west-1a")], claim="ledger-data")
    attachment = an_attachment("ledger-volume", on="ledger-node", error="volume ledger-volume is busy")
    lease = Lease(Metadata("karpenter-leader-election", "kube-system"), LeaseSpec("ledger-1_4d5b", lease_duration_seconds=15))
    definition = CustomResourceDefinition(
        Metadata("nodepools.karpenter.sh", annotations=Annotations(generator_version="v0.20.1")),
        status=CustomResourceDefinitionStatus(("v1beta1", "v1")),
    )
    objects: list[tuple[Kind, Any]] = [
        (Kind.PERSISTENTVOLUMECLAIM, claim),
        (Kind.PERSISTENTVOLUME, volume),
        (Kind.VOLUMEATTACHMENT, attachment),
        (Kind.LEASE, lease),
        (Kind.CUSTOMRESOURCEDEFINITION, definition),
    ]
    redaction = _redaction(*objects)
    shown_claim, shown_volume, shown_attachment, shown_lease, shown_definition = (
        redaction.redacted(kind, entry) for kind, entry in objects
    )

    assert "ledger" not in msgspec.json.encode([shown_claim, shown_volume, shown_attachment, shown_lease]).decode()
    assert shown_claim.spec.volume_name == shown_volume.metadata.name == shown_attachment.spec.source.persistent_volume_name
    assert shown_volume.spec.claim_ref.name == shown_claim.metadata.name
    assert shown_volume.spec.node_affinity == volume.spec.node_affinity
    assert shown_attachment.spec.attacher == "ebs.csi.aws.com"
    assert shown_lease.metadata.name == "karpenter-leader-election"
    assert shown_definition == definition
