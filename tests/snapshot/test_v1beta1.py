"""NodePools and NodeClaims of karpenter.sh/v1beta1 are read into the model of v1."""

from datetime import timedelta

import msgspec

from karpenter_check.disruption.expiry import time_to_live
from karpenter_check.scheduling.template import template_of_nodepool
from karpenter_check.snapshot import NodeClaim, NodePool, Snapshot
from karpenter_check.snapshot.nodepool import NodeClassRef
from tests.build import NOON

POOL = msgspec.json.decode(
    """{
      "apiVersion": "karpenter.sh/v1beta1", "kind": "NodePool", "metadata": {"name": "default"},
      "spec": {
        "disruption": {"consolidationPolicy": "WhenUnderutilized", "expireAfter": "240h", "budgets": [{"nodes": "20%"}]},
        "template": {"spec": {
          "nodeClassRef": {"apiVersion": "karpenter.k8s.aws/v1beta1", "kind": "EC2NodeClass", "name": "default"},
          "kubelet": {"maxPods": 50},
          "requirements": [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"], "minValues": 1}]
        }}
      }
    }""",
    type=NodePool,
)
CLAIM = msgspec.json.decode(
    """{
      "apiVersion": "karpenter.sh/v1beta1", "kind": "NodeClaim",
      "metadata": {"name": "default-x4xnz", "labels": {"karpenter.sh/nodepool": "default"}, "creationTimestamp": "2026-11-21T11:00:00Z"},
      "spec": {"nodeClassRef": {"name": "default"}, "requirements": []},
      "status": {"nodeName": "n1", "providerID": "aws:///1", "conditions": [{"type": "Launched", "status": "True"}]}
    }""",
    type=NodeClaim,
)


def test_the_api_version_of_a_node_class_reference_tells_its_group() -> None:
    assert POOL.spec.template.spec.node_class_ref == NodeClassRef("EC2NodeClass", "default", "", "karpenter.k8s.aws/v1beta1")
    assert POOL.spec.template.spec.node_class_ref.api_group == "karpenter.k8s.aws"
    assert NodeClassRef("EC2NodeClass", "default", "karpenter.k8s.aws").api_group == "karpenter.k8s.aws"
    assert CLAIM.spec.node_class_ref.api_group == ""


def test_the_template_has_the_same_labels_as_in_v1() -> None:
    assert template_of_nodepool(POOL).requirements.by_key.keys() == {
        "karpenter.sh/capacity-type",
        "karpenter.sh/nodepool",
        "karpenter.k8s.aws/ec2nodeclass",
    }


def test_a_nodeclaim_lives_as_long_as_its_nodepool_says() -> None:
    assert CLAIM.expire_after is None
    assert time_to_live(Snapshot(NOON, nodepools=(POOL,)), CLAIM) == timedelta(hours=240)
    assert time_to_live(Snapshot(NOON), CLAIM) is None


def test_the_rest_reads_as_in_v1() -> None:
    disruption = POOL.spec.disruption

    assert (disruption.consolidation_policy, disruption.consolidate_after, [budget.nodes for budget in disruption.budgets]) == (
        "WhenUnderutilized",
        "",
        ["20%"],
    )
    assert (CLAIM.nodepool, CLAIM.status.node_name, CLAIM.status.provider_id, CLAIM.is_true("Launched")) == (
        "default",
        "n1",
        "aws:///1",
        True,
    )
    assert not CLAIM.is_true("Registered")
