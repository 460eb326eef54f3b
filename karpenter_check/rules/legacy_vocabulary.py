"""Words that Karpenter understood before 1.0, and that mean nothing to it now."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from karpenter_check.disruption.pods import DISRUPTED_TAINT, is_mirror, is_owned_by
from karpenter_check.disruption.remedies import command
from karpenter_check.finding import Blame, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest, verification
from karpenter_check.rule import rule
from karpenter_check.scheduling.nomination import node_ref, pod_ref
from karpenter_check.scheduling.pod import required_terms
from karpenter_check.scheduling.taints import tolerates
from karpenter_check.snapshot import Kind, Pod, Snapshot, Version
from karpenter_check.snapshot.counted import plural
from karpenter_check.snapshot.pod import PodShape

PROVISIONER_NAME, DO_NOT_EVICT, DO_NOT_CONSOLIDATE = "provisioner-name", "do-not-evict", "do-not-consolidate"
DISRUPTION_TAINT = "disruption-taint"
_LABEL = f"karpenter.sh/{PROVISIONER_NAME}"
_TAINT = "karpenter.sh/disruption"
_V1 = Version(1, 0)
_MEANS = {"In", "Exists", "Gt", "Lt"}
"""Operators that want the label to be there."""
_TERMS = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
_REMADE = {"Pod", "Job"}
"""Kinds whose pods cannot be changed."""


class _Use(NamedTuple):
    """Where a word stands."""

    path: str
    value: str


@rule(severity=Severity.MEDIUM, needs={Kind.POD, Kind.NODE, Kind.NODEPOOL, Kind.DAEMONSET}, since="0.1.0", judges_ages=False)
def legacy_vocabulary(snapshot: Snapshot) -> Iterator[Finding]:
    """Workloads, nodes and NodePools say words that Karpenter has forgotten by 1.0, and that do nothing."""
    if not snapshot.nodepools or _speaks_it(snapshot):
        return
    shapes: dict[int, dict[str, _Use]] = {}
    """What each shape says, by its identity: pods are many, and shapes few."""
    found: dict[tuple[Ref, str], list[tuple[Pod, _Use]]] = defaultdict(list)
    for pod in snapshot.pods:
        if id(pod.shape) not in shapes:
            shapes[id(pod.shape)] = dict(_asked(pod.shape))
        if not (shapes[id(pod.shape)] or pod.metadata.annotations.do_not_evict):
            continue
        if not pod.active or is_mirror(pod) or is_owned_by(pod, "apps/v1", "DaemonSet"):
            continue
        for cause, use in (*shapes[id(pod.shape)].items(), *_annotated(snapshot, pod)):
            found[snapshot.owner(pod), cause].append((pod, use))
    for (owner, cause), uses in found.items():
        yield _of_pods(owner, cause, sorted(uses, key=lambda entry: (bool(entry[0].node_name), entry[0].metadata.name)))
    yield from _of_daemonsets(snapshot)
    yield from _of_nodepools(snapshot)


def _speaks_it(snapshot: Snapshot) -> bool:
    """Whether this Karpenter still knows the words; of an unknown version, whether its NodePools are v1beta1's."""
    if snapshot.karpenter_version:
        return snapshot.karpenter_version < _V1
    return any(nodepool.spec.disruption.expire_after for nodepool in snapshot.nodepools)  # v1 has it in the template


def _asked(shape: PodShape) -> Iterator[tuple[str, _Use]]:
    """The old words in what pods ask of their nodes; preferences are given up, and so are harmless."""
    terms = [entry for term in required_terms(shape) for entry in term.match_expressions]
    expressions = [entry for entry in terms if entry.key == _LABEL and entry.operator in _MEANS]
    if _LABEL in shape.node_selector:
        yield PROVISIONER_NAME, _Use(f"spec.nodeSelector[{_LABEL}]", shape.node_selector[_LABEL])
    elif expressions:
        yield PROVISIONER_NAME, _Use(_TERMS, f"{_LABEL} {expressions[0].operator} {', '.join(expressions[0].values)}".strip())
    elif f"topology spread over {_LABEL}" in shape.neighbours:
        yield PROVISIONER_NAME, _Use("spec.topologySpreadConstraints[].topologyKey", _LABEL)
    tolerated = any(tolerates(entry, DISRUPTED_TAINT) for entry in shape.tolerations)
    if not tolerated and any(entry.key == _TAINT for entry in shape.tolerations):
        yield DISRUPTION_TAINT, _Use("spec.tolerations[].key", _TAINT)


def _annotated(snapshot: Snapshot, pod: Pod) -> Iterator[tuple[str, _Use]]:
    """Its do-not-evict, where Karpenter may disrupt it; one that says do-not-disrupt too is protected by that, or told of elsewhere."""
    said = pod.metadata.annotations
    ours = not pod.node_name or snapshot.nodepool_of_node.get(pod.node_name)
    if said.do_not_evict == "true" and not said.do_not_disrupt and ours:
        yield DO_NOT_EVICT, _Use(f"metadata.annotations[karpenter.sh/{DO_NOT_EVICT}]", "true")


def _of_pods(owner: Ref, cause: str, uses: Sequence[tuple[Pod, _Use]]) -> Finding:
    """One workload's use of one word. What keeps its pods from Karpenter tells it already that they wait: there it is told beside."""
    pod, use = uses[0]
    waits = not pod.node_name
    nodes = {entry.node_name for entry, _ in uses} - {""}
    lowered = cause == DISRUPTION_TAINT or (cause == PROVISIONER_NAME and not waits)
    return Finding(
        object=owner,
        owner=owner,
        cause=cause,
        severity=Severity.LOW if lowered else Severity.MEDIUM,
        message=_message(owner, cause, len(uses)),
        why=f"{use.path} is {use.value}" * (use.value not in {"true", _TAINT, _LABEL}) + _why(cause, waits=waits, value=use.value),
        impact=Impact(nodes=len(nodes), pods=len(uses)),
        evidence=(Evidence(pod_ref(pod), use.path, use.value),),
        occurrences=tuple(
            Occurrence(pod_ref(entry), entry.metadata.uid, entry.node_name, cause, entry.metadata.creation_timestamp)
            for entry, _ in uses
        ),
        since=earliest(entry.metadata.creation_timestamp for entry, _ in uses),
        fix=(_renamed(owner, cause), verification("legacy-vocabulary", namespace=owner.namespace)),
        blames=(Blame(owner),) if cause == PROVISIONER_NAME and waits else (),
    )


def _message(owner: Ref, cause: str, pods: int = 0) -> str:
    if cause == PROVISIONER_NAME:
        return f"{owner.name} asks for nodes with {_LABEL}, which Karpenter gives to none any more"
    if cause == DO_NOT_EVICT:
        its = "it" if owner.kind == "Pod" else f"its {plural(pods, 'pod')}"
        return f"{owner.name} says karpenter.sh/{DO_NOT_EVICT}, which Karpenter ignores since 1.0: {its} may be disrupted"
    return f"{owner.name} tolerates {_TAINT}, a taint that is called karpenter.sh/disrupted since 1.0"


def _why(cause: str, *, waits: bool = False, value: str = "") -> str:
    if cause == PROVISIONER_NAME:
        semicolon = "; " if value != _LABEL else ""
        now = "" if waits else "; the nodes that it runs on have the label from somewhere else, and Karpenter buys no more of them"
        return f"{semicolon}Provisioners became NodePools in 0.32; their nodes say karpenter.sh/nodepool, and Karpenter looks at no pod that asks for the old label{now}"
    if cause == DO_NOT_EVICT:
        return "only karpenter.sh/do-not-disrupt keeps a pod from being disrupted now"
    return "the toleration covers no taint any more: its pods are drained, and kept off leaving nodes, like all others"


def _renamed(owner: Ref, cause: str) -> Fix:
    new = {
        PROVISIONER_NAME: "rename it to karpenter.sh/nodepool, with the name of a NodePool",
        DO_NOT_EVICT: 'write karpenter.sh/do-not-disrupt: "true" instead, in the template of its pods, if they must not be disrupted',
        DISRUPTION_TAINT: "take the toleration away; one of karpenter.sh/disrupted keeps pods from being drained at all, which few should want",
    }[cause]
    if owner.kind in _REMADE:
        return Fix("fix", text=f"make it again, and {new}" if cause != DO_NOT_EVICT else new)
    return Fix("fix", command("edit", owner), new, "its pods are replaced, as by a rollout" if owner.kind != "CronJob" else "")


def _of_daemonsets(snapshot: Snapshot) -> Iterator[Finding]:
    """DaemonSets by their templates. Terms are ORed: one that asks for the old label is no harm beside one that does not."""
    for daemonset in snapshot.daemonsets:
        metadata = daemonset.metadata
        shape = snapshot.daemonset_shapes.get((metadata.namespace, metadata.name))
        if shape is None:
            continue
        terms = required_terms(shape)
        needed = _LABEL in shape.node_selector or (
            terms
            and all(any(entry.key == _LABEL and entry.operator in _MEANS for entry in term.match_expressions) for term in terms)
        )
        pods = [pod for pod in snapshot.pods_of_daemonset.get(metadata.uid, ()) if pod.active]
        ref = Ref("DaemonSet", metadata.name, "apps/v1", metadata.namespace)
        for cause, use in _asked(shape):
            if cause == PROVISIONER_NAME and not needed:
                continue
            runs = f"; it runs on {plural(len(pods), 'node')} with that label from somewhere else, and on no other"
            why = "the label is on no node that Karpenter makes, so it runs on none of them" + (runs if pods else "")
            yield Finding(
                object=ref,
                owner=ref,
                cause=cause,
                severity=Severity.LOW if cause == DISRUPTION_TAINT else Severity.MEDIUM,
                message=_message(ref, cause),
                why=why if cause == PROVISIONER_NAME else _why(cause),
                impact=Impact(pods=len(pods)),
                evidence=(Evidence(ref, f"spec.template.{use.path}", use.value),),
                occurrences=(Occurrence(ref, metadata.uid, reason=cause, since=metadata.creation_timestamp),),
                since=metadata.creation_timestamp,
                fix=(_renamed(ref, cause), verification("legacy-vocabulary", namespace=ref.namespace)),
            )


def _of_nodepools(snapshot: Snapshot) -> Iterator[Finding]:
    """Nodes that say do-not-consolidate, and templates that write it on them."""
    path = f"metadata.annotations[karpenter.sh/{DO_NOT_CONSOLIDATE}]"
    for nodepool in snapshot.nodepools:
        ref = Ref("NodePool", nodepool.name, "karpenter.sh/v1")
        template = nodepool.spec.template.metadata.annotations
        written = template.do_not_consolidate == "true" and not template.do_not_disrupt
        nodes = [
            node
            for node in snapshot.nodes_of_nodepool.get(nodepool.name, ())
            if node.metadata.annotations.do_not_consolidate == "true" and not node.metadata.annotations.do_not_disrupt
        ]
        if not nodes and not written:
            continue
        who = (
            f"{plural(len(nodes), 'node')} of {nodepool.name} say{'s' * (len(nodes) == 1)}"
            if nodes
            else f"{nodepool.name}'s template says"
        )
        names = [node_ref(node.name) for node in nodes]
        fix = (
            Fix("fix", command("edit", ref), f"take the annotation out of spec.template.{path.partition('[')[0]}", "its nodes drift")
            if written
            else Fix("fix", command("annotate", names[0], "karpenter.sh/do-not-disrupt=true karpenter.sh/do-not-consolidate-"), "if it must stay; else take the old annotation away", "it then stays when it drifts, too")
        )  # fmt: skip
        yield Finding(
            object=ref,
            owner=ref,
            nodepool=nodepool.name,
            cause=DO_NOT_CONSOLIDATE,
            message=f"{who} karpenter.sh/{DO_NOT_CONSOLIDATE}, which Karpenter ignores since 1.0",
            why="such a node is consolidated like any other; only karpenter.sh/do-not-disrupt keeps it",
            impact=Impact(nodes=len(nodes)),
            evidence=(Evidence(ref, f"spec.template.{path}", "true"),) if written else (Evidence(names[0], path, "true"),),
            occurrences=tuple(
                Occurrence(node_ref(node.name), node.metadata.uid, node.name, DO_NOT_CONSOLIDATE, node.metadata.creation_timestamp)
                for node in nodes
            ),
            since=earliest(node.metadata.creation_timestamp for node in nodes),
            fix=(fix, verification("legacy-vocabulary", nodepool=nodepool.name)),
        )
