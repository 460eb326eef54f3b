"""The events of the last hour, as the API sends them."""

from collections.abc import Iterator
from datetime import timedelta

from tests.benchmarks.managed import Json, written_by
from tests.benchmarks.plan import TAKEN_AT, Names, Plan, stamp


def _event(names: Names, component: str, reason: str, message: str, about: Json) -> Json:
    time = stamp(TAKEN_AT - timedelta(seconds=names.random.randrange(60, 3600)))
    said: Json = {"involvedObject": about, "reason": reason, "message": message, "source": {"component": component}, "firstTimestamp": time,
                  "lastTimestamp": time, "count": 1, "type": "Normal"}  # fmt: skip
    metadata = {"name": f"{about['name']}.{names.digits(16)}", "namespace": about.get("namespace", "default"), "uid": names.uid(), "resourceVersion": "48213377",
                "creationTimestamp": time, "managedFields": [written_by(component, time, said)]}  # fmt: skip
    return {"metadata": metadata, **said, "eventTime": None, "reportingComponent": component, "reportingInstance": ""}


def _pod(names: Names, plan: Plan, number: int) -> Json:
    workload = plan.workloads[number % len(plan.workloads)]
    return {
        "kind": "Pod",
        "namespace": workload.namespace,
        "name": f"{workload.name}-{workload.hash}-{names.suffix()}",
        "uid": names.uid(),
        "apiVersion": "v1",
    }


def karpenter_events(plan: Plan) -> Iterator[Json]:
    """What Karpenter says of every claim, and of the pods that it bought nodes for."""
    names = Names(2)
    for node in plan.nodes:
        if not node.pool.name:
            continue
        claim = {"kind": "NodeClaim", "name": node.claim, "uid": node.claim_uid, "apiVersion": "karpenter.sh/v1"}
        yield _event(names, "karpenter", "Unconsolidatable", "Can't replace with a cheaper node", claim)
        if node.age < timedelta(hours=6):
            yield _event(
                names,
                "karpenter",
                "Registered",
                "Status condition transitioned, Type: Registered, Status: Unknown -> True, Reason: Registered",
                claim,
            )
    for number in range(len(plan.nodes)):
        target = plan.nodes[number % max(1, len(plan.nodes) - 2)]
        yield _event(
            names,
            "karpenter",
            "Nominated",
            f"Pod should schedule on: nodeclaim/{target.claim}, node/{target.name}",
            _pod(names, plan, number),
        )


def preempted_events(plan: Plan) -> Iterator[Json]:
    """A pod in a hundred nodes had to make room."""
    names = Names(3)
    for number, node in enumerate(plan.nodes[::100]):
        entry = _event(
            names,
            "default-scheduler",
            "Preempted",
            f"Preempted by pod {names.uid()} on node {node.name}",
            _pod(names, plan, number),
        )
        yield entry | {
            "source": {},
            "eventTime": f"{entry['firstTimestamp'][:-1]}.796852Z",
            "firstTimestamp": None,
            "lastTimestamp": None,
            "action": "Preempting",
            "reportingInstance": "default-scheduler-ip-10-0-0-7",
        }


def sandbox_events(plan: Plan) -> Iterator[Json]:
    """A pod in twenty nodes got its address late."""
    names = Names(4)
    said = 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox: plugin type="aws-cni" failed (add)'
    for number in range(len(plan.nodes) // 20):
        yield _event(names, "kubelet", "FailedCreatePodSandBox", said, _pod(names, plan, number))


def other_events(plan: Plan) -> Iterator[Json]:
    """What no rule reads, and what an unselected list brings all the same: two a node."""
    names = Names(5)
    for number in range(2 * len(plan.nodes)):
        yield _event(names, "kubelet", "Pulled", "Container image already present on machine", _pod(names, plan, number))
