"""Others that add, drain or empty nodes beside Karpenter."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from karpenter_check.disruption.controller import controllers
from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Ref, Severity, verification
from karpenter_check.rule import rule
from karpenter_check.snapshot import Kind, Snapshot
from karpenter_check.snapshot.workload import DaemonSet, Deployment

AUTOSCALER, HANDLER, DESCHEDULER = "cluster-autoscaler", "node-termination-handler", "descheduler"
_QUEUE_MODE = "node-termination-handler-queue"
_KNOWN = {
    AUTOSCALER: re.compile(r"(?:.*-)?cluster-autoscaler"),
    HANDLER: re.compile(r"(?:.*-)?node-termination-handler(?:-v2)?"),
    DESCHEDULER: re.compile(r"(?:.*-)?descheduler"),
}
"""By what their charts label them (`app.kubernetes.io/name`, older ones `app` or `k8s-app`), what their images and people call them."""
_NAMING_LABELS = ("app.kubernetes.io/name", "k8s-app", "app")


@dataclass(frozen=True)
class _Said:
    """What one of them does beside Karpenter."""

    does: str
    why: str
    fix: str


_SAID = {
    AUTOSCALER: _Said(
        "adds and removes nodes, too",
        "both see the same pending pods, so both may buy for them, and each takes the other's half-empty nodes for wanted ones; with node "
        "groups that none of Karpenter's NodePools serves they get along",
        "scale it to 0 once Karpenter's NodePools serve all pods, or keep its node groups apart by taints",
    ),
    HANDLER: _Said(
        "drains nodes that are interrupted, too",
        "on each node it hears of interruptions from the instance itself; where Karpenter has an interruption queue, both drain the same node",
        "keep it off Karpenter's nodes (karpenter.sh/nodepool DoesNotExist) once Karpenter has an interruption queue",
    ),
    _QUEUE_MODE: _Said(
        "drains nodes that are interrupted, from a queue, as Karpenter does",
        "Karpenter's INTERRUPTION_QUEUE is set: both read events of the same instances, and both cordon and drain their nodes",
        "leave interruptions of Karpenter's nodes to one of the two: take this one away, or bind it to instances with its own tag",
    ),
    DESCHEDULER: _Said(
        "evicts pods, too",
        "pods that it moves are pod events on their nodes, which put off consolidation, and those it evicts from emptier nodes Karpenter may "
        "have packed there itself",
        "leave its strategies LowNodeUtilization and HighNodeUtilization off on Karpenter's nodes",
    ),
}  # fmt: skip


@rule(severity=Severity.INFO, needs={Kind.DEPLOYMENT, Kind.DAEMONSET, Kind.NODEPOOL}, since="0.1.0", judges_ages=False)
def competing_autoscaler(snapshot: Snapshot) -> Iterator[Finding]:
    """Beside Karpenter something else adds, drains or empties nodes."""
    if not snapshot.nodepools:
        return
    for deployment in snapshot.deployments:
        metadata, known = deployment.metadata, _known(deployment)
        if known and deployment.spec.replicas and not metadata.deletion_timestamp:
            yield _finding(snapshot, Ref("Deployment", metadata.name, "apps/v1", metadata.namespace), known)
    for daemonset in snapshot.daemonsets:
        metadata, known = daemonset.metadata, _known(daemonset)
        if known == HANDLER and not metadata.deletion_timestamp and _on_own_nodes(snapshot, daemonset):
            yield _finding(snapshot, Ref("DaemonSet", metadata.name, "apps/v1", metadata.namespace), known)


def _known(workload: Deployment | DaemonSet) -> str:
    """Which of them a workload is, by what it is called; empty for any other."""
    labels: Mapping[str, str] = workload.metadata.labels
    names = [*(labels[key] for key in _NAMING_LABELS if key in labels), workload.metadata.name]
    if isinstance(workload, Deployment):
        names += [_repository(container.image) for container in workload.spec.template.spec.containers]
    return next((known for known, form in _KNOWN.items() if any(form.fullmatch(name) for name in names)), "")


def _repository(image: str) -> str:
    """The last part of an image's name, without tag and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _on_own_nodes(snapshot: Snapshot, daemonset: DaemonSet) -> bool:
    """Whether some pod of it is on a node of a NodePool; so it is taken to be where not all was seen."""
    if not (snapshot.whole(Kind.POD) and snapshot.whole(Kind.NODE)):
        return True
    pods = snapshot.pods_of_daemonset.get(daemonset.metadata.uid, ())
    return any(snapshot.nodepool_of_node.get(pod.node_name) for pod in pods)


def _finding(snapshot: Snapshot, ref: Ref, known: str) -> Finding:
    queues = [
        controller
        for controller in controllers(snapshot)
        for container in controller.spec.template.spec.containers
        if controller.spec.replicas
        and any(variable.name == "INTERRUPTION_QUEUE" and (variable.value or variable.value_from) for variable in container.env)
    ]
    cause = _QUEUE_MODE if known == HANDLER and ref.kind == "Deployment" and queues else known
    said, why = _SAID[cause], _SAID[cause].why
    if cause == HANDLER and ref.kind == "Deployment":
        why = "it reads a queue of interruptions; whether Karpenter has one, too, does not show in what was read" + (
            "" if controllers(snapshot) else ": no Deployment of Karpenter is there"
        )
    evidence = [Evidence(ref, "metadata.name", ref.name)]
    if cause == _QUEUE_MODE:
        owner = Ref("Deployment", queues[0].metadata.name, "apps/v1", queues[0].metadata.namespace)
        evidence.append(Evidence(owner, "spec.template.spec.containers.env[INTERRUPTION_QUEUE]", "set"))
    named = f"{ref.kind.lower()} -n {shlex.quote(ref.namespace)} {shlex.quote(ref.name)}"
    return Finding(
        object=ref,
        owner=ref,
        cause=cause,
        severity=Severity.MEDIUM if cause == _QUEUE_MODE else Severity.INFO,
        confidence=Confidence.LIKELY,
        message=f"{'aws-' * (known == HANDLER)}{known} runs beside Karpenter and {said.does}",
        why=why,
        cost="nodes that come twice, or pods that move twice" if known == AUTOSCALER else "pods that are moved by two at once",
        evidence=tuple(evidence),
        fix=(Fix("fix", f"kubectl get {named} -o yaml", text=said.fix), verification("competing-autoscaler")),
    )
