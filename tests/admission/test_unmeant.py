"""What everybody takes, and what does not do what its author means."""

from typing import Any

import pytest

from karpenter_check.admission.fault import Fate, quoted, said
from karpenter_check.admission.unmeant import unmeant_faults


def of_nodepool(**spec: Any) -> list[str]:
    found = unmeant_faults({"kind": "NodePool", "metadata": {"name": "default"}, "spec": spec})
    return [f"{fault.field} {fault.wrong}" for fault in found]


AWS = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}


def expiring(after: str) -> dict[str, Any]:
    return {"spec": {"expireAfter": after}}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"disruption": {"consolidateAfter": "24h"}, "template": expiring("24h")}, ['spec.disruption.consolidateAfter is "24h", and nodes expire after "24h": none is ever old enough to be consolidated']),
        ({"disruption": {"consolidateAfter": "1h"}, "template": expiring("24h")}, []),
        ({"disruption": {"consolidateAfter": "1h"}, "template": expiring("Never")}, []),
        ({"disruption": {"consolidateAfter": "1m"}, "replicas": 3}, ['spec.disruption.consolidateAfter is "1m", which has no effect: nodes of a static NodePool are not consolidated']),
        ({"disruption": {"consolidateAfter": "0s"}, "replicas": 3}, []),
        ({"template": expiring("0s")}, ['spec.template.spec.expireAfter is "0s": every node expires as soon as it is there, and the next one after it']),
        ({"limits": {"cpu": "100", "memory": "400Gi", "nodes": "9", "nvidia.com/gpu": "4", "hugepages-2Mi": "1Gi"}}, []),
        ({"limits": {"CPU": "100"}}, ["spec.limits.CPU is no resource that a node has, so it bounds nothing"]),
        ({"limits": {"memory": "1000"}}, ['spec.limits.memory is "1000": bytes, fewer than any node has, so no node is bought']),
        ({"limits": {"memory": "0"}}, []),
        ({"disruption": {"budgets": [{"nodes": "10%"}, {"nodes": "0", "schedule": "@daily", "duration": "1h"}]}}, []),
        ({"disruption": {"budgets": [{"nodes": "1", "schedule": "61 * * * *", "duration": "1h"}]}}, ['spec.disruption.budgets[0].schedule cannot be read by Karpenter, which then lets no node go: schedule "61 * * * *": minute "61": 61 is above 59']),
        ({"disruption": "text", "limits": {}, "template": []}, []),
        ({"template": {"metadata": {"labels": {"karpenter.k8s.aws/instance-famly": "m5"}}, "spec": {"nodeClassRef": AWS}}}, ['spec.template.metadata.labels[karpenter.k8s.aws/instance-famly] is "karpenter.k8s.aws/instance-famly", a label that Karpenter up to 1.13.0 does not know, and refuses']),
        ({"template": {"spec": {"nodeClassRef": AWS, "requirements": [{"key": "karpenter.k8s.aws/instance-famly", "operator": "In", "values": ["m5"]}]}}}, ['spec.template.spec.requirements[0].key is "karpenter.k8s.aws/instance-famly", a label that Karpenter up to 1.13.0 does not know, and refuses']),
        ({"template": {"spec": {"nodeClassRef": AWS, "requirements": [{"key": "karpenter.k8s.aws/brand-new-thing", "operator": "Exists"}]}}}, []),
        ({"template": {"spec": {"nodeClassRef": AWS, "requirements": [{"key": "example.com/instance-famly", "operator": "Exists"}]}}}, []),
    ],
)  # fmt: skip
def test_what_is_hardly_meant_is_told_and_nothing_else(spec: dict[str, Any], said: list[str]) -> None:
    assert of_nodepool(**spec) == said


def test_what_only_has_no_effect_is_less() -> None:
    requirement = {"key": "team", "operator": "Exists", "values": ["a"]}
    (fault,) = unmeant_faults({"kind": "NodeClaim", "spec": {"requirements": [requirement]}})

    assert (fault.field, fault.fate, fault.grave) == ("spec.requirements[0].values", Fate.UNMEANT, False)


def test_paths_are_said_as_people_say_them() -> None:
    assert said(("spec", "taints", 0, "key")) == "spec.taints[0].key"
    assert said(("metadata", "labels", "example.com/a")) == "metadata.labels[example.com/a]"
    assert said(()) == "the object"


@pytest.mark.parametrize(
    ("value", "written"),
    [("a", '"a"'), (True, "true"), (1.5, "1.5"), (None, "null"), ({}, "empty"), ({"a": 1}, "an object"), ([1], "a list"), ('"\n', '"\\"\\n"')],
)  # fmt: skip
def test_values_are_quoted_as_their_manifest_may_have_them(value: object, written: str) -> None:
    assert quoted(value) == written


def test_a_comment_in_user_data_sets_nothing() -> None:
    def told(data: str) -> list[str]:
        content = {"kind": "EC2NodeClass", "metadata": {"name": "default"}, "spec": {"userData": data}}
        return [fault.field for fault in unmeant_faults(content)]

    assert told("#!/bin/bash\n  # ENABLE_PREFIX_DELEGATION=true is set on aws-node\necho hi\n") == []
    assert told("#!/bin/bash\nexport ENABLE_PREFIX_DELEGATION=true # really\n") == ["spec.userData"]
