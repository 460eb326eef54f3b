"""Where one scenario plays: a namespace and a NodePool of its own in a cluster that others use too, and the verbs of its users."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from karpenter_check.finding import Ref
from tests.e2e import manifests
from tests.e2e.api import Object
from tests.e2e.cluster import Cluster
from tests.e2e.manifests import Manifest
from tests.e2e.outcome import Found, Outcome, judged
from tests.e2e.scans import Scans, Told

_WATCH = 180
"""For how many seconds a scenario that is fine is watched: past every threshold of two minutes."""


class NeverCame(Exception):
    """What a scenario waited for did not happen."""


class Stage:
    """One scenario's part of the cluster. Everything is made in the namespace `name`, for the NodePool `name`."""

    def __init__(self, name: str, cluster: Cluster, scans: Scans) -> None:
        self.name, self.cluster, self.api = name, cluster, cluster.api
        self._scans = scans
        self._pools = {name}
        self._from = len(scans.reports) + 1  # a scan that runs already may have seen nothing of this
        self.apply(manifests.namespace(name))
        self.wait("its ServiceAccount", lambda: self.api.answers(f"/api/v1/namespaces/{name}/serviceaccounts/default"))

    # What is made

    def apply(self, *made: Manifest) -> None:
        """As `kubectl apply --server-side`."""
        self.api.apply(made)

    def nodepool(self, name: str = "", *, changes: Manifest | None = None, **template: Any) -> None:
        """A NodePool whose nodes only this stage's pods tolerate; see `manifests.nodepool`."""
        self._pools.add(name or self.name)
        self.apply(manifests.nodepool(name or self.name, self.name, changes, **template))

    def deployment(self, name: str, replicas: int = 1, *, pools: Sequence[str] = (), **pod: Any) -> None:
        """A Deployment on this stage's nodes, or those of `pools`; `pod` is as in `manifests.pod_spec`."""
        self.apply(manifests.workload("Deployment", self.name, name, self._pod_spec(pools, pod), replicas=replicas))

    def daemonset(self, name: str, **pod: Any) -> None:
        """A DaemonSet on this stage's nodes."""
        self.apply(manifests.workload("DaemonSet", self.name, name, self._pod_spec((), pod)))

    def pdb(self, name: str, app: str, **spec: Any) -> None:
        """A PodDisruptionBudget over the pods of an app."""
        self.apply(manifests.pdb(self.name, name, app, **spec))

    def waits_for_nobody(self, name: str) -> None:
        """A bare pod of a scheduler that says it is unschedulable, and binds it never."""
        self.apply(manifests.pod(self.name, name, self._pod_spec((), {"schedulerName": "batch-scheduler"})))
        said = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "batch: waiting for quota"}
        path = f"/api/v1/namespaces/{self.name}/pods/{name}/status"
        self.api.ask("PATCH", path, {"status": {"conditions": [said]}}, "application/strategic-merge-patch+json")

    def _pod_spec(self, pools: Sequence[str], pod: Manifest) -> Manifest:
        return manifests.pod_spec(pools or [self.name], **pod)

    # What is done and waited for

    def kubectl(self, *words: str) -> str:
        """What a user types. Raises `subprocess.CalledProcessError`, with kubectl's words."""
        try:
            return self.cluster.kubectl(*words)
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr)
            raise

    @contextmanager
    def meanwhile(self, again: Callable[[], object]) -> Iterator[None]:
        """Do something again and again, as an agent would, while the context lasts."""
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(0.5):
                again()

        agent = threading.Thread(target=work, daemon=True)
        agent.start()
        try:
            yield
        finally:
            ended.set()
            agent.join()

    def wait(self, what: str, happened: Callable[[], Any], seconds: float = 240) -> Any:
        """Ask until it has happened; what it then says. Raises `NeverCame`."""
        deadline = time.monotonic() + seconds
        while not (said := happened()):
            if time.monotonic() > deadline or self._scans.ended:
                raise NeverCame(f"{self.name} waited for {what}, up to {seconds:.0f} s")
            time.sleep(0.5)
        return said

    def node(self) -> str:
        """Wait for the NodePool's first initialised node; its name."""

        def initialised() -> list[Object]:
            selector = f"karpenter.sh/nodepool={self.name},karpenter.sh/initialized=true"
            return self.api.items("/api/v1/nodes", labelSelector=selector)

        return str(self.wait("a node", initialised)[0]["metadata"]["name"])

    def nodeclaims(self, nodepool: str = "") -> list[Object]:
        """The NodeClaims of the stage's NodePool, or of another."""
        return self.api.items("/apis/karpenter.sh/v1/nodeclaims", labelSelector=f"karpenter.sh/nodepool={nodepool or self.name}")

    def is_true(self, condition: str) -> bool:
        """Whether a NodeClaim of the NodePool has the condition."""
        conditions = [entry for claim in self.nodeclaims() for entry in claim["status"].get("conditions", ())]
        return any((entry["type"], entry["status"]) == (condition, "True") for entry in conditions)

    def pods(self, app: str, phase: str) -> list[Object]:
        """The pods of an app that are in that phase."""
        path = f"/api/v1/namespaces/{self.name}/pods"
        return self.api.items(path, labelSelector=f"app={app}", fieldSelector=f"status.phase={phase}")

    def running(self, app: str, count: int = 1) -> None:
        """Wait until so many pods of the app run."""
        self.wait(f"{count} running pods of {app}", lambda: len(self.pods(app, "Running")) >= count)

    def nominated(self, pod: str) -> None:
        """Wait until Karpenter has said where the pod should go."""
        about = f"reason=Nominated,involvedObject.name={pod}"
        path = f"/api/v1/namespaces/{self.name}/events"
        self.wait(f"{pod} to be nominated", lambda: self.api.items(path, fieldSelector=about))

    # What is expected

    def of(self, kind: str, name: str) -> Ref:
        """An object of this scenario, as findings name it."""
        versions = {
            "DaemonSet": "apps/v1",
            "Deployment": "apps/v1",
            "NodePool": "karpenter.sh/v1",
            "PodDisruptionBudget": "policy/v1",
        }
        return Ref(kind, name, versions.get(kind, "v1"), "" if kind in {"Node", "NodePool"} else self.name)

    def finds(self, *expected: Found, no_rule_yet: Sequence[str] = (), seconds: float = 420) -> Outcome:
        """Wait until scans have told all that is expected; with nothing expected, watch that nothing is told.

        `no_rule_yet` are rules of later versions that this scenario will need.
        """
        deadline = time.monotonic() + (seconds if expected else _WATCH)
        seen, outcome = self._from, judged(expected, [], self.name, no_rule_yet)
        while time.monotonic() < deadline and not self._scans.ended and (outcome.missed or not expected):
            seen = self._scans.next(seen, deadline - time.monotonic())
            outcome = judged(expected, self.reports(), self.name, no_rule_yet)
        return outcome

    def reports(self) -> list[tuple[Told, ...]]:
        """Of each scan since this scenario began, the findings about its objects."""
        return [tuple(filter(self._is_mine, report)) for report in self._scans.reports[self._from :]]

    def _is_mine(self, one: Told) -> bool:
        return one.owner.namespace == self.name or bool(self._pools & {one.nodepool, one.owner.name, one.object.name})
