"""Nodes whose kubelet or image is not supported any more, or not yet."""

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from karpenter_check.disruption.kept import Kept, kept
from karpenter_check.disruption.remedies import remedies
from karpenter_check.disruption.timing import drift
from karpenter_check.finding import Blame, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest, verification
from karpenter_check.rule import NotProven, rule
from karpenter_check.scheduling.labels import EKS_AUTO_MODE
from karpenter_check.scheduling.nomination import node_ref
from karpenter_check.snapshot import Kind, Node, NodeClaim, Snapshot, Version
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.moments import at_and_distance
from karpenter_check.snapshot.version import parse_version

_FEW = 3
_SKEW, _OLD_SKEW, _SINCE = 3, 2, 25
"""How many minor versions a kubelet may be older than the API server, since kubelet 1.25 and before."""
_UPGRADE = timedelta(hours=1)
"""While a control plane is upgraded, one of its API servers may still answer with the old version."""
_AL2, _AL2_ENDED = "Amazon Linux 2", Version(1, 33)
"""What a node of AL2 calls its image, and the first Kubernetes without one (karpenter-provider-aws `amifamily/ami.go`, 1.14)."""


class Cause(StrEnum):
    """What is wrong with the nodes."""

    TOO_OLD = "kubelet-too-old"
    NEWER = "kubelet-newer"
    DEPRECATED = "image-deprecated"
    AL2_ENDED = "al2-ended"


_WANTED = {
    Cause.TOO_OLD: "a newer image",
    Cause.NEWER: "an image of the API server's version",
    Cause.DEPRECATED: "a newer image",
    Cause.AL2_ENDED: "an image of Amazon Linux 2023 or of Bottlerocket",
}


@dataclass(frozen=True)
class _Behind:
    """A node, and what it runs."""

    node: Node
    claim: NodeClaim
    runs: str
    path: str


@rule(severity=Severity.MEDIUM, needs={Kind.NODE, Kind.NODECLAIM}, since="0.1.0")
def node_version_behind(snapshot: Snapshot, *, under_way: timedelta = timedelta(hours=24)) -> Iterator[Finding]:
    """Nodes run a kubelet that the API server does not support, or an image that has ended."""
    server = parse_version(snapshot.kubernetes_version)
    found: dict[tuple[str, Cause], list[_Behind]] = defaultdict(list)
    managed = False
    for node in snapshot.nodes:
        claim = snapshot.nodeclaim_of_node.get(node.name)
        if claim is None or not claim.nodepool or claim.metadata.deletion_timestamp or node.metadata.deletion_timestamp:
            continue
        managed = True
        for cause, entry in _behind(snapshot, node, claim, server):
            found[claim.nodepool, cause].append(entry)
    if managed and server is None and not found:
        raise NotProven("the input does not tell the API server's version")
    for (nodepool, cause), entries in found.items():
        yield _finding(snapshot, nodepool, cause, sorted(entries, key=lambda entry: entry.node.name), under_way)


def _behind(snapshot: Snapshot, node: Node, claim: NodeClaim, server: Version | None) -> Iterator[tuple[Cause, _Behind]]:
    info = node.status.node_info
    kubelet = parse_version(info.kubelet_version)
    if server and kubelet and server.major == kubelet.major == 1:
        behind, created = server.minor - kubelet.minor, node.metadata.creation_timestamp
        runs = _Behind(node, claim, f"{kubelet.major}.{kubelet.minor}", "status.nodeInfo.kubeletVersion")
        if behind > _allowed(kubelet):
            yield Cause.TOO_OLD, runs
        elif behind < 0 and created and snapshot.taken_at - created >= _UPGRADE:
            yield Cause.NEWER, runs
    if server and server >= _AL2_ENDED and info.os_image == _AL2:
        yield Cause.AL2_ENDED, _Behind(node, claim, _AL2, "status.nodeInfo.osImage")
    nodepool = snapshot.nodepools_by_name.get(claim.nodepool)
    nodeclass = snapshot.nodeclass_of(nodepool) if nodepool else None
    images = nodeclass.status.amis if nodeclass else ()
    if claim.status.image_id and any(image.deprecated and image.id == claim.status.image_id for image in images):
        yield Cause.DEPRECATED, _Behind(node, claim, claim.status.image_id, "status.imageID")


def _allowed(kubelet: Version) -> int:
    return _SKEW if kubelet.minor >= _SINCE else _OLD_SKEW


def _finding(snapshot: Snapshot, nodepool: str, cause: Cause, behind: Sequence[_Behind], under_way: timedelta) -> Finding:
    ref = Ref("NodePool", nodepool, "karpenter.sh/v1")
    drifts = {entry.node.name: found for entry in behind if (found := drift(entry.claim))}
    held = [node for entry in behind if entry.node.name in drifts and (node := kept(snapshot, entry.node))]
    since = earliest(found.last_transition_time for found in drifts.values())
    going = len(drifts) == len(behind) and not held and since is not None and snapshot.taken_at - since < under_way
    first = behind[0]
    of_first = node_ref(first.node.name) if cause is not Cause.DEPRECATED else Ref("NodeClaim", first.claim.name, "karpenter.sh/v1")
    shown = first.node.status.node_info.kubelet_version if cause in {Cause.TOO_OLD, Cause.NEWER} else first.runs
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool,
        cause=cause,
        severity=Severity.MEDIUM.lowered(2 if going else 0),
        message=_message(snapshot, nodepool, cause, behind),
        why=f"{_rule_of(cause)}; {_replaced(snapshot, behind, len(drifts), held, going=going)}",
        impact=Impact(nodes=len(behind)),
        evidence=(Evidence(of_first, first.path, shown),),
        occurrences=tuple(
            Occurrence(node_ref(entry.node.name), entry.node.metadata.uid, entry.node.name, cause, found.last_transition_time if (found := drifts.get(entry.node.name)) else None)
            for entry in behind
        ),
        since=since,
        fix=tuple(_fix(nodepool, cause, first.claim, len(drifts), held)),
        blames=tuple(Blame(blamed) for blamed in dict.fromkeys(object_ for entry in held for blocker in entry.blockers for object_ in blocker.objects)),
    )  # fmt: skip


def _message(snapshot: Snapshot, nodepool: str, cause: Cause, behind: Sequence[_Behind]) -> str:
    nodes = f"{plural(len(behind), 'node')} of {nodepool} {'runs' if len(behind) == 1 else 'run'}"
    runs = few([text for text, _ in Counter(entry.runs for entry in behind).most_common()], _FEW)
    server = parse_version(snapshot.kubernetes_version) or Version(0, 0)
    match cause:
        case Cause.TOO_OLD:
            return f"{nodes} kubelet {runs}, too old for the API server's {server.major}.{server.minor}"
        case Cause.NEWER:
            return f"{nodes} kubelet {runs}, newer than the API server's {server.major}.{server.minor}"
        case Cause.DEPRECATED:
            return f"{nodes} an image that its owner has deprecated: {runs}"
        case Cause.AL2_ENDED:
            return f"{nodes} {_AL2}, of which there is no image for Kubernetes {server.major}.{server.minor}"


def _rule_of(cause: Cause) -> str:
    match cause:
        case Cause.TOO_OLD:
            return f"a kubelet may be {_SKEW} minor versions older than the API server ({_OLD_SKEW} before kubelet 1.{_SINCE}), and no more"
        case Cause.NEWER:
            return "a kubelet may never be newer than the API server"
        case Cause.DEPRECATED:
            return "its node class selects no image that is not deprecated, so new nodes start from it, too"
        case Cause.AL2_ENDED:
            return "EKS makes images of Amazon Linux 2 up to 1.32 only, and nobody mends what is found in them"


def _replaced(snapshot: Snapshot, behind: Sequence[_Behind], drifted: int, held: Sequence[Kept], *, going: bool) -> str:
    """What becomes of them without anybody doing anything."""
    if not drifted:
        return "none of them is Drifted: they are what their node class asks for, so Karpenter leaves them"
    said = f"{drifted} of {len(behind)} {'is' if drifted == 1 else 'are'} Drifted"
    if held:
        first = held[0]
        blocker = first.own[0]
        return f"{said}, but {first.node.name} is kept because {blocker.said}"
    if going:
        return f"{said}: they are being replaced"
    since = earliest(found.last_transition_time for entry in behind if (found := drift(entry.claim)))
    return (
        said
        + (f", the first since {at_and_distance(snapshot, since)}" if since else "")
        + ": Karpenter replaces them as budgets allow"
    )


def _fix(nodepool: str, cause: Cause, claim: NodeClaim, drifted: int, held: Sequence[Kept]) -> Iterator[Fix]:
    if not drifted:
        reference = claim.spec.node_class_ref
        if reference.api_group == EKS_AUTO_MODE:
            yield Fix("fix", text="EKS Auto Mode chooses the image itself: ask AWS why these nodes stay")
        else:
            kind = ".".join(part for part in (reference.kind.lower() or "nodeclass", reference.api_group) if part)
            edit = f"kubectl edit {shlex.quote(kind)} {shlex.quote(reference.name)}"
            yield Fix(
                "fix", edit, f"let it select {_WANTED[cause]}", "all nodes that use it drift, and are replaced as budgets allow"
            )
    elif held:
        yield from list(dict.fromkeys(fix for entry in held for blocker in entry.own for fix in remedies(blocker)))[:_FEW]
    else:
        yield Fix("fix", f"karpenter-check why nodepool {shlex.quote(nodepool)}", "see how many nodes its budgets let go, and when")
    yield verification("node-version-behind", nodepool=nodepool)
