"""The pictures of the dashboards in the docs: their panels, drawn by Matplotlib from a real Prometheus that saw the tests' clusters.

Nothing of Grafana is in them but the layout. `python -m tests.make_dashboard_pictures` writes them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.mixin.fleet import Fleet, a_watched_fleet
from tests.mixin.grafana import DASHBOARDS, STEP, asked

PICTURES = Path(__file__).parent.parent / "docs" / "dashboards"
_WIDTH, _UNIT, _GAP = 1440, 38, 8
"""Pixels: of a dashboard, of a unit of its height, and between panels."""
_INK, _PALE, _FRAME, _LINK = "#24292e", "#6e7781", "#d8dee4", "#1f60c4"
_COLORS = {
    "green": "#1a7f37", "yellow": "#bf8700", "orange": "#e36209", "red": "#d1242f", "dark-red": "#82071e", "blue": "#1f60c4", "text": _INK,
}  # fmt: skip
_DAY = 86400
"""Seconds; Matplotlib counts time in days since the epoch."""
_SPANS = ((_DAY, "day"), (3600, "hour"), (60, "min"))
_BYTES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_SIZES = ((1e9, "Bil"), (1e6, "Mil"), (1e3, "K"))


_Series: TypeAlias = tuple[str, list[tuple[float, float]]]


def shown(value: float, unit: str) -> str:
    """A value as a panel writes it, in seconds or as a short number."""
    if math.isinf(value) or math.isnan(value):
        return "∞" if value > 0 else "-"
    if unit == "none":
        return f"{value:.0f}"
    steps = {"s": _SPANS, "bytes": _BYTES}.get(unit, _SIZES)
    for size, name in steps:
        if abs(value) >= size:
            return f"{value / size:.3g} {name}" + ("s" if name == "day" and abs(value) >= 2 * size else "")
    return f"{value:.3g}" + (" s" if unit == "s" else "")


def draw(dashboard: Mapping[str, Any], fleet: Fleet) -> Figure:
    """A dashboard as Prometheus answers it now."""
    height = _UNIT * max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    figure = Figure(figsize=(_WIDTH / 100, height / 100), dpi=100)
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        x, y = place["x"] * _WIDTH / 24, place["y"] * _UNIT
        wide, high = place["w"] * _WIDTH / 24 - _GAP, place["h"] * _UNIT - _GAP
        frame = figure.add_axes((x / _WIDTH, 1 - (y + high) / height, wide / _WIDTH, high / height), xticks=[], yticks=[])
        frame.set_xlim(0, wide)
        frame.set_ylim(high, 0)
        if panel["type"] == "row":
            frame.set_axis_off()
            frame.text(0, high / 2, panel["title"], color=_INK, fontsize=11, fontweight="bold", va="center")
            continue
        for spine in frame.spines.values():
            spine.set_color(_FRAME)
        frame.text(8, 16, panel["title"], color=_INK, fontsize=9, fontweight="bold", va="center")
        if panel["type"] == "table":
            _table(frame, panel, fleet, wide, high)
        elif panel["type"] == "stat":
            _stat(frame, panel, fleet, wide, high)
        else:
            series = [
                entry for entry in _series(panel, fleet) if panel["type"] == "heatmap" or any(value > 0 for _, value in entry[1])
            ]
            columns = max(1, int((wide - 20) / (40 + 6 * max(len(legend) for legend, _ in series))))
            below = 40 + 15 * math.ceil(len(series) / columns)
            inner = figure.add_axes(
                ((x + 84) / _WIDTH, 1 - (y + high - below) / height, (wide - 104) / _WIDTH, (high - below - 34) / height)
            )
            if panel["type"] == "heatmap":
                _heatmap(inner, series)
            else:
                _graph(inner, panel, series)
                frame.legend(
                    *inner.get_legend_handles_labels(),
                    loc="lower center",
                    ncols=columns,
                    fontsize=7,
                    frameon=False,
                    borderaxespad=0.2,
                )
            inner.tick_params(labelsize=7, colors=_PALE, length=2)
            inner.xaxis.set_major_formatter(lambda day, _: f"{datetime.fromtimestamp(day * _DAY, UTC):%H:%M:%S}")
            for spine in inner.spines.values():
                spine.set_color(_FRAME)
    return figure


def _stat(frame: Axes, panel: Mapping[str, Any], fleet: Fleet, wide: float, high: float) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    found = list(fleet.prometheus.query(asked(panel["targets"][0]["expr"])).values())
    passed = [
        step["color"] for step in defaults["thresholds"]["steps"] if step["value"] is None or (found and found[0] >= step["value"])
    ]
    color = _COLORS[passed[-1]] if found else _PALE
    text = shown(found[0], defaults["unit"]) if found else "No data"
    frame.text(wide / 2, high / 2 + 12, text, color=color, fontsize=26, ha="center", va="center")


def _rows(panel: Mapping[str, Any], fleet: Fleet) -> tuple[list[str], list[list[str]]]:
    """The columns of a table and its cells, as merged, named and sorted by the panel's own transformations."""
    (organize,) = [entry["options"] for entry in panel["transformations"] if entry["id"] == "organize"]
    raw = sorted(organize["indexByName"], key=lambda name: int(organize["indexByName"][name]))
    several = len(panel["targets"]) > 1
    merged: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
    for target in panel["targets"]:
        for labels, value in fleet.prometheus.query(asked(target["expr"])).items():
            merged.setdefault(labels, {})["Value" + (f" #{target['refId']}" if several else "")] = value
    columns = [organize["renameByName"].get(name, name) for name in raw]
    units = {
        override["matcher"]["options"]: entry["value"]
        for override in panel["fieldConfig"]["overrides"]
        for entry in override["properties"]
        if entry["id"] == "unit"
    }
    words = {
        override["matcher"]["options"]: {raw_value: word["text"] for raw_value, word in entry["value"][0]["options"].items()}
        for override in panel["fieldConfig"]["overrides"]
        for entry in override["properties"]
        if entry["id"] == "mappings"
    }
    (order,) = panel["options"]["sortBy"]
    by = raw[columns.index(order["displayName"])]
    ordered = sorted(merged.items(), key=lambda row: (dict(row[0]).get(by, ""), row[1].get(by, -math.inf)), reverse=order["desc"])
    return columns, [
        [
            shown(values[name], units[column])
            if name in values
            else words.get(name, {}).get(text := dict(labels).get(name, ""), text)
            for name, column in zip(raw, columns, strict=True)
        ]
        for labels, values in ordered
    ]


def _table(frame: Axes, panel: Mapping[str, Any], fleet: Fleet, wide: float, high: float) -> None:
    columns, rows = _rows(panel, fleet)
    linked = {
        override["matcher"]["options"]
        for override in panel["fieldConfig"]["overrides"]
        if any(entry["id"] == "links" for entry in override["properties"])
    }
    room = int((high - 62) / 20)
    widths = [max(len(text) for text in [column, *(row[index] for row in rows[:room])]) + 3 for index, column in enumerate(columns)]
    x = 10.0
    for index, column in enumerate(columns):
        frame.text(x, 40, column, color=_PALE, fontsize=8, va="center")
        for line, row in enumerate(rows[:room]):
            color = _LINK if column in linked else _INK
            frame.text(x, 60 + 20 * line, row[index], color=color, fontsize=8, va="center")
        x += widths[index] * (wide - 20) / sum(widths)
    if len(rows) > room:
        frame.text(wide - 8, high - 10, f"{len(rows) - room} more rows", color=_PALE, fontsize=7, ha="right", va="center")


def _legend(target: Mapping[str, Any], labels: tuple[tuple[str, str], ...]) -> str:
    text = str(target["legendFormat"])
    for name, value in labels:
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


def _series(panel: Mapping[str, Any], fleet: Fleet) -> Iterator[_Series]:
    for target in panel["targets"]:
        for labels, values in fleet.prometheus.over(asked(target["expr"]), fleet.began, fleet.ended, STEP).items():
            yield _legend(target, labels), values


def _graph(axes: Axes, panel: Mapping[str, Any], series: Sequence[_Series]) -> None:
    bars = panel["fieldConfig"]["defaults"]["custom"]["drawStyle"] == "bars"
    unit = panel["fieldConfig"]["defaults"]["unit"]
    fixed = {
        override["matcher"]["options"]: _COLORS[entry["value"]["fixedColor"]]
        for override in panel["fieldConfig"]["overrides"]
        for entry in override["properties"]
        if entry["id"] == "color"
    }
    stacked: dict[float, float] = {}
    for legend, values in sorted(series):
        moments = [at / _DAY for at, _ in values]
        if bars:
            bottoms = [stacked.get(at, 0.0) for at, _ in values]
            rises = [value for _, value in values]
            axes.bar(moments, rises, width=0.9 * STEP / _DAY, bottom=bottoms, label=legend, color=fixed.get(legend))
            stacked |= {at: bottom + value for bottom, (at, value) in zip(bottoms, values, strict=True)}
        else:
            axes.step(moments, [value for _, value in values], where="post", label=legend, linewidth=1.4, color=fixed.get(legend))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: shown(value, "short" if unit == "none" else unit))
    axes.set_axisbelow(True)
    axes.grid(color=_FRAME, linewidth=0.5)


def _heatmap(axes: Axes, series: Sequence[_Series]) -> None:
    by_bound = sorted((float(bound), dict(values)) for bound, values in series)
    moments = sorted({at for _, values in by_bound for at in values})
    below = dict.fromkeys(moments, 0.0)
    cells = []
    for _, values in by_bound:
        cells.append([max(0.0, values.get(at, 0.0) - below[at]) for at in moments])
        below = {at: values.get(at, 0.0) for at in moments}
    edges = [at / _DAY for at in (*moments, moments[-1] + STEP)]
    axes.pcolormesh(edges, range(len(cells) + 1), cells, cmap="Oranges")
    axes.set_yticks([index + 0.5 for index in range(len(by_bound))], [f"≤ {shown(bound, 's')}" for bound, _ in by_bound])


def write(fleet: Fleet, folder: Path) -> None:
    """An SVG of each dashboard, by its UID, whose words are text."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "karpenter-check", "font.family": "sans-serif"}):
        for uid, dashboard in DASHBOARDS.items():
            draw(dashboard, fleet).savefig(folder / f"{uid}.svg", metadata={"Date": None}, facecolor="white")


if __name__ == "__main__":
    with TemporaryDirectory() as made, a_watched_fleet(Path(made)) as watched:
        write(watched, PICTURES)
