#!/usr/bin/env python3
"""Draws each dashboard from the answers of Prometheus, roughly as Grafana lays it out.

usage: pictures.py ANSWERS.json FOLDER      makes FOLDER/dashboard-NAME.png
"""
import datetime
import io
import json
import math
import pathlib
import re
import sys

import matplotlib
matplotlib.use("Agg")
import matplotlib.dates
import matplotlib.pyplot as pyplot
import PIL.Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from dashboard_checks.queries import dashboards, query_name  # noqa: E402: found through the path above

WIDTH, UNIT_HEIGHT = 13.0, 0.30   # inches: of the page, of a unit of Grafana's grid
MOST_SERIES = 8                   # in a legend
INK, PALE = "#24292e", "#6a737d"


def number(value, unit):
    """A value as Grafana writes it, roughly."""
    if value is None or math.isnan(value):
        return "-"
    if unit == "percentunit":
        return f"{100 * value:.3g}%"
    if unit == "bool_yes_no":
        return "Yes" if value else "No"
    if unit == "s":
        for size, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms")):
            if abs(value) >= size:
                return f"{value / size:.3g} {name}"
        return f"{value * 1e6:.3g} µs" if value else "0 s"
    suffix = {"rowsps": " rows/s", "reqps": " calls/s", "ops": " /s", "cps": " /s", "bytes": "B"}.get(unit, "")
    scale, names = (1024, ["", "Ki", "Mi", "Gi", "Ti"]) if unit == "bytes" else (1000, ["", "k", "M", "G", "T"])
    step = 0
    while abs(value) >= scale and step < 4 and (unit != "none" or abs(value) >= 1e5):
        value, step = value / scale, step + 1
    text = f"{value:.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {names[step]}{suffix}" if unit == "bytes" else f"{text}{names[step]}{suffix}"


def legend(template, labels):
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), template)


def series_of(panel, answers):
    """(name, times, values) of each series of a panel's range queries."""
    for target, answer in answers:
        for one in answer:
            times = [datetime.datetime.fromtimestamp(t, datetime.timezone.utc) for t, _ in one.get("values", [])]
            yield legend(target["legendFormat"], one["metric"]), times, [float(v) for _, v in one.get("values", [])]


def bucket_counts(answer):
    """[(upper bound, {time: count in this bucket alone})] of the series of a histogram by le."""
    cumulative = sorted(((float(one["metric"]["le"]), {t: float(v) for t, v in one.get("values", [one.get("value")])}) for one in answer),
                        key=lambda pair: pair[0])
    below, result = {}, []
    for bound, counts in cumulative:
        result.append((bound, {t: max(count - below.get(t, 0.0), 0.0) for t, count in counts.items() if not math.isnan(count)}))
        below = counts
    return result


def bound_name(bound, unit):
    return "+Inf" if math.isinf(bound) else number(bound, unit)


def draw_lines(axes, panel, answers):
    defaults = panel["fieldConfig"]["defaults"]
    custom, unit = defaults["custom"], defaults["unit"]
    series = [one for one in series_of(panel, answers) if any(not math.isnan(value) for value in one[2])]
    base = {}
    for name, times, values in series:
        if custom["stacking"]["mode"] == "normal":
            top = [base.get(t, 0.0) + (0.0 if math.isnan(v) else v) for t, v in zip(times, values)]
            axes.fill_between(times, [base.get(t, 0.0) for t in times], top, alpha=0.3, linewidth=0)
            base.update(zip(times, top))
            values = top
        axes.plot(times, values, linewidth=1.1, label=name or "value",
                  drawstyle="steps-post" if custom["lineInterpolation"] == "stepAfter" else "default")
    if custom["thresholdsStyle"]["mode"] == "line":
        for step in defaults["thresholds"]["steps"]:
            if step["value"] is not None and step["value"] <= 2 * max(axes.get_ylim()[1], 1e-9):
                axes.axhline(step["value"], color=step["color"], linewidth=0.8, linestyle="--")
    if custom["scaleDistribution"]["type"] == "log" and any(v > 0 for _, _, values in series for v in values):
        axes.set_yscale("log")
    else:
        low, high = axes.get_ylim()
        low = defaults.get("min", low)
        axes.set_ylim(low, defaults.get("max", high + 0.1 * (high - low) if high > low else 1))
    axes.yaxis.set_major_formatter(lambda value, _: number(value, unit))
    axes.yaxis.set_minor_formatter("")
    if series:
        axes.legend(*[part[:MOST_SERIES] for part in axes.get_legend_handles_labels()], loc="upper center", bbox_to_anchor=(0.5, -0.13),
                    ncols=3 if panel["gridPos"]["w"] > 8 else 2, fontsize=5.5, frameon=False, handlelength=1.2, columnspacing=1.0)
    return bool(series)


def draw_heat_map(axes, panel, answers):
    rows = bucket_counts(answers[0][1])
    times = sorted({t for _, counts in rows for t in counts})
    used = [i for i, (_, counts) in enumerate(rows) if any(counts.values())]
    if not used:
        return False
    rows = rows[used[0]: used[-1] + 1]
    grid = [[counts.get(t, 0.0) or math.nan for t in times] for _, counts in rows]
    x = [matplotlib.dates.date2num(datetime.datetime.fromtimestamp(t, datetime.timezone.utc)) for t in times]
    axes.pcolormesh(x, range(len(rows)), grid, cmap="Oranges", norm=matplotlib.colors.PowerNorm(0.5, vmin=0), shading="nearest")
    axes.xaxis_date()
    unit = panel["options"]["yAxis"]["unit"]
    axes.set_yticks(range(len(rows)), [bound_name(bound, unit) for bound, _ in rows])
    return True


def draw_buckets(axes, panel, answers):
    rows = [(bound, sum(counts.values())) for bound, counts in bucket_counts(answers[0][1])]
    if not any(count for _, count in rows):
        return False
    axes.bar(range(len(rows)), [count for _, count in rows], color="#3274d9")
    axes.set_xticks(range(len(rows)), ["+Inf" if math.isinf(bound) else f"{bound:g}" for bound, _ in rows], fontsize=5.5)
    axes.yaxis.set_major_formatter(lambda value, _: number(value, panel["fieldConfig"]["defaults"]["unit"]))
    return True


def colour(value, thresholds):
    chosen = thresholds["steps"][0]["color"]
    for step in thresholds["steps"][1:]:
        if value >= step["value"]:
            chosen = step["color"]
    return {"yellow": "#c69026", "green": "#2da44e", "red": "#cf222e"}.get(chosen, chosen)


def draw_numbers(axes, panel, answers):
    defaults = panel["fieldConfig"]["defaults"]
    last = [(name, [v for v in values if not math.isnan(v)]) for name, _, values in series_of(panel, answers)]
    last = [(name, values[-1], values) for name, values in last if values]
    axes.axis("off")
    for i, (name, value, values) in enumerate(last):
        x = (i + 0.5) / len(last)
        size = 15 if len(last) == 1 else max(12 - len(last), 6)
        axes.text(x, 0.62, number(value, defaults["unit"]), ha="center", va="center", fontsize=size, weight="bold",
                  color=colour(value, defaults["thresholds"]), transform=axes.transAxes)
        if len(last) > 1:
            axes.text(x, 0.2, name, ha="center", va="center", fontsize=5.5, color=PALE, transform=axes.transAxes)
    if panel["type"] == "stat" and panel["options"]["graphMode"] == "area" and len(last) == 1 and len(last[0][2]) > 1:
        spark = axes.inset_axes((0, 0, 1, 0.34))
        spark.fill_between(range(len(last[0][2])), last[0][2], alpha=0.25, color=colour(last[0][1], defaults["thresholds"]), linewidth=0)
        spark.set_ylim(0, None)
        spark.margins(x=0)
        spark.axis("off")
    return bool(last)


def draw_table(axes, panel, answers):
    """Joins the columns by their labels, as Grafana's merge does."""
    organize = next(one["options"] for one in panel["transformations"] if one["id"] == "organize")
    names = organize["renameByName"]
    keys = [key for key in organize["indexByName"] if not key.startswith("Value")]
    units = {override["matcher"]["options"]: override["properties"][0]["value"] for override in panel["fieldConfig"]["overrides"]
             if override["properties"][0]["id"] == "unit"}
    columns = [names.get(f"Value #{target['refId']}", names.get("Value")) for target, _ in answers]
    lines = []
    for column, (_, answer) in zip(columns, answers):
        for one in answer:
            labels = {key: one["metric"][key] for key in keys if key in one["metric"]}
            line = next((line for line in lines if all(line.get(key) == value for key, value in labels.items())), None)
            if line is None:
                lines.append(line := dict(labels))
            line[column] = number(float(one["value"][1]), units[column])
    axes.axis("off")
    if not lines:
        return False
    lines.sort(key=lambda line: [line.get(key, "") for key in keys])
    cells = [[line.get(key, "") for key in keys] + [line.get(column, "") for column in columns] for line in lines]
    made = axes.table(cells, colLabels=[names[key] for key in keys] + columns, loc="upper left", cellLoc="left", edges="horizontal")
    made.auto_set_font_size(False)
    made.set_fontsize(6)
    made.auto_set_column_width(range(len(keys) + len(columns)))
    return True


DRAW = {"timeseries": draw_lines, "heatmap": draw_heat_map, "bargauge": draw_buckets, "stat": draw_numbers, "gauge": draw_numbers,
        "table": draw_table}


def swaps(board, name, answers):
    annotation = board["annotations"]["list"][0]
    for one in answers.get(f"{name}/annotation {annotation['name']}") or []:
        yield datetime.datetime.fromtimestamp(one["values"][0][0], datetime.timezone.utc)


def panels_in_order(board):
    """Rows and panels, those of collapsed rows below their row, with their vertical place when all rows are open."""
    lowered = 0
    for panel in board["panels"]:
        yield panel, panel["gridPos"]["y"] + lowered
        inside = panel.get("panels", [])
        for inner in inside:
            yield inner, inner["gridPos"]["y"] + lowered


def draw(name, board, data, path):
    places = list(panels_in_order(board))
    height = max(y + panel["gridPos"]["h"] for panel, y in places)
    figure = pyplot.figure(figsize=(WIDTH, height * UNIT_HEIGHT), facecolor="white")
    begin, end = (datetime.datetime.fromtimestamp(data[key], datetime.timezone.utc) for key in ("begin", "end"))
    for panel, y in places:
        grid = panel["gridPos"]
        top = 1 - y / height
        if panel["type"] == "row":
            figure.text(0.008, top - 0.7 / height, f"▾ {panel['title']}", fontsize=9, weight="bold", color=INK)
            continue
        left, bottom, width, tall = grid["x"] / 24, top - grid["h"] / height, grid["w"] / 24, grid["h"] / height
        figure.add_artist(matplotlib.patches.Rectangle((left + 0.002, bottom + 0.1 / height), width - 0.004, tall - 0.2 / height,
                                                       fill=False, edgecolor="#d0d7de", linewidth=0.6))
        figure.text(left + 0.007, top - 0.75 / height, panel["title"], fontsize=7, weight="bold", color=INK)
        margin = {"stat": (0.01, 0.3, 0.01), "gauge": (0.01, 0.3, 0.01), "table": (0.008, 0.4, 0.008)}.get(panel["type"], (0.045, 2.0, 0.01))
        if panel["type"] == "bargauge":
            margin = (0.045, 1.0, 0.01)
        axes = figure.add_axes((left + margin[0], bottom + margin[1] / height, width - margin[0] - margin[2],
                                tall - (margin[1] + 1.3) / height))
        axes.tick_params(labelsize=5.5, colors=PALE, length=2)
        for spine in axes.spines.values():
            spine.set_visible(False)
        answers = [(target, data["answers"].get(query_name(name, panel, target)) or []) for target in panel["targets"]]
        shown = DRAW[panel["type"]](axes, panel, answers)
        if not shown:
            axes.axis("off")
            axes.text(0.5, 0.5, panel["fieldConfig"]["defaults"]["noValue"], ha="center", color=PALE, fontsize=8, transform=axes.transAxes)
        elif panel["type"] in ("timeseries", "heatmap"):
            axes.set_xlim(begin, end)
            axes.set_xticks([begin + (end - begin) * part / 4 for part in (1, 2, 3)])
            axes.xaxis.set_major_formatter(matplotlib.dates.DateFormatter("%H:%M:%S"))
            if panel["type"] == "timeseries":
                axes.grid(alpha=0.25, linewidth=0.5)
            for moment in swaps(board, name, data["answers"]):
                axes.axvline(moment, color="purple", linewidth=0.7, linestyle=":")
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=85)
    pyplot.close(figure)
    # A palette of 64 colours keeps the file small.
    PIL.Image.open(memory).convert("RGB").quantize(64).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def main():
    data = json.loads(pathlib.Path(sys.argv[1]).read_text())
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, board in dashboards().items():
        draw(name, board, data, folder / f"dashboard-{name}.png")


if __name__ == "__main__":
    main()
