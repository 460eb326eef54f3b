"""The answer to "why node" as one JSON document, `karpenter-check/why-node/v1`."""

from typing import Any

import msgspec

from karpenter_check.disruption.expiry import expiry, latest_end
from karpenter_check.reports.answer_json import run_of
from karpenter_check.reports.document import encoded
from karpenter_check.reports.printable import printable_json
from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.event import Event
from karpenter_check.why.node import NodeAnswer
from karpenter_check.why.node_gone import GoneNode
from karpenter_check.why.node_runs import Load

SCHEMA = "karpenter-check/why-node/v1"


def render_why_node_json(snapshot: Snapshot, answer: NodeAnswer | GoneNode, version: str) -> str:
    """The answer as one JSON document; of a node that is gone `gone` is true, or null where nodes were not seen."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "run": run_of(snapshot, version),
        **(_gone(answer) if isinstance(answer, GoneNode) else _there(snapshot, answer)),
        "unseen": answer.unseen,
    }
    return printable_json(msgspec.json.format(encoded(document), indent=2)) + "\n"


def _gone(gone: GoneNode) -> dict[str, Any]:
    return {
        "gone": True if gone.seen else None,
        "node": gone.node or None,
        "nodeClaim": gone.nodeclaim or None,
        "sameForCertain": gone.one if gone.node and gone.nodeclaim else None,
        "nodePool": gone.nodepool or None,
        "born": gone.born,
        "ended": gone.ended,
        "conclusion": gone.conclusion,
        "events": [_event(event) for event in gone.events],
        "evicted": [_event(event) for event in gone.evicted],
        "pods": gone.pods,
    }


def _event(event: Event) -> dict[str, Any]:
    about = event.involved_object
    return {
        "object": {"kind": about.kind, "namespace": about.namespace, "name": about.name},
        "reason": event.reason,
        "message": clip(event.message),
        "count": event.times,
        "first": event.first_seen,
        "last": event.last_seen,
    }


def _load(load: Load) -> dict[str, Any]:
    return {"owner": load.owner, "pods": load.pods, "takes": load.takes, "share": round(load.share, 4)}


def _there(snapshot: Snapshot, answer: NodeAnswer) -> dict[str, Any]:
    state, wanted, ending = answer.state, answer.wanted, answer.termination
    claim = state.nodeclaim
    return {
        "gone": False,
        "node": state.node and state.node.name,
        "nodeClaim": claim and claim.name,
        "nodePool": state.labels.get("karpenter.sh/nodepool") or None,
        "notKarpenters": answer.foreign,
        "expires": expiry(snapshot, claim) if claim else None,
        "forcedEnd": latest_end(snapshot, claim) if claim else None,
        "runs": {
            "daemonSets": [_load(load) for load in answer.runs.daemonsets],
            "static": [_load(load) for load in answer.runs.static],
            "workloads": [_load(load) for load in answer.runs.workloads],
            "noneSince": answer.runs.none_since,
            "unknown": answer.runs.unknown,
        },
        "wanted": wanted
        and {"reason": wanted.reason or None, "known": wanted.known, "since": wanted.since, "at": wanted.at, "said": wanted.said},
        "checks": [
            {
                "check": str(check.word),
                "answer": str(check.mark),
                "said": check.said,
                "objects": check.blocker.objects if check.blocker else (),
                "confidence": str(check.blocker.confidence) if check.blocker else None,
                "lasts": str(check.blocker.lasts) if check.blocker else None,
                "since": check.blocker.since if check.blocker else None,
                "until": check.blocker.until if check.blocker else None,
            }
            for check in answer.checks
        ],
        "termination": ending
        and {
            "phase": str(ending.phase),
            "deleted": ending.deleted,
            "since": ending.since,
            "said": ending.said,
            "byExpiry": answer.expired,
            "heldBy": [
                {
                    "namespace": entry.pod.metadata.namespace,
                    "name": entry.pod.metadata.name,
                    "by": entry.by,
                    "forEver": entry.for_ever,
                    "until": entry.until,
                    "forced": entry.forced,
                }
                for entry in ending.held
            ],
            "forcedEnd": ending.forced_end,
            "finalizers": ending.finalizers,
        },
        "kept": answer.kept,
        "said": [
            {
                "about": said.about, "reason": said.reason, "message": clip(said.message), "count": said.times, "last": said.last,
                "agrees": said.agrees,
            }
            for said in answer.said
        ],
        "fix": answer.fix,
    }  # fmt: skip
