"""What a redacted snapshot keeps in clear: names that thousands of clusters share, and that rules read."""

import re

from karpenter_check.scheduling.labels import HOSTNAME
from karpenter_check.snapshot.node import NODEPOOL_LABEL

NAMES = frozenset({
    "default", "kube-system", "kube-public", "kube-node-lease", "karpenter",
    "aws-node", "kube-proxy", "coredns", "kube-dns", "node-local-dns", "ebs-csi-node", "efs-csi-node", "fsx-csi-node", "s3-csi-node",
    "ebs-csi-controller", "eks-pod-identity-agent", "eks-node-monitoring-agent", "cilium", "cilium-agent", "cilium-envoy", "cilium-operator",
    "calico-node", "calico-kube-controllers", "canal", "kube-flannel", "kube-flannel-ds", "flannel", "weave-net", "kube-router",
    "antrea-agent", "azure-cns", "azure-cni", "azure-ip-masq-agent", "cloud-node-manager", "csi-azuredisk-node", "csi-azurefile-node",
    "kube-ovn-cni", "ovnkube-node", "csi-node", "csi-nodeplugin", "csi-driver-node", "pdcsi-node", "csi-rbdplugin", "csi-cephfsplugin",
    "longhorn-csi-plugin", "longhorn-manager", "metrics-server", "aws-load-balancer-controller", "nvidia-device-plugin-daemonset",
    "cluster-autoscaler", "aws-cluster-autoscaler", "aws-node-termination-handler", "descheduler",
    "system-node-critical", "system-cluster-critical", "karpenter-leader-election", "nodepools.karpenter.sh", "nodeclaims.karpenter.sh",
    "provisioners.karpenter.sh", "machines.karpenter.sh", "nodeoverlays.karpenter.sh", "ec2nodeclasses.karpenter.k8s.aws",
    "nodeclasses.eks.amazonaws.com", "aksnodeclasses.karpenter.azure.com", "gcenodeclasses.karpenter.k8s.gcp", "kwoknodeclasses.karpenter.kwok.sh",
    "gp2", "gp3", "managed-csi", "managed-csi-premium", "standard-rwo", "premium-rwo",
})  # fmt: skip
"""Namespaces, workloads, priority classes, storage classes and CustomResourceDefinitions of Kubernetes, of clouds and of well-known software."""

TELLING_END = re.compile(
    r"(?:^|-)(?P<plain>aws-node|cilium|cilium-agent|cilium-envoy|calico-node|canal|kube-flannel|flannel|weave-net|kube-router|antrea-agent"
    r"|azure-cns|azure-cni|kube-ovn-cni|ovnkube-node|kube-proxy|csi-node|csi-nodeplugin|csi-driver-node|pdcsi-node|csi-rbdplugin"
    r"|csi-cephfsplugin|longhorn-csi-plugin|longhorn-manager|csi-.+-(?P<driver>node|nodeplugin))"
    r"(?P<build>(?:-(?:ds|daemonset|linux|amd64|arm64)){0,2})$"
)
"""Ends of DaemonSets' names that say what they bring to a node (rules/daemonset_absent_from_nodepool.py)."""

TELLING_PART = re.compile(r"coredns|kube-dns|node-local-dns|webhook")
"""Words in names of workloads that the cluster cannot do without (rules/node_expiry_herd.py)."""

_DOMAINS = frozenset({
    "kubernetes.io", "beta.kubernetes.io", "topology.kubernetes.io", "failure-domain.beta.kubernetes.io", "node.kubernetes.io",
    "node.cloudprovider.kubernetes.io", "app.kubernetes.io", "apps.kubernetes.io", "batch.kubernetes.io", "statefulset.kubernetes.io",
    "cluster-autoscaler.kubernetes.io", "service.kubernetes.io", "pod-security.kubernetes.io", "feature.node.kubernetes.io",
    "scheduling.k8s.io", "policy.k8s.io", "resource.k8s.io", "metrics.k8s.io", "readiness.k8s.io", "apps.openshift.io",
    "karpenter.sh", "compatibility.karpenter.sh", "karpenter.k8s.aws", "compute.k8s.aws", "topology.k8s.aws", "topology.ebs.csi.aws.com",
    "ebs.csi.aws.com", "efs.csi.aws.com", "fsx.csi.aws.com", "s3.csi.aws.com", "cni.istio.io", "ebs.csi.eks.amazonaws.com", "elbv2.k8s.aws", "vpc.amazonaws.com", "eks.amazonaws.com", "aws.amazon.com",
    "karpenter.kwok.sh", "kwok.x-k8s.io", "cluster.x-k8s.io", "karpenter.azure.com", "kubernetes.azure.com", "topology.disk.csi.azure.com",
    "disk.csi.azure.com", "file.csi.azure.com", "pd.csi.storage.gke.io", "cloud.google.com", "gke.io", "topology.gke.io", "karpenter.k8s.gcp", "nvidia.com", "amd.com", "intel.com",
    "gpu.intel.com", "habana.ai", "node.cilium.io", "cilium.io", "projectcalico.org", "keda.sh", "apps.kruise.io", "argoproj.io", "helm.sh",
    "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io", "cert-manager.io", "batch.volcano.sh", "kubeflow.org", "ray.io",
    "sparkoperator.k8s.io", "eks-node-viewer", "eksctl.io", "alpha.eksctl.io",
})  # fmt: skip
"""Domains of labels and API groups that are Kubernetes', Karpenter's, a cloud's or well-known software's."""
_CHOSEN = frozenset({"node-restriction.kubernetes.io", "node-role.kubernetes.io", "kops.k8s.io"})
"""Domains of Kubernetes' under which everybody makes names of their own."""
_TELLING_DOMAINS = (
    "node-restriction.kubernetes.io", "node-role.kubernetes.io", "node.kubernetes.io", "kops.k8s.io", "kubernetes.io", "k8s.io",
    "karpenter.k8s.aws", "karpenter.kwok.sh", "karpenter.sh", "eks.amazonaws.com", "karpenter.azure.com", "kubernetes.azure.com",
    "topology.disk.csi.azure.com",
)  # fmt: skip
"""Ends of domains that Karpenter compares (scheduling/labels.py), the longer before the shorter."""
_GROUPS = frozenset({"", "apps", "batch", "policy", "autoscaling", "extensions"})
_KEYS = frozenset({
    "", ".", "metadata.name", "metadata.namespace", "app", "k8s-app", "component", "tier", "role", "release", "chart", "heritage", "version",
    "name", "pod-template-hash", "controller-revision-hash", "pod-template-generation", "job-name", "controller-uid",
    "node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master", "node-role.kubernetes.io/worker",
})  # fmt: skip
"""Label and field keys that everybody uses."""

_OPEN_LABELS = re.compile(
    r"[a-z0-9.-]+/(?:zone|zone-id|region|arch|os|windows-build|os-sku|capacity-type|compute-type|instance-type"
    r"|instance-(?!profile|id)[a-z-]+|sku-[a-z-]+|capacity-reservation-type|initialized|registered|pod-index|nitro-sandbox"
    r"|placement-group-partition|exclude-from-external-load-balancers)"
)
RESOURCES = frozenset({"cpu", "memory", "ephemeral-storage", "pods", "nodes", "storage"})
SCHEDULERS = frozenset({"default-scheduler", "fargate-scheduler"})
OS_IMAGES = frozenset({"Amazon Linux 2"})
"""What nodes call their operating system, as far as a rule asks for it."""
COMPONENTS = SCHEDULERS | {
    "", "karpenter", "eks-auto-mode/compute", "kubelet", "kube-scheduler", "kube-controller-manager", "controllermanager", "apiserver",
    "node-controller", "daemonset-controller", "deployment-controller", "replicaset-controller", "statefulset-controller",
    "job-controller", "cronjob-controller", "taint-eviction-controller", "cloud-node-controller", "attachdetach-controller",
    "kube-proxy", "cluster-autoscaler",
}  # fmt: skip
"""Who reports events."""
_MANAGERS = re.compile(
    r"karpenter|kubelet|kwok|kube-scheduler|kube-controller-manager|cloud-controller-manager|kube-apiserver|node-problem-detector"
    r"|kubectl(?:-(?:client-side-apply|last-applied|apply|edit|patch|label|annotate|create|replace|scale|set|taint|rollout|cordon|drain))?"
    r"|helm|helm-controller|kustomize-controller|argocd|argocd-controller|argocd-application-controller|terraform|pulumi-kubernetes"
    r"|python-requests|OpenAPI-Generator|cluster-autoscaler|cilium-agent|cilium-operator|cilium-operator-aws|calico-node|node-feature-discovery|nfd-master"
    r"|aws-node|aws-cloud-controller-manager|aws-network-policy-agent|eksctl|before-first-apply|Go-http-client|k9s|rancher"
)
PLAIN_SETTINGS = frozenset({
    "FEATURE_GATES", "BATCH_MAX_DURATION", "BATCH_IDLE_DURATION", "PREFERENCE_POLICY", "MIN_VALUES_POLICY", "IGNORE_DRA_REQUESTS",
})  # fmt: skip
"""Karpenter's settings whose values are no names."""


def is_public_group(group: str) -> bool:
    """Whether an API group says nothing about who runs the cluster."""
    return group in _GROUPS or group in _DOMAINS


def is_public_key(key: str) -> bool:
    """Whether a label, taint or resource key says nothing about who runs the cluster."""
    return key in _KEYS or key.rpartition("/")[0] in _DOMAINS


def telling_domain(domain: str) -> str:
    """The end of a domain that Karpenter compares; else empty."""
    return next((known for known in _TELLING_DOMAINS if domain == known or domain.endswith(f".{known}")), "")


def has_open_values(key: str) -> bool:
    """Whether a label's values are a cloud's words: zones, instance types, architectures and the like."""
    domain = key.rpartition("/")[0]
    return domain in _DOMAINS and key not in {HOSTNAME, NODEPOOL_LABEL} and _OPEN_LABELS.fullmatch(key) is not None


def is_public_resource(name: str) -> bool:
    """Whether a resource is Kubernetes' own or a known vendor's."""
    return name in RESOURCES or name.startswith(("hugepages-", "attachable-volumes-")) or ("/" in name and is_public_key(name))


def is_public_driver(name: str) -> bool:
    """Whether what makes or attaches volumes is Kubernetes' own or a known vendor's."""
    return is_public_group(name) or name.startswith("kubernetes.io/")


def is_public_manager(manager: str) -> bool:
    """Whether a field manager is a well-known program."""
    return _MANAGERS.fullmatch(manager) is not None
