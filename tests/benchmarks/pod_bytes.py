"""Pods as bytes: one template for a workload, filled in for each of its pods."""

import json
from collections.abc import Iterator
from datetime import timedelta

from tests.benchmarks.managed import Json, written_by
from tests.benchmarks.plan import TAKEN_AT, MadeNode, Names, Workload, before, stamp

_NOT_READY = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for key in ("not-ready", "unreachable")
]
_OF_DAEMONSETS = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoSchedule"}
    for key in ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")
]
_WAITING = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found."


def labels(workload: Workload) -> Json:
    """The labels of a workload and of its pods, which its selector selects by the first."""
    return {
        "app.kubernetes.io/name": workload.name,
        "app.kubernetes.io/instance": f"{workload.namespace}-{workload.name}",
        "app.kubernetes.io/part-of": workload.namespace,
        "app.kubernetes.io/managed-by": "Helm",
        "helm.sh/chart": f"{workload.name}-1.{workload.number}.0",
    }


def _container(workload: Workload) -> Json:
    probe = {"httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10}
    secret = {"secretKeyRef": {"name": f"{workload.name}-credentials", "key": "password"}}
    plain = [
        {
            "name": f"{workload.name.replace('-', '_').upper()}_SETTING_{number}",
            "value": f"https://{workload.name}.example.com/{number}",
        }
        for number in range(7)
    ]
    taken = [
        {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
        for name, path in (("POD_NAME", "metadata.name"), ("POD_IP", "status.podIP"), ("NODE_NAME", "spec.nodeName"))
    ]
    image = (
        "karpenter/controller:1.8.2"
        if workload.name == "karpenter"
        else f"{workload.namespace}/{workload.name}:v1.{workload.number}.0"
    )
    return {
        "name": "controller" if workload.name == "karpenter" else workload.name,
        "image": f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{image}",
        "args": ["--config=/etc/service/config.yaml", "--log-format=json", "--metrics-port=8081"],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}, {"name": "metrics", "containerPort": 8081, "protocol": "TCP"}],
        "env": [{"name": "CLUSTER_NAME", "value": "made"}, *plain, *taken, {"name": "PASSWORD", "valueFrom": secret}],
        "resources": {
            "limits": {"memory": f"{workload.memory}Mi"},
            "requests": {"cpu": f"{workload.cpu}m", "memory": f"{workload.memory}Mi"},
        },
        "volumeMounts": [{"name": "config", "readOnly": True, "mountPath": "/etc/service"}, {"name": "scratch", "mountPath": "/tmp"}],  # noqa: S108  a path in a pod
        "livenessProbe": {**probe, "initialDelaySeconds": 15, "successThreshold": 1, "failureThreshold": 3},
        "readinessProbe": {**probe, "successThreshold": 1, "failureThreshold": 3},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False},
    }  # fmt: skip


def pod_spec(workload: Workload) -> Json:
    """What the workload's template says."""
    tolerations: list[Json] = [{"operator": "Exists"}] if workload.kind == "DaemonSet" else []
    if workload.pool.taint:
        tolerations = [{"key": "dedicated", "operator": "Equal", "value": workload.pool.taint, "effect": "NoSchedule"}]
    selector = dict([workload.selector.split("=")]) if workload.selector else {}
    if workload.pool.name:
        selector["karpenter.sh/nodepool"] = workload.pool.name
    apart: Json = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "karpenter.sh/nodepool", "operator": "DoesNotExist"}]}]}}}  # fmt: skip
    spec: Json = {
        "volumes": [
            {"name": "config", "configMap": {"name": f"{workload.name}-config", "defaultMode": 420}},
            {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}},
        ],
        "containers": [_container(workload)],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "nodeSelector": {"kubernetes.io/os": "linux", **selector},
        "serviceAccountName": workload.name,
        "serviceAccount": workload.name,
        "securityContext": {"fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "schedulerName": "default-scheduler",
    }
    if tolerations:
        spec["tolerations"] = tolerations
    if workload.name == "karpenter":
        spec["affinity"] = apart
    if workload.kind == "DaemonSet":
        spec["priorityClassName"] = "system-node-critical"
    return spec


def _owner(workload: Workload) -> Json:
    of_set = workload.kind == "Deployment"
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet" if of_set else workload.kind,
        "name": f"{workload.name}-{workload.hash}" if of_set else workload.name,
        "uid": replicaset_uid(workload) if of_set else workload.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def replicaset_uid(workload: Workload) -> str:
    """Of the ReplicaSet that a Deployment has now."""
    return workload.uid[:-1] + ("1" if workload.uid[-1] == "0" else "0")


def _spec_of_pod(workload: Workload, *, bound: bool) -> Json:
    """What the API server, its admission plugins and the scheduler make of the template."""
    spec = pod_spec(workload)
    token = {"name": "kube-api-access-@TOKEN@", "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    projected = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]
    spec["volumes"].append({"name": "kube-api-access-@TOKEN@", "projected": {"sources": projected, "defaultMode": 420}})
    if workload.kind == "StatefulSet":
        spec |= {"hostname": "@NAME@", "subdomain": workload.name}
        spec["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": "data-@NAME@"}})
    for container in spec["containers"]:
        container["volumeMounts"].append(token)
    if bound:
        spec["nodeName"] = "@NODE@"
    if workload.kind == "DaemonSet":
        pin = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["@NODE@"]}]}
        spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [pin]}}}
    daemonset = workload.kind == "DaemonSet"
    spec["tolerations"] = [*spec.get("tolerations", []), *_NOT_READY, *(_OF_DAEMONSETS if daemonset else [])]
    priority = 2000001000 if daemonset else 0
    return {**spec, "priority": priority, "enableServiceLinks": True, "preemptionPolicy": "PreemptLowerPriority"}


def _running(workload: Workload) -> Json:
    types = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    image = _container(workload)["image"]
    return {
        "phase": "Running",
        "conditions": [
            {"type": kind, "observedGeneration": 1, "status": "True", "lastProbeTime": None, "lastTransitionTime": "@STARTED@"} for kind in types
        ],
        "hostIP": "@HOST@", "hostIPs": [{"ip": "@HOST@"}], "podIP": "@IP@", "podIPs": [{"ip": "@IP@"}], "startTime": "@CREATED@",
        "containerStatuses": [
            {
                "name": workload.name, "state": {"running": {"startedAt": "@STARTED@"}}, "lastState": {}, "ready": True, "restartCount": 0,
                "image": image, "imageID": f"{image.partition(':')[0]}@sha256:@DIGEST@", "containerID": "containerd://@DIGEST@",
                "started": True, "resources": _container(workload)["resources"],
                "volumeMounts": [{"name": "config", "mountPath": "/etc/service", "readOnly": True, "recursiveReadOnly": "Disabled"}],
            }
        ],
        "qosClass": "Burstable",
    }  # fmt: skip


def _waiting() -> Json:
    said = {"reason": "Unschedulable", "message": _WAITING}
    condition = {"type": "PodScheduled", "status": "False", "lastProbeTime": None, "lastTransitionTime": "@STARTED@", **said}
    return {"phase": "Pending", "conditions": [condition], "qosClass": "Burstable"}


def _template(workload: Workload, *, bound: bool) -> bytes:
    """A pod whose own values are `%(NAME)b` and the like."""
    spec, status = _spec_of_pod(workload, bound=bound), _running(workload) if bound else _waiting()
    of_kind: Json = {"pod-template-hash": workload.hash}
    if workload.kind == "StatefulSet":
        of_kind = {"apps.kubernetes.io/pod-index": "@INDEX@", "controller-revision-hash": f"{workload.name}-{workload.hash}",
                   "statefulset.kubernetes.io/pod-name": "@NAME@"}  # fmt: skip
    elif workload.kind == "DaemonSet":
        of_kind = {"controller-revision-hash": workload.uid[:8], "pod-template-generation": "3"}
    own: Json = {
        "annotations": {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": "8081",
            "checksum/config": workload.uid.replace("-", "") * 2,
        },
        "labels": labels(workload) | of_kind,
        "ownerReferences": [_owner(workload)],
    }
    managed = [
        written_by("kube-controller-manager", "@CREATED@", {"metadata": own, "spec": spec}),
        written_by("kubelet" if bound else "kube-scheduler", "@STARTED@", {"status": status}, subresource="status"),
    ]
    prefix = f"{workload.name}-{workload.hash}-" if workload.kind == "Deployment" else f"{workload.name}-"
    metadata: Json = {"name": "@NAME@", "generateName": prefix, "namespace": workload.namespace, "uid": "@UID@", "resourceVersion": "@VERSION@",
                      "generation": 1, "creationTimestamp": "@CREATED@", **own, "managedFields": managed}  # fmt: skip
    text = json.dumps({"metadata": metadata, "spec": spec, "status": status}, separators=(",", ":")).replace("%", "%%")
    for field in ("NAME", "UID", "VERSION", "CREATED", "STARTED", "NODE", "HOST", "IP", "INDEX", "TOKEN", "DIGEST"):
        text = text.replace(f"@{field}@", f"%({field})b")
    return text.encode()


def pods_of(workload: Workload, names: Names) -> Iterator[bytes]:
    """A workload's pods, by name."""
    ends = (
        sorted(str(index) for index in range(workload.replicas))
        if workload.kind == "StatefulSet"
        else names.suffixes(workload.replicas)
    )
    prefix = f"{workload.name}-{workload.hash}" if workload.kind == "Deployment" else workload.name
    running, waiting = _template(workload, bound=True), _template(workload, bound=False)
    nodes: list[MadeNode | None] = [*workload.nodes, *[None] * workload.pending]
    for end, node in zip(ends, nodes, strict=True):
        common = {b"NAME": f"{prefix}-{end}".encode(), b"UID": names.uid().encode(), b"VERSION": b"%d" % names.random.randrange(10**7, 10**8),
                  b"INDEX": end.encode(), b"TOKEN": names.suffix().encode()}  # fmt: skip
        if node is None:
            yield waiting % {**common, b"CREATED": before(minutes=12).encode(), b"STARTED": before(minutes=12).encode()}
            continue
        created = TAKEN_AT - node.age * names.random.random() - timedelta(minutes=5)
        created = max(created, TAKEN_AT - node.age + timedelta(minutes=2))
        yield running % {
            **common,
            b"CREATED": stamp(created).encode(),
            b"STARTED": stamp(created + timedelta(seconds=9)).encode(),
            b"NODE": node.name.encode(),
            b"HOST": node.address.encode(),
            b"IP": b"100.%d.%d.%d" % (64 + names.random.randrange(64), names.random.randrange(256), names.random.randrange(256)),
            b"DIGEST": names.digits(64).encode(),
        }
