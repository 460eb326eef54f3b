"""Where one scenario plays: a namespace and a NodePool of its own in a cluster that others use too, and the verbs of its users."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from karpenter_check.finding import Ref
from karpenter_check.rules import every_rule
from tests.e2e.api import Object
from tests.e2e.cluster import Cluster
from tests.e2e.scans import Scans, Told

NODECLASS = {"group": "karpenter.kwok.sh", "kind": "KWOKNodeClass", "name": "default"}

_WATCH = 180
"""For how many seconds a scenario that is fine is watched: past every threshold of two minutes."""


class NeverCame(Exception):
    """What a scenario waited for did not happen."""


@dataclass(frozen=True)
class Found:
    """A finding that a scenario expects."""

    rule: str
    object: Ref
    """What it is about, or its owner: nodes come and go under names that nobody knows beforehand."""
    cause: str
    says: str = ""
    """What its words must hold: the culprit."""
    nodepool: str | None = None
    """None: the stage's own NodePool."""
    caused_by: str = ""
    """The rule whose finding explains it."""


@dataclass(frozen=True)
class Outcome:
    """What came of a scenario; a row of the table in docs/testing.md."""

    expected: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    false: tuple[str, ...] = ()
    no_rule_yet: tuple[str, ...] = ()


class Stage:
    """One scenario's part of the cluster. Everything is made in the namespace `name`, for the NodePool `name`."""

    def __init__(self, name: str, cluster: Cluster, scans: Scans) -> None:
        self.name, self.cluster, self.api = name, cluster, cluster.api
        self._scans = scans
        self._pools = {name}
        self._from = len(scans.reports) + 1  # a scan that runs already may have seen nothing of this
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self.wait("its ServiceAccount", lambda: self.api.answers(f"/api/v1/namespaces/{name}/serviceaccounts/default"))

    # What is made

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """As `kubectl apply --server-side`."""
        self.api.apply(manifests)

    def nodepool(self, name: str = "", *, changes: Mapping[str, Any] | None = None, **template: Any) -> None:
        """A NodePool whose nodes only this stage's pods tolerate, and that disrupts nothing by itself.

        `changes` go over its spec, `template` over its template's spec, both one level deep.
        """
        name = name or self.name
        self._pools.add(name)
        self.apply(
            {
                "apiVersion": "karpenter.sh/v1",
                "kind": "NodePool",
                "metadata": {"name": name},
                "spec": {
                    "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "Never"},
                    "limits": {"cpu": "64"},
                    "template": {
                        "metadata": {"labels": {"team": self.name, **template.pop("labels", {})}},
                        "spec": {
                            "nodeClassRef": NODECLASS,
                            "expireAfter": "720h",
                            "taints": [{"key": "pool", "value": name, "effect": "NoSchedule"}],
                            "requirements": requirements(),
                            **template,
                        },
                    },
                    **(changes or {}),
                },
            }
        )

    def deployment(self, name: str, replicas: int = 1, **pod: Any) -> None:
        """A Deployment on this stage's nodes; `pod` is what `pod_spec` takes."""
        self._workload("Deployment", name, {"replicas": replicas}, pod)

    def daemonset(self, name: str, **pod: Any) -> None:
        """A DaemonSet on this stage's nodes; `pod` is what `pod_spec` takes."""
        self._workload("DaemonSet", name, {}, pod)

    def pod(self, name: str, **pod: Any) -> None:
        """A bare pod on this stage's nodes."""
        annotations = pod.pop("annotations", {})
        metadata = {"name": name, "namespace": self.name, "annotations": annotations}
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": self.pod_spec(**pod)})

    def pdb(self, name: str, app: str, **spec: Any) -> None:
        """A PodDisruptionBudget over the pods of an app."""
        spec = {"selector": {"matchLabels": {"app": app}}, **spec}
        metadata = {"name": name, "namespace": self.name}
        self.apply({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec})

    def pod_spec(self, *, cpu: str = "100m", memory: str = "128Mi", pools: Sequence[str] = (), **spec: Any) -> Mapping[str, Any]:
        """A pod's spec: one container, tolerations for the taints of the stage's NodePool or of `pools`; `spec` goes over it."""
        requests = {"cpu": cpu, "memory": memory}
        return {
            "tolerations": [{"key": "pool", "value": pool, "effect": "NoSchedule"} for pool in pools or [self.name]],
            "containers": [{"name": "main", "image": "registry.k8s.io/pause:3.10", "resources": {"requests": requests}}],
            **spec,
        }

    def _workload(self, kind: str, name: str, spec: Mapping[str, Any], pod: dict[str, Any]) -> None:
        annotations = pod.pop("annotations", {})
        labels = {"app": name}
        self.apply(
            {
                "apiVersion": "apps/v1",
                "kind": kind,
                "metadata": {"name": name, "namespace": self.name, "labels": labels},
                "spec": {
                    **spec,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": self.pod_spec(**pod)},
                },
            }
        )

    # What is done and waited for

    def kubectl(self, *words: str) -> str:
        """What a user types. Raises `subprocess.CalledProcessError`, with kubectl's words."""
        try:
            return self.cluster.kubectl(*words)
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr)
            raise

    def wait(self, what: str, happened: Callable[[], Any], seconds: float = 240) -> Any:
        """Ask until it has happened; what it then says. Raises `NeverCame`."""
        deadline = time.monotonic() + seconds
        while not (said := happened()):
            if time.monotonic() > deadline:
                raise NeverCame(f"{self.name} waited {seconds:.0f} s for {what}")
            time.sleep(0.5)
        return said

    def nodeclaims(self, nodepool: str = "") -> list[Object]:
        """The NodePool's NodeClaims."""
        return self.api.items("/apis/karpenter.sh/v1/nodeclaims", labelSelector=f"karpenter.sh/nodepool={nodepool or self.name}")

    def nodes(self, count: int = 1, nodepool: str = "") -> list[str]:
        """Wait for so many initialised nodes of the NodePool; their names."""

        def initialised() -> list[str]:
            selector = f"karpenter.sh/nodepool={nodepool or self.name},karpenter.sh/initialized=true"
            names = [node["metadata"]["name"] for node in self.api.items("/api/v1/nodes", labelSelector=selector)]
            return names if len(names) >= count else []

        found: list[str] = self.wait(f"{count} nodes of {nodepool or self.name}", initialised)
        return found

    def node(self, nodepool: str = "") -> str:
        """Wait for the NodePool's first initialised node; its name."""
        return self.nodes(1, nodepool)[0]

    def pods(self, app: str = "") -> list[Object]:
        """The namespace's pods, or those of an app."""
        selector = {"labelSelector": f"app={app}"} if app else {}
        return self.api.items(f"/api/v1/namespaces/{self.name}/pods", **selector)

    def waits_for_nobody(self, name: str) -> None:
        """A bare pod of a scheduler that says it is unschedulable, and binds it never."""
        self.pod(name, schedulerName="batch-scheduler")
        said = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "batch: waiting for quota"}
        path = f"/api/v1/namespaces/{self.name}/pods/{name}/status"
        self.api.ask("PATCH", path, {"status": {"conditions": [said]}}, "application/strategic-merge-patch+json")

    def is_true(self, condition: str) -> bool:
        """Whether a NodeClaim of the stage's NodePool has the condition."""
        conditions = [entry for claim in self.nodeclaims() for entry in claim["status"].get("conditions", ())]
        return any((entry["type"], entry["status"]) == (condition, "True") for entry in conditions)

    @contextmanager
    def meanwhile(self, again: Callable[[], object]) -> Iterator[None]:
        """Do something again and again, as an agent would, while the context lasts."""
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(0.5):
                again()

        agent = threading.Thread(target=work, daemon=True)
        agent.start()
        yield
        ended.set()
        agent.join()

    def running(self, app: str, count: int = 1) -> None:
        """Wait until so many pods of the app run."""
        self.wait(
            f"{count} running pods of {app}", lambda: [pod["status"]["phase"] for pod in self.pods(app)].count("Running") >= count
        )

    def unschedulable(self, app: str) -> None:
        """Wait until a pod of the app is said to be unschedulable."""
        self.wait(f"{app} to be unschedulable", lambda: any(_unschedulable(pod) for pod in self.pods(app)))

    def events(self, reason: str, name: str = "") -> list[Object]:
        """The events of that reason about an object of that name, or about anything of the NodePool's."""
        found = self.api.items("/api/v1/events", fieldSelector=f"reason={reason}")
        return [event for event in found if (event["involvedObject"]["name"] == name if name else self.name in str(event))]

    # What is expected

    def of(self, kind: str, name: str) -> Ref:
        """An object of this scenario, as findings name it."""
        versions = {"DaemonSet": "apps/v1", "Deployment": "apps/v1", "StatefulSet": "apps/v1", "NodePool": "karpenter.sh/v1"}
        return Ref(kind, name, versions.get(kind, "v1"), "" if kind in {"Node", "NodePool"} else self.name)

    def finds(self, *expected: Found, no_rule_yet: Sequence[str] = (), seconds: float = 420) -> Outcome:
        """Wait until scans have told all that is expected; with nothing expected, watch that nothing is told.

        `no_rule_yet` are rules of later versions that this scenario will need; one that exists by now is missed.
        """
        deadline = time.monotonic() + (seconds if expected else _WATCH)
        missed, seen = list(expected), self._from
        while time.monotonic() < deadline and (missed or not expected):
            if (count := self._scans.next(seen, deadline - time.monotonic())) > seen:
                seen = count
                latest = self._own(self._scans.reports[-1])
                missed = [entry for entry in missed if not any(self._is(entry, one, latest) for one in latest)]
        written = {rule.slug for rule in every_rule()}
        return Outcome(
            expected=tuple(map(_name, expected)),
            found=tuple(_name(entry) for entry in expected if entry not in missed),
            missed=(*map(_name, missed), *(slug for slug in no_rule_yet if slug in written)),
            false=tuple(self.false(expected)),
            no_rule_yet=tuple(slug for slug in no_rule_yet if slug not in written),
        )

    def false(self, expected: Sequence[Found]) -> list[str]:
        """What any scan so far told of this stage that is not expected."""
        reports = [self._own(report) for report in self._scans.reports[self._from :]]
        found = [one for report in reports for one in report if not any(self._is(entry, one, report) for entry in expected)]
        return list(dict.fromkeys(map(str, found)))

    def _own(self, report: Sequence[Told]) -> tuple[Told, ...]:
        """The findings about this stage's objects."""
        return tuple(
            one
            for one in report
            if one.owner.namespace == self.name or self._pools & {one.nodepool, one.owner.name, one.object.name}
        )

    def _is(self, expected: Found, one: Told, report: Sequence[Told]) -> bool:
        pool = self.name if expected.nodepool is None else expected.nodepool
        causes = {other.rule for other in report if other.fingerprint in one.caused_by}
        return (
            (one.rule, one.nodepool) == (expected.rule, pool)
            and expected.object in {one.object, one.owner}
            and one.has_cause(expected.cause)
            and expected.says in one.text
            and (not expected.caused_by or expected.caused_by in causes)
        )


def requirements(**values: str | Sequence[str]) -> list[Mapping[str, Any]]:
    """A NodePool's requirements: small amd64 Linux on demand; keys are given with `_` for `-`, their prefix by the table below."""
    wanted: dict[str, Sequence[str]] = {
        "kubernetes.io/os": ["linux"],
        "kubernetes.io/arch": ["amd64"],
        "karpenter.sh/capacity-type": ["on-demand"],
        **{_KEYS.get(key, key): [value] if isinstance(value, str) else value for key, value in values.items()},
    }
    return [{"key": key, "operator": "In", "values": list(some)} for key, some in wanted.items()]


_KEYS = {"arch": "kubernetes.io/arch", "cpus": "karpenter.kwok.sh/instance-cpu", "zone": "topology.kubernetes.io/zone"}


def _name(expected: Found) -> str:
    return f"{expected.rule} ({expected.cause})"


def _unschedulable(pod: Object) -> bool:
    return any(entry.get("reason") == "Unschedulable" for entry in pod["status"].get("conditions", ()))
