"""The growth of the cost of encoding: rates against units, k, batch and threads, as a table and a plot."""

from preparation import Skipped
from turns import OurWork, summary, take_turns

BASE = {"units": 8192, "k": 32, "batch": 256}
SWEEPS = {
    "units": [1024 << i for i in range(8)],
    "k": [8, 16, 32, 64, 128, 256],
    "batch": [1, 4, 16, 64, 256, 1024, 4096],
}


def sweep(programs, inputs, arguments):
    """Returns a row for each point: {"sweep", "units", "k", "batch", "threads", "median", "low", "high"}."""
    rounds, seconds = (2, 0.2) if arguments.quick else (3, 0.5)
    rows = []
    print(f"{'sweep':6s} {'units':>7s} {'k':>4s} {'batch':>6s} {'threads':>7s} {'rows/s':>10s} {'us/row':>9s}")
    for name, values in SWEEPS.items():
        for value in values:
            point = {**BASE, name: value}
            work = "encode data=images weights=random " + " ".join(f"{k}={v}" for k, v in point.items())
            programs_by_threads = {}
            try:
                for threads in sorted({1, arguments.threads}):
                    programs_by_threads[threads] = OurWork(programs, inputs, threads, work)
                rates = take_turns({t: p.run for t, p in programs_by_threads.items()}, rounds, seconds)
            except Skipped as reason:
                print(f"skipped {work}: {reason}")
                continue
            finally:
                for program in programs_by_threads.values():
                    program.close()
            for threads, values_of in rates.items():
                row = {"sweep": name, **point, "threads": threads, **summary(values_of)}
                rows.append(row)
                print(
                    f"{name:6s} {row['units']:7d} {row['k']:4d} {row['batch']:6d} {threads:7d} "
                    f"{row['median']:10.0f} {1e6 / row['median']:9.2f}",
                    flush=True,
                )
    return rows


def _ticks(low, high):
    """Returns the powers of ten from below low to above high."""
    tick = 1.0
    while tick > low:
        tick /= 10
    while tick * 10 <= low:
        tick *= 10
    ticks = [tick]
    while ticks[-1] < high:
        ticks.append(ticks[-1] * 10)
    return ticks


def plot(rows, path):
    """Plots microseconds per row on logarithmic axes: a panel per sweep, a line per number of threads."""
    import math

    width, height, left, top = 300, 260, 55, 40
    colours = ("#1b6ca8", "#c2571a")
    ticks = _ticks(min(1e6 / r["median"] for r in rows), max(1e6 / r["median"] for r in rows))
    low, high = math.log(ticks[0]), math.log(ticks[-1])
    parts = []
    for panel, name in enumerate(SWEEPS):
        x0 = left + panel * (width + left)
        of_panel = [r for r in rows if r["sweep"] == name]
        first, last = math.log(SWEEPS[name][0]), math.log(SWEEPS[name][-1])

        def place(row):
            x = x0 + width * (math.log(row[name]) - first) / (last - first)
            return x, top + height * (1 - (math.log(1e6 / row["median"]) - low) / (high - low))

        parts.append(f'<rect x="{x0}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#999"/>')
        parts.append(f'<text x="{x0 + width / 2}" y="{top + height + 36}" text-anchor="middle">{name}</text>')
        for tick in ticks:
            y = top + height * (1 - (math.log(tick) - low) / (high - low))
            parts.append(f'<line x1="{x0}" x2="{x0 + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
            parts.append(f'<text x="{x0 - 5}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
        for value in SWEEPS[name][:: 2 if len(SWEEPS[name]) > 6 else 1]:
            x = x0 + width * (math.log(value) - first) / (last - first)
            parts.append(f'<text x="{x:.1f}" y="{top + height + 16}" text-anchor="middle">{value}</text>')
        for colour, threads in zip(colours, sorted({r["threads"] for r in of_panel})):
            points = [place(r) for r in of_panel if r["threads"] == threads]
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    for i, (colour, threads) in enumerate(zip(colours, sorted({r["threads"] for r in rows}))):
        parts.append(f'<text x="{left + 90 * i}" y="20" fill="{colour}">{threads} thread{"s" * (threads > 1)}</text>')
    parts.append(f'<text x="{left + 220}" y="20">microseconds a row to encode 784 elements; '
                 f'else {", ".join(f"{k} {v}" for k, v in BASE.items())}</text>')
    total_width = left + len(SWEEPS) * (width + left)
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{total_width}" height="{top + height + 50}" '
            f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>\n'
        )
        file.write("\n".join(parts) + "\n</svg>\n")
