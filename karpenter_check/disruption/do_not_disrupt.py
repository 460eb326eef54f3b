"""How to write the do-not-disrupt annotation, or take it away, where pods and nodes get it from."""

import json
import shlex

from karpenter_check.disruption.remedies import command
from karpenter_check.snapshot import Ref

DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"
_ROLLED = frozenset({("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet")})
"""Kinds that replace their pods when their template changes."""


def in_template(owner: Ref, value: str | None) -> str:
    """The command that writes the annotation into the template of a workload or a NodePool, or with None takes it out.

    Empty where there is none: a bare pod has no template, a Job's is immutable, and where other kinds have theirs is not known.
    """
    template: dict[str, object] = {"template": {"metadata": {"annotations": {DO_NOT_DISRUPT: value}}}}
    if owner.kind == "CronJob":
        template = {"jobTemplate": {"spec": template}}
    elif owner.kind != "NodePool" and (owner.api_version, owner.kind) not in _ROLLED:
        return ""
    return command("patch", owner, f"--type merge -p {shlex.quote(json.dumps({'spec': template}, separators=(',', ':')))}")


def on_object(ref: Ref, value: str | None) -> str:
    """The command that writes the annotation on a pod or a node, or with None takes it away."""
    return command("annotate", ref, f"{DO_NOT_DISRUPT}-" if value is None else f"--overwrite {DO_NOT_DISRUPT}={shlex.quote(value)}")
