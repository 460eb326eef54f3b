"""Zones, instance types and the like: the form tells a cloud's own from somebody's."""

import pytest

from karpenter_check.collect.cloud_values import is_cloud_value

ZONE, TYPE = "topology.kubernetes.io/zone", "node.kubernetes.io/instance-type"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((ZONE, value) for value in ("eu-west-1a", "us-gov-east-1b", "us-west-2-lax-1a", "us-east-1-wl1-bos-wlz-1", "westeurope-1", "eastus2-3",
          "europe-west1-b", "cn-hangzhou-b", "2", "test-zone-a", "us-west-2z", "northcentralus", "germanywestcentral-2")),
        *(("topology.kubernetes.io/region", value) for value in ("eu-west-1", "eastus2", "us-central1", "switzerlandnorth")),
        *(("topology.k8s.aws/zone-id", value) for value in ("use1-az1", "usw2-lax1-az1", "apne1-az4")),
        *((TYPE, value) for value in ("m7i.large", "c6gn.16xlarge", "m7i-flex.2xlarge", "u-6tb1.metal", "p4de.24xlarge", "i4i.metal-24xl",
          "mac2-m2pro.metal", "Standard_D4s_v5", "Standard_NC24ads_A100_v4", "n2-standard-8", "a2-highgpu-1g", "ecs.g7.large", "c-1x-amd64-linux")),
        ("kubernetes.io/arch", "arm64"), ("kubernetes.io/os", "linux"), ("karpenter.sh/capacity-type", "on-demand"),
        ("karpenter.k8s.aws/instance-family", "m7i-flex"), ("karpenter.k8s.aws/instance-size", "2xlarge"), ("karpenter.k8s.aws/instance-gpu-name", "a10g"),
        ("karpenter.k8s.aws/instance-hypervisor", "nitro"), ("karpenter.k8s.aws/instance-cpu-manufacturer", "intel"),
        ("node.kubernetes.io/windows-build", "10.0.20348"), ("karpenter.kwok.sh/instance-memory", "16Gi"), ("eks-node-viewer/instance-price", "0.027147"),
        ("karpenter.azure.com/sku-name", "Standard_D4s_v5"),
    ],
)  # fmt: skip
def test_a_clouds_own_words_are_known(key: str, value: str) -> None:
    assert is_cloud_value(key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((ZONE, value) for value in ("acme-dc1-rack2", "acme-frankfurt", "acme-east-1a", "rack12", "node", "frankfurt")),
        ("topology.kubernetes.io/region", "acme-frankfurt"), (TYPE, "acme-big"), (TYPE, "acmebox.large-7"), (TYPE, "node"), (TYPE, "acme7"),
        ("karpenter.k8s.aws/instance-family", "acmefamily"), ("karpenter.k8s.aws/instance-cpu-manufacturer", "acme"),
    ],
)  # fmt: skip
def test_somebodys_own_words_are_not(key: str, value: str) -> None:
    assert not is_cloud_value(key, value)
