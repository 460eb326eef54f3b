"""A snapshot of a cluster, one kind after another."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from karpenter_check.collect.api import Api
from karpenter_check.collect.controller import DEFINITIONS, LEASE, NAMESPACE, namespaces
from karpenter_check.collect.discovery import Served, discover, node_class_path
from karpenter_check.collect.events import field_selectors
from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.lists import Lists, Progress
from karpenter_check.collect.permission import Permission, rules
from karpenter_check.collect.reading import Listing, Outcome
from karpenter_check.collect.refusal import CannotScan
from karpenter_check.collect.resources import RESOURCES
from karpenter_check.snapshot import NO_TIME, Coverage, Kind, Snapshot, Status, Version

Read: TypeAlias = Callable[[Listing], Outcome]
"""How a list is read: `Lists.read`, or `Lists.peek`."""

Ended: TypeAlias = Callable[[Kind, Coverage], None]
"""Told what is known of a kind once no more of it is asked for."""


def collect_live(
    api: Api,
    *,
    progress: Progress | None = None,
    karpenter_version: Version | None = None,
    events: bool = True,
    gathering: Gathering | None = None,
    ended: Ended | None = None,
) -> Snapshot:
    """What the cluster holds now. `karpenter_version` is taken where no Deployment tells it; `events` says whether to list them.

    `progress` is told of each page, `ended` of each kind.

    What could not be read is in the coverage: NodePool is `absent` where the server serves no version of it that is read, and then
    nothing else is listed.
    Raises CannotScan where nothing can be asked or nothing may be listed, or the answers carry no time.
    """
    served = discover(api)
    lists = Lists(api, progress, gathering)
    coverage = read_all(api, served, lists, lists.read, events=events, ended=ended)
    if refusal := nothing_listed(coverage, lists):
        raise CannotScan(refusal)
    return lists.gathering.snapshot(
        lists.taken_at or served.answered_at or NO_TIME,
        coverage,
        cluster=api.cluster,
        kubernetes_version=served.kubernetes_version,
        karpenter_version=karpenter_version,
    )


def read_all(
    api: Api, served: Served, lists: Lists, read: Read, *, events: bool = True, ended: Ended | None = None
) -> dict[Kind, Coverage]:
    """Read every kind, NodePools wholly: they name the node classes, and where they are absent the rest is not asked for.

    What of Karpenter's own is asked for by name is got, whatever `read` is.

    Raises CannotScan as `Lists.read` does.
    """
    coverage: dict[Kind, Coverage] = {}
    for kind, resource in RESOURCES.items():
        without_karpenter = Kind.NODEPOOL in coverage and coverage[Kind.NODEPOOL].status is Status.ABSENT
        if without_karpenter and resource.group != RESOURCES[Kind.NODEPOOL].group:
            outcome = Status.NOT_COLLECTED, "without Karpenter there is nothing to judge"
        elif kind is Kind.NODECLASS:
            outcome = _read_node_classes(api, served, lists, coverage[Kind.NODEPOOL], read)
        elif kind is Kind.EVENT and not events:
            outcome = Status.NOT_COLLECTED, "--no-events"
        elif (path := served.path(resource)) is None:
            outcome = Status.ABSENT, served.absence(resource)
        elif kind is Kind.LEASE:
            outcome = _read_lease(path, lists)
        elif kind is Kind.CUSTOMRESOURCEDEFINITION:
            outcome = _read_definitions(path, lists)
        elif kind is Kind.EVENT:
            outcome = _read_events(path, served, lists, coverage[Kind.NODEPOOL], read)
        else:
            outcome = (lists.read if kind is Kind.NODEPOOL else read)(Listing(kind, path))
        coverage[kind] = lists.gathering.coverage_of(kind, *outcome)
        if ended:
            ended(kind, coverage[kind])
    return coverage


def _read_events(path: str, served: Served, lists: Lists, nodepools: Coverage, read: Read) -> Outcome:
    """Read the events that rules look at; the first list that is not had ends it."""
    known = lists.gathering.objects[Kind.NODEPOOL].values() if nodepools.sufficient else None
    outcomes = []
    for selector in field_selectors(known, served.groups):
        outcomes.append(read(Listing(Kind.EVENT, path, selector)))
        if outcomes[-1][0] not in {Status.COMPLETE, Status.PARTIAL}:
            break
    return _together(outcomes)


def nothing_listed(coverage: dict[Kind, Coverage], lists: Lists) -> str:
    """Why nothing can be judged where not one list was answered; empty where one was, or where Karpenter is not there."""
    nodepools = coverage[Kind.NODEPOOL]
    if nodepools.status is Status.ABSENT or any(one.sufficient for kind, one in coverage.items() if not kind.optional):
        return ""
    if not lists.lacking:
        return f"nothing could be listed; of NodePools the server says: {nodepools.reason}"
    who = nodepools.reason.partition(" cannot ")[0] if " cannot " in nodepools.reason else "whoever asks"
    return f"nothing may be listed; a ClusterRole has to grant {rules(lists.lacking)} to {who}"


def _read_lease(path: str, lists: Lists) -> Outcome:
    """Get the lease of Karpenter's leader where its Deployment runs; where none is known, where Karpenter is usually installed."""
    known = namespaces(lists.gathering.objects[Kind.DEPLOYMENT].values())
    version, _, plural = path.rpartition("/")
    outcomes = [lists.get(Kind.LEASE, f"{version}/namespaces/{namespace}/{plural}/{LEASE}") for namespace in known or [NAMESPACE]]
    if not known and outcomes[0][0] is Status.COMPLETE and not lists.gathering.objects[Kind.LEASE]:
        return Status.NOT_COLLECTED, f"no Deployment is labelled as Karpenter's, and {NAMESPACE} has no lease {LEASE}"
    return _together(outcomes)


def _read_definitions(path: str, lists: Lists) -> Outcome:
    """Get Karpenter's own CustomResourceDefinitions, and those of the node classes that were asked for."""
    listed = (Permission.to_list(asked) for asked in lists.read_at[Kind.NODECLASS])
    names = (*DEFINITIONS, *(f"{node_class.resource}.{node_class.group}" for node_class in listed))
    return _together([lists.get(Kind.CUSTOMRESOURCEDEFINITION, f"{path}/{name}") for name in names])


def _read_node_classes(api: Api, served: Served, lists: Lists, nodepools: Coverage, read: Read) -> Outcome:
    """Read the node classes of every kind that a NodePool names."""
    if not nodepools.sufficient:
        return Status.NOT_COLLECTED, "not all NodePools were read, and they say which node classes there are"
    named = {nodepool.spec.template.spec.node_class_ref for nodepool in lists.gathering.objects[Kind.NODEPOOL].values()}
    names = sorted({(ref.api_group, ref.kind) for ref in named})
    outcomes = [_read_node_class(api, served, *name, read) for name in names]
    if nodepools.status is Status.PARTIAL:
        outcomes.append((Status.PARTIAL, f"of the NodePools, which name them, {nodepools.reason}"))
    return _together(outcomes)


def _read_node_class(api: Api, served: Served, group: str, kind: str, read: Read) -> Outcome:
    if not (group and kind):
        return Status.NOT_COLLECTED, f"a NodePool's nodeClassRef names {'no kind' if group else 'no group'}"
    try:
        path = node_class_path(api, served, group, kind)
    except CannotScan as refusal:
        return Status.FAILED, str(refusal)
    # items of custom resources carry their kind, unlike those of built-in lists, so they need not be told it
    return read(Listing(Kind.NODECLASS, path)) if path else (Status.ABSENT, f"the server does not serve {kind} of {group}")


def _together(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome for the lists of one kind: the worst, but absent only where all are. No lists are a complete nothing."""
    statuses = {status for status, _ in outcomes}
    reason = "; ".join(dict.fromkeys(reason for _, reason in outcomes if reason))
    for worst in (Status.FAILED, Status.FORBIDDEN, Status.NOT_COLLECTED):
        if worst in statuses:
            return worst, reason
    if statuses == {Status.ABSENT}:
        return Status.ABSENT, reason
    return Status.COMPLETE if statuses <= {Status.COMPLETE} else Status.PARTIAL, reason
