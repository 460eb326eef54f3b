"""The dashboards' pictures in the docs show what the dashboards have."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.make_dashboard_pictures import PICTURES, write
from tests.mixin.fleet import Fleet
from tests.mixin.grafana import DASHBOARDS, panels


def words(picture: Path) -> set[str]:
    """The texts of an SVG of our own."""
    return {"".join(element.itertext()) for element in ET.parse(picture).iter("{http://www.w3.org/2000/svg}text")}  # noqa: S314  made by ourselves


def lasting(dashboard: Mapping[str, Any]) -> set[str]:
    """What stands in a dashboard whatever the data: headings, titles and columns of tables."""
    columns = {
        organize["options"]["renameByName"].get(name, name)
        for panel in panels(dashboard)
        if panel["type"] == "table"
        for organize in panel["transformations"][1:]
        for name in organize["options"]["indexByName"]
    }
    return {panel["title"] for panel in dashboard["panels"]} | columns


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_a_picture_in_the_docs_shows_every_panel(uid: str) -> None:
    shown = words(PICTURES / f"{uid}.svg")

    assert lasting(DASHBOARDS[uid]) - shown == set()
    assert "No data" not in shown


def test_there_is_a_picture_for_each_dashboard_and_no_other() -> None:
    assert {file.name for file in PICTURES.iterdir()} == {f"{uid}.svg" for uid in DASHBOARDS}


def test_pictures_are_drawn_from_what_prometheus_saw(fleet: Fleet, tmp_path: Path) -> None:
    write(fleet, tmp_path)
    drawn = {uid: words(tmp_path / f"{uid}.svg") for uid in DASHBOARDS}

    assert {uid: lasting(dashboard) - drawn[uid] for uid, dashboard in DASHBOARDS.items()} == {uid: set() for uid in DASHBOARDS}
    assert {"node-reaping-nominated", "idle", "staging"} <= drawn["karpenter-check-overview"]
