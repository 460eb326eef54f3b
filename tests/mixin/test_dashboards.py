"""Every panel of every dashboard shows something, of a real Prometheus; Grafana's schema knows all of it; variables and links lead somewhere."""

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from karpenter_check.metrics.catalogue import DELAY_REASONS, METRICS
from karpenter_check.metrics.family import Type
from karpenter_check.metrics.overdue import rule_of
from tests.anchors import anchors
from tests.make_mixin import evaluated
from tests.mixin.fleet import NODEPOOLS, Fleet
from tests.mixin.grafana import DASHBOARDS, STEP, asked, faults, panels

DOCS = Path(__file__).parents[2] / "docs"
PANELS = {
    f"{uid.removeprefix('karpenter-check-')}: {panel['title']}": panel
    for uid, dashboard in DASHBOARDS.items()
    for panel in panels(dashboard)
}
ALERTS = [rule["alert"] for group in evaluated("mixin.prometheusAlerts")["groups"] for rule in group["rules"]]
EVERY_PANEL = pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
EVERY_DASHBOARD = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)


def a_panel(name: str) -> dict[str, Any]:
    return PANELS[name]


def expression(panel: Mapping[str, Any]) -> str:
    """The query of a panel that has one."""
    (target,) = panel["targets"]
    return str(target["expr"])


# What they show


@EVERY_PANEL
def test_every_query_of_a_panel_gives_data(panel: dict[str, Any], fleet: Fleet) -> None:
    for target in panel["targets"]:
        query = asked(target["expr"])
        if panel["type"] in {"stat", "table"}:
            values = list(fleet.prometheus.query(query).values())
        else:
            values = [
                value for series in fleet.prometheus.over(query, fleet.began, fleet.ended, STEP).values() for _, value in series
            ]

        assert values, query
        assert panel["type"] == "table" or any(value > 0 or value < 0 for value in values), f"nothing but 0: {query}"


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_gives_data(alert: str, fleet: Fleet, alerts: dict[str, str]) -> None:
    found = fleet.before.get(alerts[alert]) or fleet.prometheus.query(alerts[alert])

    assert found, alerts[alert]


def test_an_alert_that_nothing_is_heard_of_is_over_when_something_is(fleet: Fleet, alerts: dict[str, str]) -> None:
    assert fleet.prometheus.query(alerts["KarpenterCheckAbsent"]) == {}


def test_variables_offer_what_there_is(fleet: Fleet) -> None:
    def offered(name: str, **chosen: str) -> set[str]:
        variable = variables(DASHBOARDS["karpenter-check-overview"])[name]
        of = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
        assert of is not None
        return {dict(labels)[of[2]] for labels in fleet.prometheus.query(f"group by ({of[2]}) ({asked(of[1], **chosen)})")}

    assert offered("cluster") == set(NODEPOOLS)
    assert {cluster: offered("nodepool", cluster=cluster) for cluster in NODEPOOLS} == {
        cluster: set(nodepools) for cluster, nodepools in NODEPOOLS.items()
    }


@EVERY_PANEL
def test_every_metric_is_that_of_the_chosen_clusters_and_nodepools(panel: dict[str, Any]) -> None:
    """What falls back to 0 asks whether anything is known at all, of the clusters alone."""
    of_nodepools = {metric.full_name() for metric in METRICS if "nodepool" in metric.labels}
    for target in panel["targets"]:
        shown = target["expr"].partition(" or 0 * count(")[0]
        for name, labels in re.findall(r"(karpenter_check_\w+?|push_\w+?)(?:_bucket|_sum|_count)?\{([^}]*)\}", shown):
            assert 'cluster=~"$cluster"' in labels
            assert ('nodepool=~"$nodepool"' in labels) == (name in of_nodepools), (name, labels)


def test_what_is_chosen_is_all_that_counts(fleet: Fleet) -> None:
    """Of `batch` nothing is found; its eight nodes that expired are all of them."""
    titles = [
        "overview: High",
        "overview: Kept nodes",
        "overview: Expire within a day",
        "overview: Died of expiry",
        "objects: Died of their TTL",
    ]

    def numbers(**chosen: str) -> list[float]:
        found = [fleet.prometheus.query(asked(expression(a_panel(title)), **chosen)) for title in titles]
        return [round(value) for answer in found for value in answer.values()]

    assert numbers(cluster="prod", nodepool="batch") == [0, 0, 4, 8, 8]
    assert numbers(cluster="prod", nodepool="general") == [3, 3, 0, 0, 0]
    assert numbers(cluster="staging") == [1, 0, 0, 0]  # what died there is not known: DaemonSets are forbidden, but not all is


def test_what_no_rule_looked_for_is_no_data_and_not_0(fleet: Fleet) -> None:
    """In `staging` DaemonSets are forbidden, and series of kept nodes were left out."""
    query = expression(a_panel("objects: With a DaemonSet not counted"))

    assert fleet.prometheus.query(asked(query, cluster="staging")) == {}
    assert fleet.prometheus.query(asked(query, cluster="prod", nodepool="batch")) == {(): 0}


def test_rows_lead_to_the_rule_that_tells_of_their_reason(fleet: Fleet) -> None:
    found = fleet.prometheus.query(asked(a_panel("reaping: What keeps them")["targets"][0]["expr"]))

    assert {(dict(labels)["delay_reason"], dict(labels)["rule"]) for labels in found} == {
        (reason, rule_of(reason)) for reason in ("do_not_disrupt_pod", "nominated", "pdb", "terminating")
    }


def test_the_rules_of_reasons_are_those_of_the_program() -> None:
    configured, others = evaluated("mixin._config.ruleOfDelay"), evaluated("mixin._config.ruleOfOtherDelays")

    assert {reason: configured.get(reason, others) for reason in DELAY_REASONS} == {
        reason: rule_of(reason) for reason in DELAY_REASONS
    }


def test_two_pods_on_one_node_are_one_node(fleet: Fleet) -> None:
    """`i1` is kept by two pods; `n1` was bought for two, and `n2` for one; five pods did not come to `g1`, and two to `i1`."""

    def counted(title: str, **chosen: str) -> list[float]:
        return list(fleet.prometheus.query(asked(expression(a_panel(title)), **chosen)).values())

    assert counted("objects: Kept by nomination") == [1]
    assert counted("overview: Kept by nomination") == [1]
    assert counted("objects: Bought for pods") == [2]
    assert counted("objects: That pods did not come to") == [2]
    assert len(fleet.prometheus.query(asked(expression(a_panel("objects: Nodes kept by the nomination of a pod"))))) == 2


def test_a_nodepool_without_findings_shows_0_and_one_that_nobody_scans_shows_nothing(fleet: Fleet) -> None:
    query = expression(a_panel("overview: Critical"))

    assert fleet.prometheus.query(asked(query, nodepool="batch")) == {(): 0}
    assert fleet.prometheus.query(asked(query, cluster="nobody")) == {}


def test_rates_are_what_happened(fleet: Fleet) -> None:
    """Eight nodes of `batch` expired in the story, and seven pods did not come."""
    shown = {
        title: [round(value) for value in fleet.prometheus.query(asked(expression(a_panel(title)))).values()]
        for title in ("overview: Died of expiry", "overview: Failed nominations")
    }

    assert shown == {"overview: Died of expiry": [8], "overview: Failed nominations": [7]}


def test_bars_are_whole_numbers_that_add_up(fleet: Fleet) -> None:
    """What rose between two points of a graph is in one bar and no other: eight deaths of expiry."""
    query = asked(expression(a_panel("expiry: Nodes that died of expiry")))
    (bars,) = [
        series
        for labels, series in fleet.prometheus.over(query, fleet.began, fleet.ended + STEP, STEP).items()
        if any(value for _, value in series)
    ]

    assert (sum(value for _, value in bars), {value % 1 for _, value in bars}) == (8, {0})


# What they are made of


@EVERY_DASHBOARD
def test_grafanas_schema_knows_all_of_it(dashboard: dict[str, Any]) -> None:
    assert faults(dashboard) == []


@pytest.mark.parametrize(
    ("at", "value", "fault"),
    [
        (("refrsh",), "5m", "dashboard.refrsh is unknown"),
        (("panels", 1, "gridPos", "w"), "3", "dashboard.panels[1].grid_pos.w: '3' is not <class 'int'>"),
        (("panels", 1, "links", 0, "uri"), "/d/x", "dashboard.panels[1].links[0].uri is unknown"),
        (
            ("panels", 1, "links", 0, "type"),
            "page",
            "dashboard.panels[1].links[0].type_val: 'page' is not <enum 'DashboardLinkType'>",
        ),
        (("panels", 1, "options", "sorted"), True, "dashboard.panels[1].options.sorted is unknown"),
        (("panels", 1, "targets", 0, "expresion"), "up", "dashboard.panels[1].targets[0].expresion is unknown"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_what_the_schema_does_not_know_is_found(at: tuple[str | int, ...], value: object, fault: str) -> None:
    broken = deepcopy(DASHBOARDS["karpenter-check-overview"])
    place: Any = broken
    for key in at[:-1]:
        place = place[key]
    place[at[-1]] = value

    assert faults(broken) == [fault]


@EVERY_DASHBOARD
def test_panels_lie_side_by_side(dashboard: dict[str, Any]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        for square in [
            (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
        ]:
            assert taken.setdefault(square, panel["title"]) == panel["title"]
            assert square[0] < 24

    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def variables(dashboard: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The variables of a dashboard, by name."""
    return {variable["name"]: variable for variable in dashboard["templating"]["list"]}


@EVERY_DASHBOARD
def test_every_variable_is_defined_and_used(dashboard: dict[str, Any]) -> None:
    used = {first or second for first, second in re.findall(r"\$(?:\{(\w+)\}|(\w+))", json.dumps(dashboard))}

    assert {name for name in used if not name.startswith("__")} == set(variables(dashboard))
    assert {name for name in used if name.startswith("__")} <= {"__interval", "__range", "__all"}


@EVERY_DASHBOARD
def test_every_link_leads_somewhere(dashboard: dict[str, Any]) -> None:
    """Within the tables: to columns that there are. `${__data.fields.rule}` may be any rule, which all have pages."""
    for panel in panels(dashboard):
        cells = [
            (override["matcher"]["options"], link["url"])
            for override in panel["fieldConfig"]["overrides"]
            for entry in override["properties"]
            if entry["id"] == "links"
            for link in entry["value"]
        ]
        assert panel["type"] != "table" or cells, f"no row of {panel['title']} leads anywhere"
        assert panel["type"] == "table" or panel["links"], f"{panel['title']} leads nowhere"
        columns = table_columns(panel) if cells else set()
        for column, url in cells:
            assert {column, *re.findall(r"\$\{__data\.fields\.(\w+)\}", url)} <= columns
        for url in [*(url for _, url in cells), *(link["url"] for link in panel["links"])]:
            assert leads_somewhere(re.sub(r"\$\{__data\.fields\.rule\}", "node-ttl-death", url)), url
    for link in dashboard["links"]:
        if link["type"] == "dashboards":
            assert all(set(link["tags"]) <= set(other["tags"]) for other in DASHBOARDS.values())


def table_columns(panel: Mapping[str, Any]) -> set[str]:
    """The columns that a table shows, as they are called there."""
    (organize,) = [entry["options"] for entry in panel["transformations"] if entry["id"] == "organize"]
    return {organize["renameByName"].get(name, name) for name in organize["indexByName"]}


def leads_somewhere(url: str) -> bool:
    """Whether it is a page of ours with that heading, or a dashboard of ours with those variables."""
    if url.startswith("/d/"):
        uid, _, query = url.removeprefix("/d/").partition("?")
        return {pair.partition("=")[0].removeprefix("var-") for pair in query.split("&")} <= set(variables(DASHBOARDS[uid]))
    page, _, anchor = url.removeprefix("https://github.com/karpenter-check/karpenter-check/blob/main/docs/").partition("#")
    return (DOCS / page).is_file() and (not anchor or anchor in anchors(DOCS / page))


@pytest.mark.parametrize("name", [name for name, panel in PANELS.items() if panel["type"] == "table"])
def test_a_table_shows_the_columns_that_its_queries_give(name: str, fleet: Fleet) -> None:
    panel = PANELS[name]
    (organize,) = [entry["options"] for entry in panel["transformations"] if entry["id"] == "organize"]
    several = len(panel["targets"]) > 1  # then Grafana numbers the values by their queries
    assert set(organize["renameByName"]) == {f"Value #{target['refId']}" if several else "Value" for target in panel["targets"]}
    labels = {label for target in panel["targets"] for found in fleet.prometheus.query(asked(target["expr"])) for label, _ in found}
    values = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}

    assert table_columns(panel) == labels | values


@EVERY_PANEL
def test_every_query_asks_for_metrics_that_exist(panel: dict[str, Any]) -> None:
    parts = {Type.HISTOGRAM: ("_bucket", "_sum", "_count")}
    names = {metric.full_name() + part for metric in METRICS for part in parts.get(metric.type, ("",))}
    text = " ".join(target["expr"] for target in panel["targets"])

    assert set(re.findall(r"\bkarpenter_check_\w+", text)) <= {*names, "karpenter_check_"}  # the last is the beginning of all


@EVERY_DASHBOARD
def test_a_namespace_a_selector_and_a_cluster_label_of_ones_own_go_everywhere(dashboard: dict[str, Any]) -> None:
    own = {"namespace": "karpenter_helper", "selector": 'env="prod"', "clusterLabel": "k8s_cluster"}
    (mine,) = [found for found in evaluated("mixin.grafanaDashboards", **own).values() if found["uid"] == dashboard["uid"]]
    asked_for = [target["expr"] for panel in panels(mine) for target in panel["targets"]]

    assert not any(
        "karpenter_check" in query or re.search(r"\bcluster\b(?!\")", query.replace("$cluster", "")) for query in asked_for
    )
    assert all(query.count('env="prod"') == query.count("karpenter_helper_") + query.count("push_") for query in asked_for)
    assert all("k8s_cluster" in query for query in asked_for)
