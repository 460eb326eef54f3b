"""The answer to "why nodepool" as JSON; its times are UTC."""

from typing import Any

import msgspec

from karpenter_check.disruption.allowance import Remaining, Unknown
from karpenter_check.disruption.openings import Window
from karpenter_check.reports.answer_json import run_of
from karpenter_check.reports.document import encoded
from karpenter_check.reports.printable import printable_json
from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.quantity import Milli, shown
from karpenter_check.why.nodepool import NodePoolAnswer
from karpenter_check.why.nodepool_disruption import ReasonAnswer
from karpenter_check.why.nodepool_members import Members

SCHEMA = "karpenter-check/why-nodepool/v1"
_MOST_WINDOWS = 200


def render_why_nodepool_json(snapshot: Snapshot, answer: NodePoolAnswer, version: str) -> str:
    """The answer as one JSON document, `karpenter-check/why-nodepool/v1`."""
    nodepool, kept, workloads, overhead = answer.nodepool, answer.kept, answer.workloads, answer.overhead
    readiness, template, disruption = nodepool.readiness, nodepool.spec.template, nodepool.spec.disruption
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "run": run_of(snapshot, version),
        "nodePool": {"kind": "NodePool", "name": nodepool.name},
        "ready": readiness and {"status": readiness.status, "reason": readiness.reason, "message": readiness.message},
        "faults": [{"cause": fault.cause, "text": str(fault)} for fault in answer.faults],
        "nodeClass": answer.node_class,
        "weight": nodepool.spec.weight,
        "replicas": nodepool.spec.replicas,
        "consolidationPolicy": disruption.consolidation_policy,
        "consolidateAfter": disruption.consolidate_after,
        "expireAfter": template.spec.expire_after or disruption.expire_after,
        "terminationGracePeriod": template.spec.termination_grace_period,
        "requirements": [str(entry) for entry in answer.requirements],
        "labels": template.metadata.labels,
        "taints": [str(taint) for taint in template.spec.taints],
        "startupTaints": [str(taint) for taint in template.spec.startup_taints],
        "limits": [
            {
                "resource": limit.resource,
                "limit": shown(limit.resource, limit.limit),
                "used": _shown(limit.resource, limit.used),
                "nodeClaims": _shown(limit.resource, limit.claims),
            }
            for limit in answer.limits
        ],
        "tooLittleFor": [
            {"owner": owner, "reasons": [str(entry) for entry in reached]} for owner, reached in answer.short_of.items()
        ],
        "workloads": _unknown(workloads)
        if isinstance(workloads, Unknown)
        else [{"owner": one.owner, "pods": one.pods, "requests": _amounts(one.requests)} for one in workloads],
        "daemonSets": _unknown(overhead)
        if isinstance(overhead, Unknown)
        else {"counted": overhead.daemonsets, "requests": _amounts(overhead.requests)},
        "nodes": _nodes(answer.members),
        "disruption": [_reason(one) for one in answer.reasons],
        "unreadableBudgets": [{"path": one.entry.path, "why": one.why} for one in answer.unreadable],
        "kept": _unknown(kept)
        if isinstance(kept, Unknown)
        else [{"reason": one.reason, "word": one.word and str(one.word), "said": one.said, "nodes": one.nodes} for one in kept],
        "fix": answer.fix,
        "unseen": answer.unseen,
    }
    return printable_json(msgspec.json.format(encoded(document), indent=2)) + "\n"


def _unknown(unknown: Unknown) -> dict[str, str]:
    return {"unknown": unknown.why}


def _shown(resource: str, amount: int | None) -> str | None:
    return None if amount is None else shown(resource, amount)


def _amounts(requests: Milli) -> dict[str, str]:
    return {name: shown(name, amount) for name, amount in requests.items()}


def _nodes(members: Members | Unknown) -> dict[str, Any]:
    if isinstance(members, Unknown):
        return _unknown(members)
    return {
        "count": members.nodes,
        "ready": members.ready,
        "initialized": members.initialized,
        "terminating": members.terminating,
        "nodeClaimsWithoutNode": members.without_node,
        "drifted": members.drifted,
        "overdue": members.overdue,
        "expiringInADay": members.expiring_in_a_day,
        "expiringInAWeek": members.expiring_in_a_week,
    }


def _reason(one: ReasonAnswer) -> dict[str, Any]:
    return {
        "reason": one.reason,
        "never": one.never,
        "now": _now(one.now),
        "nextOpening": one.opens,
        "windows": [_window(window) for window in one.ahead[:_MOST_WINDOWS]],
        "moreWindows": max(0, len(one.ahead) - _MOST_WINDOWS),
    }


def _now(now: Remaining | Unknown) -> dict[str, Any]:
    """What is allowed now; null is unlimited."""
    if isinstance(now, Unknown):
        return _unknown(now)
    return {
        "allowed": now.allowance.allowed,
        "left": now.left,
        "leftAtMost": now.left_at_most,
        "nodes": now.total,
        "used": [{"node": user.node, "why": str(user.why), "certain": user.certain} for user in now.disrupting],
        "by": [entry.path for entry in now.allowance.deciding],
    }


def _window(window: Window) -> dict[str, Any]:
    return {"start": window.start, "end": window.end, "allowed": window.allowed, "by": [entry.path for entry in window.deciding]}
