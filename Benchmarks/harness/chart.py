"""The chart: a line for each section, a dot for each program at its cost as a multiple of Catraca's. No library."""

import math
import statistics
from xml.sax.saxutils import escape

from figures import quotients
from report import NAMES, names_in

COLOURS = {
    "nginx": "#009e73", "haproxy": "#0072b2", "h2o": "#e69f00", "caddy": "#56b4e9", "envoy": "#cc79a7",
    "envoy-cache": "#882255", "envoy-oauth2": "#332288", "nginx-lua": "#44aa99",
    "nghttpx": "#999933", "relay": "#777777"}
LEFT, WIDTH, LINE, TOP = 330, 900, 21, 84
PLOT = WIDTH - LEFT - 30
TICKS = [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 50, 100]


def chart(sections):
    """SVG of all sections that are a cost beside somebody else's."""
    lines = [(section, _dots(section)) for section in sections if section.unit.startswith(("µs", "ms", "KB"))]
    groups = list(dict.fromkeys(section.group for section in sections))
    lines = sorted(((section, dots) for section, dots in lines if dots), key=lambda line: groups.index(line[0].group))
    ends = [end for _, dots in lines for _, _, *rest in dots for end in rest] or [1]
    least, most = min(0.7, 0.95 * min(ends)), max(1.5, 1.05 * max(ends))

    def x(ratio):
        return LEFT + PLOT * math.log(ratio / least) / math.log(most / least)

    bottom = TOP + LINE * (len(lines) + len({section.group for section, _ in lines}))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 34}" font-family="sans-serif" '
        f'font-size="12" role="img"><title>What a request costs others, as a multiple of what it costs Catraca</title>'
        f'<rect width="100%" height="100%" fill="#fff"/>',
        text(14, 24, "CPU time a request and memory a connection, as multiples of Catraca’s", size=16),
        text(14, 42, "right of the line: costs more than Catraca; left of it: costs less. Median, least to most.", "#555"),
        *_legend(names_in([section for section, _ in lines])), *_grid(x, least, most, bottom)]
    y, group = TOP, None
    for section, dots in lines:
        if section.group != group:
            group = section.group
            y += LINE
            parts.append(text(14, y, group, weight="bold"))
        y += LINE
        parts.append(text(LEFT - 12, y, section.title.replace("`", ""), anchor="end"))
        for name, middle, low, high in dots:
            colour = COLOURS[name]
            parts.append(
                f'<path d="M{x(low):.1f} {y - 4}H{x(high):.1f}" stroke="{colour}" stroke-width="2" opacity=".5"/>'
                f'<circle cx="{x(middle):.1f}" cy="{y - 4}" r="4.5" fill="{colour}"><title>'
                f"{escape(NAMES[name])}: {middle:.2f} × Catraca</title></circle>")
    return "\n".join(parts) + "\n</svg>\n"


def _dots(section):
    """(name, median, least, most) of each of the others, as multiples of ours."""
    dots = []
    for side in section.others:
        ratios = [ratio for ratio in quotients(side.values, section.ours.values) if ratio > 0]
        if ratios:
            dots.append((side.name, statistics.median(ratios), min(ratios), max(ratios)))
    return dots


def _legend(names):
    parts, x = [], 14
    for name in names:
        if name in COLOURS:
            parts.append(f'<circle cx="{x + 5}" cy="60" r="4.5" fill="{COLOURS[name]}"/>' + text(x + 15, 64, NAMES[name]))
            x += 30 + 8 * len(NAMES[name])
    return parts


def _grid(x, least, most, bottom):
    parts, taken = [], []
    for tick in sorted(TICKS, key=lambda tick: tick != 1):
        if least <= tick <= most and all(abs(x(tick) - other) > 38 for other in taken):
            taken.append(x(tick))
            colour, width = ("#222", 1.5) if tick == 1 else ("#ddd", 1)
            parts.append(f'<path d="M{x(tick):.1f} {TOP}V{bottom + 8}" stroke="{colour}" stroke-width="{width}"/>')
            parts.append(text(x(tick), bottom + 24, f"{tick:g} ×", "#555", anchor="middle"))
    return parts


def text(x, y, words, colour="#222", size=12, anchor="start", weight="normal"):
    return (
        f'<text x="{x:.1f}" y="{y}" fill="{colour}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(words)}</text>")
