"""Which labels Karpenter knows, whole: a key that is dropped here turns a healthy DaemonSet into a finding.

Source: `pkg/apis/v1/labels.go` and `kwok/apis/v1alpha1/labels.go` of kubernetes-sigs/karpenter, `pkg/apis/v1/labels.go` of
aws/karpenter-provider-aws, all at 1.13.
"""

import pytest

from karpenter_check.scheduling.labels import Provider, provider_of

CORE = [
    "karpenter.sh/capacity-type",
    "karpenter.sh/nodepool",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "node.kubernetes.io/windows-build",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
]
AWS = [
    "karpenter.k8s.aws/capacity-reservation-id",
    "karpenter.k8s.aws/capacity-reservation-interruptible",
    "karpenter.k8s.aws/capacity-reservation-type",
    "karpenter.k8s.aws/instance-accelerator-count",
    "karpenter.k8s.aws/instance-accelerator-manufacturer",
    "karpenter.k8s.aws/instance-accelerator-name",
    "karpenter.k8s.aws/instance-capability-flex",
    "karpenter.k8s.aws/instance-category",
    "karpenter.k8s.aws/instance-cpu",
    "karpenter.k8s.aws/instance-cpu-manufacturer",
    "karpenter.k8s.aws/instance-cpu-sustained-clock-speed-mhz",
    "karpenter.k8s.aws/instance-ebs-bandwidth",
    "karpenter.k8s.aws/instance-encryption-in-transit-supported",
    "karpenter.k8s.aws/instance-family",
    "karpenter.k8s.aws/instance-generation",
    "karpenter.k8s.aws/instance-gpu-count",
    "karpenter.k8s.aws/instance-gpu-manufacturer",
    "karpenter.k8s.aws/instance-gpu-memory",
    "karpenter.k8s.aws/instance-gpu-name",
    "karpenter.k8s.aws/instance-hypervisor",
    "karpenter.k8s.aws/instance-local-nvme",
    "karpenter.k8s.aws/instance-memory",
    "karpenter.k8s.aws/instance-network-bandwidth",
    "karpenter.k8s.aws/instance-size",
    "karpenter.k8s.aws/instance-tenancy",
    "karpenter.k8s.aws/nitro-sandbox",
    "karpenter.k8s.aws/placement-group-id",
    "karpenter.k8s.aws/placement-group-partition",
    "topology.k8s.aws/zone-id",
]
KWOK = [
    "karpenter.kwok.sh/instance-cpu",
    "karpenter.kwok.sh/instance-family",
    "karpenter.kwok.sh/instance-memory",
    "karpenter.kwok.sh/instance-size",
]


@pytest.mark.parametrize(
    ("group", "keys"), [("karpenter.k8s.aws", [*CORE, *AWS]), ("karpenter.kwok.sh", [*CORE, *KWOK])], ids=["AWS", "kwok"]
)
def test_the_labels_of_a_provider_are_these_and_no_others(group: str, keys: list[str]) -> None:
    provider = provider_of(group)

    assert sorted(provider.well_known) == sorted(keys)
    assert (provider.domains, provider.proven) == ((), True)


def test_a_provider_whose_list_is_not_karpenters_own_proves_nothing() -> None:
    groups = ("eks.amazonaws.com", "karpenter.azure.com", "karpenter.k8s.gcp", "")

    assert [provider_of(group).proven for group in groups] == [False] * 4


def test_an_unknown_provider_may_know_every_label_that_has_a_domain() -> None:
    unknown = provider_of("karpenter.k8s.gcp")

    assert unknown == Provider(recognised=False)
    assert [unknown.knows(key) for key in ("cloud.google.com/gke-os-distribution", "heavy")] == [True, False]
