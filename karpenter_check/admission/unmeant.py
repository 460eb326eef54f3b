"""What everybody takes, and what does not do what its author means."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from karpenter_check.admission.fault import Fate, Fault, one_of, quoted
from karpenter_check.admission.own import at, typed
from karpenter_check.disruption.budget import UnreadableBudget, entries, schedule_of, value
from karpenter_check.disruption.schedule_mended import mended
from karpenter_check.scheduling.labels import CAPACITY_TYPE, CAPACITY_TYPES, LISTED, provider_of
from karpenter_check.scheduling.typo import probably_meant
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.duration import duration
from karpenter_check.snapshot.manifest import Path

_BUDGETS: Path = ("spec", "disruption", "budgets")
_RESOURCES = frozenset({"cpu", "memory", "ephemeral-storage", "pods", "nodes"})
_REQUIREMENTS: tuple[Path, ...] = (("spec", "template", "spec", "requirements"), ("spec", "requirements"))
_EXPIRY: tuple[Path, ...] = (("spec", "template", "spec", "expireAfter"), ("spec", "disruption", "expireAfter"))
_UNASKED = frozenset({"Exists", "DoesNotExist"})
_OF_THE_CNI = re.compile(
    r"(ENABLE_PREFIX_DELEGATION|WARM_PREFIX_TARGET|WARM_IP_TARGET|MINIMUM_IP_TARGET|WARM_ENI_TARGET)", re.IGNORECASE
)
_LONGEST = 200


def unmeant_faults(content: Mapping[str, Any]) -> Iterator[Fault]:
    """What is taken of an object with all defaults filled in, and is hardly meant."""
    if content.get("kind") == "NodePool":
        yield from _of_consolidation(content)
        yield from _of_budgets(content)
        yield from _of_limits(content)
    for path in _REQUIREMENTS:
        requirements = at(content, path)
        for place, requirement in enumerate(requirements if isinstance(requirements, list) else ()):
            if isinstance(requirement, dict) and isinstance(requirement.get("operator"), str):
                yield from _of_requirement(requirement, (*path, place))
    for path in _EXPIRY:
        span = at(content, path)
        lasts = duration(span) if isinstance(span, str) else None
        if lasts is not None and not lasts:
            wrong = f"is {quoted(span)}: every node expires as soon as it is there, and the next one after it"
            yield Fault(path, Fate.UNMEANT, wrong, "write Never where nodes are not to expire", quoted(span))
    yield from _of_labels(content)
    if content.get("kind") == "EC2NodeClass":
        yield from _of_user_data(content)


def _of_consolidation(content: Mapping[str, Any]) -> Iterator[Fault]:
    """A `consolidateAfter` that never runs out: it begins again with every pod that comes or goes, at the earliest with the node."""
    path: Path = ("spec", "disruption", "consolidateAfter")
    after = at(content, path)
    waits = duration(after) if isinstance(after, str) else None
    if not waits:
        return
    if at(content, ("spec", "replicas")) is not None:
        wrong = f"is {quoted(after)}, which has no effect: nodes of a static NodePool are not consolidated"
        yield Fault(path, Fate.UNMEANT, wrong, value=quoted(after), grave=False)
    for expiry in _EXPIRY:
        span = at(content, expiry)
        lives = duration(span) if isinstance(span, str) else None
        if lives and lives <= waits:
            wrong = f"is {quoted(after)}, and nodes expire after {quoted(span)}: none is ever old enough to be consolidated"
            yield Fault(path, Fate.UNMEANT, wrong, "write Never where nothing is to be consolidated", quoted(after), grave=False)


def _of_budgets(content: Mapping[str, Any]) -> Iterator[Fault]:
    nodepool = typed(content)
    budgets = at(content, _BUDGETS)
    if budgets == []:
        wrong = "is empty, which is no limit at all: all nodes may go at once"
        yield Fault(_BUDGETS, Fate.UNMEANT, wrong, "leave it out for the default of 10%, or write nodes: 100% where that is meant")
    for entry in entries(nodepool) if nodepool and isinstance(budgets, list) else ():
        path: Path = (*_BUDGETS, entry.index)
        try:
            schedule_of(entry.budget)
        except UnreadableBudget as error:
            field, better = str(error).partition(" ")[0], mended(entry.budget.schedule)
            wrong = f"cannot be read by Karpenter, which then lets no node go: {clip(str(error), _LONGEST)}"
            written = getattr(entry.budget, field)
            yield Fault(
                (*path, field), Fate.UNREADABLE, wrong, f"write {better}" if better and field == "schedule" else "", quoted(written)
            )
        try:
            value(entry.budget, 100)
        except UnreadableBudget as error:
            yield Fault(
                (*path, "nodes"),
                Fate.UNREADABLE,
                f"cannot be read by Karpenter, which then lets no node go: {error}",
                value=quoted(entry.budget.nodes),
            )
        if entry.budget.reasons == ():
            wrong = "is empty, so the budget holds for no reason at all and limits nothing"
            yield Fault((*path, "reasons"), Fate.UNMEANT, wrong, "leave it out where every reason is meant")


def _of_limits(content: Mapping[str, Any]) -> Iterator[Fault]:
    limits = at(content, ("spec", "limits"))
    for resource, limit in limits.items() if isinstance(limits, dict) else ():
        path: Path = ("spec", "limits", resource)
        if "/" not in resource and resource not in _RESOURCES and not resource.startswith("hugepages-"):
            right = next((known for known in sorted(_RESOURCES) if known.startswith(resource.lower()[:3])), "")
            wrong = "is no resource that a node has, so it bounds nothing"
            yield Fault(path, Fate.UNMEANT, wrong, f"is {right} meant?" if right else "", quoted(limit))
        elif resource == "memory" and str(limit).isdecimal() and 0 < int(str(limit)[:20]) < 1 << 24:
            wrong = f"is {quoted(limit)}: bytes, fewer than any node has, so no node is bought"
            yield Fault(path, Fate.UNMEANT, wrong, f"write {limit}Gi", quoted(limit))


def _of_requirement(requirement: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    operator, written = requirement["operator"], requirement.get("values")
    values = [word for word in written if isinstance(word, str)] if isinstance(written, list) else []
    if operator in _UNASKED and values:
        wrong = f"has no effect beside {operator}, which looks at the key alone"
        yield Fault((*path, "values"), Fate.UNMEANT, wrong, "write In or NotIn where these values are meant", grave=False)
    unknown = [word for word in values if word not in CAPACITY_TYPES] if requirement.get("key") == CAPACITY_TYPE else []
    if operator == "In" and unknown and len(unknown) < len(values):  # of all unknown ones Karpenter makes an error
        wrong = f"has {one_of([quoted(word) for word in unknown], 'and')}, which Karpenter leaves out with a line in its log"
        yield Fault((*path, "values"), Fate.UNMEANT, wrong, f"there is {one_of(sorted(CAPACITY_TYPES), 'and')}")


def _of_labels(content: Mapping[str, Any]) -> Iterator[Fault]:
    """Labels that look like one of the provider's: Karpenter refuses all but its own, and a later one than 1.13 may have learnt new ones."""
    reference = at(content, ("spec", "template", "spec", "nodeClassRef"))
    group = reference.get("group") if isinstance(reference, dict) else None
    known = provider_of(group).well_known if isinstance(group, str) and group else frozenset()
    labels = at(content, ("spec", "template", "metadata", "labels"))
    keys: list[tuple[str, Path]] = [
        (str(key), ("spec", "template", "metadata", "labels", key)) for key in (labels if isinstance(labels, dict) else ())
    ]
    for path in _REQUIREMENTS:
        requirements = at(content, path)
        for place, requirement in enumerate(requirements if isinstance(requirements, list) else ()):
            if isinstance(requirement, dict) and isinstance(requirement.get("key"), str):
                keys.append((requirement["key"], (*path, place, "key")))
    for key, path in keys:
        right = probably_meant(key, (), known) if key.partition("/")[0] == group else ""
        if right and key not in known:
            wrong = f"is {quoted(key)}, a label that Karpenter up to {LISTED} does not know, and refuses"
            yield Fault(path, Fate.UNMEANT, wrong, f"is {right} meant?", quoted(key))


def _of_user_data(content: Mapping[str, Any]) -> Iterator[Fault]:
    """Settings of the VPC CNI, which reads its own DaemonSet's environment; the rest of the text is nobody's business."""
    data = at(content, ("spec", "userData"))
    lines = data.splitlines() if isinstance(data, str) else []
    told = sorted({found.upper() for line in lines if not line.lstrip().startswith("#") for found in _OF_THE_CNI.findall(line)})
    if told:
        wrong = f"sets {one_of(told, 'and')}, which nothing on the node reads: prefix delegation belongs to the VPC CNI"
        advice = "set it in the environment of DaemonSet kube-system/aws-node, and spec.kubelet.maxPods here"
        yield Fault(("spec", "userData"), Fate.UNMEANT, wrong, advice, grave=False)
    if at(content, ("spec", "amiFamily")) == "Custom" and not data:
        wrong = "is missing, and with amiFamily Custom nothing else tells an instance how to join"
        yield Fault(("spec", "userData"), Fate.UNMEANT, wrong, "write it, unless the image joins by itself", grave=False)
