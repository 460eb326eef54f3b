"""The table alone tells every root cause, a line each."""

from collections.abc import Callable

import pytest

from karpenter_check.reports import Format, render
from karpenter_check.scan import Report

Recorded = Callable[[str], Report]

ROOTS = [
    ("daemonset-nodepool-mismatch", "DaemonSet aws-k8s"),
    ("daemonset-overhead-wasted", "DaemonSet observability/zone-agent"),
    ("do-not-disrupt-blocks", "Deployment shop/drifty-app"),
    ("do-not-disrupt-blocks", "Deployment shop/ephemeral-pinned"),
    ("legacy-vocabulary", "Deployment shop/legacy"),
    ("node-expiry-herd", "Deployment shop/ephemeral"),
    ("node-ttl-death", "Node kwok-shortlived-"),
    ("node-terminating-stuck", "Node kwok-shortlived-"),
    ("nodeclass-not-ready", "KWOKNodeClass missing"),
    ("nodepool-limit-reached", "NodePool tiny"),
    ("nodepool-without-limits", "11 NodePools"),
    ("nominated-pod-failure", "Pod shop/ghost-scheduled"),
    ("node-reaping-nominated", "Node kwok-idle-"),
    ("pdb-blocks-drain", "PodDisruptionBudget data/db-pdb"),
    ("pod-fits-no-nodepool", "Deployment shop/huge"),
    ("pod-fits-no-nodepool", "Deployment shop/typo"),
    ("pod-fits-no-nodepool", "Deployment shop/windowsy"),
    ("pod-fits-no-nodepool", "Deployment shop/wrongzone"),
    ("pod-ignored-by-karpenter", "Deployment shop/legacy"),
    ("pod-multiple-pdbs", "Deployment shop/web"),
    ("pod-without-requests", "NodePool general"),
    ("startup-taint-unremovable", "NodePool guarded"),
    ("nodeclaim-not-initialized", "NodeClaim guarded-49qgt"),
    ("termination-grace-trap", "NodePool shortlived"),
]
"""What was done to the cluster of `faults`, as it is found."""


def the_table(report: Report, width: int) -> list[str]:
    return render(report, Format.TABLE, version="1.2.3", width=width).splitlines()


@pytest.mark.parametrize("width", [140, 160, 200])
def test_every_root_cause_is_in_the_first_40_lines(recorded: Recorded, width: int) -> None:
    first = the_table(recorded("faults"), width)[:40]
    missing = [
        (rule, name) for rule, name in ROOTS if not any(f" {rule} " in line and name[:16] in line for line in first)
    ]  # where it is narrow, long names lose their middle

    assert missing == []


def test_what_hits_most_nodes_and_pods_comes_first_of_what_is_equally_bad(recorded: Recorded) -> None:
    first = the_table(recorded("faults"), 160)

    assert [line.split()[1] for line in first if line.startswith("LOW ")] == [
        "termination-grace-trap",  # 2 nodes and 8 pods on one of the NodePools
        "pdb-blocks-drain",  # 2 nodes and 2 pods
        "pod-without-requests",  # 1 node and 3 pods
        "daemonset-overhead-wasted",  # 1 node
        "nodepool-without-limits",
    ]


@pytest.mark.parametrize("width", [140, 160, 300])
@pytest.mark.parametrize("recording", ["faults", "runaway"])
def test_whatever_the_table_cuts_stands_below_in_full(recorded: Recorded, recording: str, width: int) -> None:
    report = recorded(recording)
    told = "".join("".join(the_table(report, width)).split())
    whole = [text for result in report.results for text in (str(result.finding.object), result.finding.message)]

    assert [text for text in whole if "".join(text.split()) not in told] == []


def test_on_a_narrow_screen_only_what_shares_a_row_is_told_again(recorded: Recorded) -> None:
    lines = the_table(recorded("faults"), 100)
    below = lines[lines.index("IN FULL") + 1 : lines.index("NOT CHECKED") - 1]

    assert {line.split()[1] for line in below if line.split()[0] in {"medium", "low", "info"}} == {
        "daemonset-overhead-wasted,",
        "nodepool-without-limits,",
        "termination-grace-trap,",
    }


def test_where_nothing_is_found_there_is_no_table(recorded: Recorded) -> None:
    assert [line for line in the_table(recorded("healthy"), 160) if "SEVERITY" in line or "IN FULL" in line] == []
