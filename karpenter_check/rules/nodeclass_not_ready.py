"""Node classes that are not there, are being deleted, or are not Ready."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches

from karpenter_check.finding import Evidence, Finding, Fix, Occurrence, Ref, Severity, clip, earliest, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.readiness import Unready, is_of_kind, names_missing_class, node_class_ref, said, unready
from karpenter_check.snapshot import GRACE, Kind, NodePool, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.moments import at_and_distance
from karpenter_check.snapshot.nodepool import NodeClass, NodeClassRef, NodeClassSpec

_AWS = "karpenter.k8s.aws"
_NAMED = 3
_DRIFTS = "an edit of a NodePool's template drifts its nodes"
_SELECTORS = {
    "SubnetsReady": ("subnetSelectorTerms", "subnet_selector_terms"),
    "SecurityGroupsReady": ("securityGroupSelectorTerms", "security_group_selector_terms"),
    "AMIsReady": ("amiSelectorTerms", "ami_selector_terms"),
}
"""The field of an EC2NodeClass that each condition is about, here and in the model; EKS Auto Mode's NodeClass has two of them, too."""


@rule(severity=Severity.HIGH, needs={Kind.NODEPOOL, Kind.NODECLASS}, since="0.1.0", stage=Stage.NODEPOOL)
def nodeclass_not_ready(
    snapshot: Snapshot, *, warn_after: timedelta = GRACE, fail_after: timedelta = timedelta(minutes=5)
) -> Iterator[Finding]:
    """NodePools buy nothing because the node class that they name is missing, being deleted, or not Ready."""
    for ref, nodepools in _users(snapshot).items():
        node_class = snapshot.nodeclass_of(nodepools[0])
        if node_class is None:
            yield from _missing(snapshot, ref, nodepools, warn_after, fail_after)
        elif node_class.metadata.deletion_timestamp:
            yield from _deleted(snapshot, ref, node_class, nodepools)
        elif state := unready(node_class.status.conditions):
            steps = state.steps_down(snapshot, warn_after, fail_after)
            for failing in state.failing if steps is not None else ():
                yield _failing(ref, node_class.spec, nodepools, failing, state.since, Severity.HIGH.lowered(steps or 0))


def _users(snapshot: Snapshot) -> Mapping[Ref, Sequence[NodePool]]:
    """The NodePools that name each node class and buy by it: what nobody uses harms nobody."""
    users: dict[Ref, list[NodePool]] = defaultdict(list)
    for nodepool in snapshot.nodepools:
        reference = nodepool.spec.template.spec.node_class_ref
        if reference.kind and reference.name and not nodepool.metadata.deletion_timestamp:
            users[node_class_ref(snapshot, reference)].append(nodepool)
    return users


def _missing(
    snapshot: Snapshot, ref: Ref, nodepools: Sequence[NodePool], warn_after: timedelta, fail_after: timedelta
) -> Iterator[Finding]:
    told: dict[str, tuple[int, Unready]] = {}
    for nodepool in nodepools:
        state = unready(nodepool.status.conditions) if names_missing_class(snapshot, nodepool) else None
        steps = state.steps_down(snapshot, warn_after, fail_after) if state else None
        if state and steps is not None:
            told[nodepool.name] = steps, state
    users = [nodepool for nodepool in nodepools if nodepool.name in told]
    if not users:
        return
    reference = users[0].spec.template.spec.node_class_ref
    there = sorted(entry.metadata.name for entry in snapshot.nodeclasses if is_of_kind(entry, reference))
    meant = get_close_matches(ref.name, there, n=1)
    listed = f"of {ref.kind} there {'are' if len(there) > 1 else 'is'} {few(there, _NAMED)}"
    yield _finding(
        ref, users, "missing",
        message=f"{ref} is not there, and {_names(users)} {_needs(users)} it",
        why=listed + (f"; {meant[0]} may be meant" if meant else ""),
        evidence=tuple(Evidence(_ref(users[0]), "status.conditions", said(entry)) for entry in told[users[0].name][1].failing),
        since=earliest(state.since for _, state in told.values()),
        severity=Severity.HIGH.lowered(min(steps for steps, _ in told.values())),
        fix=(
            Fix("fix", f"kubectl edit nodepool {shlex.quote(users[0].name)}", f"name one in spec.template.spec.nodeClassRef that is there, or make {ref}", _DRIFTS),
        ),
    )  # fmt: skip


def _deleted(snapshot: Snapshot, ref: Ref, node_class: NodeClass, nodepools: Sequence[NodePool]) -> Iterator[Finding]:
    since = node_class.metadata.deletion_timestamp
    if since is None or not snapshot.settled(since):
        return
    held = f"; its finalizers are {few(node_class.metadata.finalizers, _NAMED)}" if node_class.metadata.finalizers else ""
    yield _finding(
        ref, nodepools, "deleted",
        message=f"{ref} is being deleted, and {_names(nodepools)} {_needs(nodepools)} it",
        why=f"deleted at {at_and_distance(snapshot, since)}; it goes when {_claims(snapshot, nodepools[0].spec.template.spec.node_class_ref)}{held}",
        evidence=(Evidence(ref, "metadata.deletionTimestamp", f"{since:%Y-%m-%dT%H:%M:%SZ}"),),
        since=since,
        severity=Severity.HIGH,
        fix=(
            Fix("stop", f"kubectl get {_resource(ref)} {shlex.quote(ref.name)} -o yaml", "a deletion cannot be taken back: make the same under another name"),
            Fix("fix", f"kubectl edit nodepool {shlex.quote(nodepools[0].name)}", "name that one in spec.template.spec.nodeClassRef", _DRIFTS),
        ),
    )  # fmt: skip


def _claims(snapshot: Snapshot, reference: NodeClassRef) -> str:
    """How many NodeClaims it waits for (`aws:controllers/nodeclass/controller.go:finalize`, 1.14)."""
    seen = snapshot.covered(Kind.NODECLAIM)
    if not seen.sufficient:
        return f"its NodeClaims are gone, of which nothing is known: NodeClaim is {seen}"
    names = (reference.api_group, reference.kind, reference.name)
    of_it = [claim.spec.node_class_ref for claim in snapshot.nodeclaims]
    claims = sum((entry.api_group, entry.kind, entry.name) == names for entry in of_it)
    return (
        f"its {plural(claims, 'NodeClaim')} {'is' if claims == 1 else 'are'} gone"
        if claims
        else "its finalizers are gone; no NodeClaim is left"
    )


def _failing(
    ref: Ref, spec: NodeClassSpec, nodepools: Sequence[NodePool], failing: Condition, since: datetime, severity: Severity
) -> Finding:
    fields = tuple(_fields(failing, spec))
    return _finding(
        ref, nodepools, failing.type,
        message=f"{ref} is not Ready, and {_names(nodepools)} {_needs(nodepools)} it: {said(failing)}",
        why="; ".join(f"its {path} is {value}" for path, value in fields),
        evidence=(
            Evidence(ref, f"status.conditions[type={failing.type}]", said(failing)),
            *(Evidence(ref, path, value) for path, value in fields),
        ),
        since=since,
        severity=severity,
        fix=tuple(_mended(ref, failing, [path for path, _ in fields])),
    )  # fmt: skip


def _fields(failing: Condition, spec: NodeClassSpec) -> Iterator[tuple[str, str]]:
    """The fields that a condition is about, with their values."""
    path, attribute = _SELECTORS.get(failing.type, ("", ""))
    if attribute and (terms := getattr(spec, attribute)):
        yield f"spec.{path}", clip(" or ".join(map(str, terms)))
    if failing.type in {"InstanceProfileReady", "ValidationSucceeded"}:
        for name, value in (("role", spec.role), ("instanceProfile", spec.instance_profile)):
            if value:
                yield f"spec.{name}", value


def _mended(ref: Ref, failing: Condition, paths: Sequence[str]) -> Iterator[Fix]:
    resource, name = _resource(ref), shlex.quote(ref.name)
    if failing.status == "Unknown":
        text = "see whether Karpenter runs, and what its log says of it: errors that it tries again are only there"
        yield Fix("fix", f"kubectl describe {resource} {name}", text)
    else:
        text = f"mend {' or '.join(paths)}, or what should be found by it" if paths else "mend what the condition says"
        yield Fix(
            "fix", f"kubectl edit {resource} {name}", text, "an edit of a node class may drift the nodes that were made by it"
        )
    if ref.api_version.partition("/")[0] == _AWS:
        text = "if all is right by now, touch it: Karpenter keeps what it found for up to 30 minutes, and looks again at what was changed"
        yield Fix(
            "fix", f'kubectl annotate {resource} {name} touched="$(date +%s)" --overwrite', text, "an annotation drifts no node"
        )


def _resource(ref: Ref) -> str:
    """What kubectl calls its kind."""
    group = ref.api_version.partition("/")[0]
    return shlex.quote(f"{ref.kind.lower()}.{group}" if group else ref.kind.lower())


def _names(nodepools: Sequence[NodePool]) -> str:
    return f"NodePool{'s' * (len(nodepools) > 1)} {few([nodepool.name for nodepool in nodepools], _NAMED)}"


def _needs(nodepools: Sequence[NodePool]) -> str:
    return "needs" if len(nodepools) == 1 else "need"


def _ref(nodepool: NodePool) -> Ref:
    return Ref("NodePool", nodepool.name, "karpenter.sh/v1")


def _finding(
    ref: Ref, nodepools: Sequence[NodePool], cause: str, *,
    message: str, why: str, evidence: tuple[Evidence, ...], since: datetime | None, severity: Severity, fix: tuple[Fix, ...],
) -> Finding:  # fmt: skip
    """It is the NodePool's, too, where one alone names the node class."""
    nodepool = nodepools[0].name if len(nodepools) == 1 else ""
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool,
        cause=cause,
        severity=None if severity is Severity.HIGH else severity,
        message=message,
        why=why,
        cost="no node comes through such a NodePool, not even in the place of one that goes",
        evidence=evidence,
        occurrences=tuple(Occurrence(_ref(user), user.metadata.uid, reason=cause, since=since) for user in nodepools),
        since=since,
        fix=(*fix, verification("nodeclass-not-ready", nodepool=nodepool)),
    )
