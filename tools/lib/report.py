"""Reports of tools/bench: Markdown with tables, and plain SVG charts, without any library.

report(folder, name, title, sections): writes folder/name.md; a section is (heading, text, rows or None,
charts); a chart is (file, title, SVG text) as bars() and lines() make them.
"""
import datetime
import os
import platform
import sqlite3
from xml.sax.saxutils import escape

COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44", "#edae49", "#6a4c93", "#5f6f7a")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 80, 20, 48, 96


def number(value):
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ticks(most):
    """Round steps from 0 to at least ${most}, about five of them."""
    step = 10.0 ** len(str(int(most))) if most >= 1 else 1.0
    while step * 4 > most and step > 1e-9:
        for part in (2, 2.5, 2):
            step /= part
            if step * 4 <= most:
                break
    count = int(most / step) + 1
    return [i * step for i in range(count + 1)]


def log_ticks(least, most):
    low = high = 1.0
    while low > least:
        low /= 10
    while low * 10 <= least:
        low *= 10
    high = low
    values = [low]
    while high < most:
        high *= 10
        values.append(high)
    return values


class Chart:
    """A frame with a title, both axes named with their units, and a legend below."""

    def __init__(self, title, x_name, y_name):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
            f'height="{HEIGHT}" font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
        self.text(WIDTH / 2, 24, title, "middle", size=15)
        self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 40, x_name, "middle")
        self.parts.append(f'<text x="18" y="{(TOP + HEIGHT - BOTTOM) / 2}" text-anchor="middle" transform="'
                          f'rotate(-90 18 {(TOP + HEIGHT - BOTTOM) / 2})">{escape(y_name)}</text>')

    def text(self, x, y, words, anchor="start", size=12):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">'
                          f'{escape(str(words))}</text>')

    def line(self, x1, y1, x2, y2, colour="#c8ced3", width=1.0):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}" stroke-width="{width}"/>')

    def scale(self, values, log):
        """Draws the y axis; returns the function from value to y."""
        import math
        marks = log_ticks(min(v for v in values if v > 0), max(values)) if log else ticks(max(values) or 1)
        low, high = (math.log10(marks[0]), math.log10(marks[-1])) if log else (0, marks[-1])
        high = high if high > low else low + 1

        def place(value):
            at = (math.log10(max(value, marks[0])) if log else value)
            return HEIGHT - BOTTOM - (at - low) / (high - low) * (HEIGHT - BOTTOM - TOP)
        for mark in marks:
            self.line(LEFT, place(mark), WIDTH - RIGHT, place(mark))
            self.text(LEFT - 6, place(mark) + 4, number(mark), "end")
        self.line(LEFT, TOP, LEFT, HEIGHT - BOTTOM, "#333")
        self.line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "#333")
        return place

    def legend(self, names):
        x = LEFT
        for i, name in enumerate(names):
            self.parts.append(f'<rect x="{x}" y="{HEIGHT - 36}" width="12" height="12" fill="{COLOURS[i]}"/>')
            self.text(x + 17, HEIGHT - 26, name)
            x += 30 + 6.6 * len(name)

    def svg(self):
        return "\n".join(self.parts + ["</svg>"]) + "\n"


def bars(title, x_name, y_name, groups, series, log=False):
    """groups: names on the x axis; series: {name: a value per group}."""
    chart = Chart(title, x_name, y_name)
    place = chart.scale([v for values in series.values() for v in values], log)
    each = (WIDTH - RIGHT - LEFT) / len(groups)
    wide = each * 0.8 / len(series)
    for g, group in enumerate(groups):
        chart.text(LEFT + each * (g + 0.5), HEIGHT - BOTTOM + 18, group, "middle")
        for s, values in enumerate(series.values()):
            x, y = LEFT + each * (g + 0.1) + wide * s, place(values[g])
            chart.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide - 1:.1f}" '
                               f'height="{max(HEIGHT - BOTTOM - y, 0):.1f}" fill="{COLOURS[s]}"/>')
    if len(series) > 1:
        chart.legend(series)
    return chart.svg()


def lines(title, x_name, y_name, points, series, log=False):
    """points: the x values, evenly spaced; series: {name: a value per point}."""
    chart = Chart(title, x_name, y_name)
    place = chart.scale([v for values in series.values() for v in values], log)
    each = (WIDTH - RIGHT - LEFT) / len(points)
    for p, point in enumerate(points):
        chart.text(LEFT + each * (p + 0.5), HEIGHT - BOTTOM + 18, point, "middle")
    for s, values in enumerate(series.values()):
        at = [(LEFT + each * (p + 0.5), place(v)) for p, v in enumerate(values)]
        chart.parts.append(f'<polyline fill="none" stroke="{COLOURS[s]}" stroke-width="2" points="'
                           + " ".join(f"{x:.1f},{y:.1f}" for x, y in at) + '"/>')
        chart.parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{COLOURS[s]}"/>' for x, y in at]
    chart.legend(series)
    return chart.svg()


def machine(reeve_version):
    """Where and with what it was measured, as one paragraph."""
    cpu = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo", encoding="utf-8")
                if l.startswith("model name")), platform.machine())
    memory = int(next(l for l in open("/proc/meminfo", encoding="utf-8")).split()[1]) / 1048576
    load = open("/proc/loadavg", encoding="utf-8").read().split()[0]
    return (f"Measured {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC on {os.cpu_count()} × {cpu}, "
            f"{memory:.0f} GiB, Linux {platform.release()}, SQLite {sqlite3.sqlite_version}, {reeve_version}; "
            f"load average when the report was written, its own work included: {load}. Absolute figures are of this "
            f"machine and this hour; compare within a table.")


def table(rows):
    def line(cells):
        return "| " + " | ".join(str(c) for c in cells) + " |"
    return "\n".join([line(rows[0]), line(["---"] + ["---:"] * (len(rows[0]) - 1))] + [line(r) for r in rows[1:]])


def report(folder, name, title, version, sections):
    os.makedirs(folder, exist_ok=True)
    out = [f"# {title}", "", machine(version), ""]
    for heading, words, rows, charts in sections:
        out += [f"## {heading}", "", words, ""]
        if rows:
            out += [table(rows), ""]
        for file, caption, svg in charts:
            with open(os.path.join(folder, file), "w", encoding="utf-8") as f:
                f.write(svg)
            out += [f"![{caption}]({file})", ""]
    with open(os.path.join(folder, name + ".md"), "w", encoding="utf-8") as f:
        f.write("\n".join(out).rstrip() + "\n")
