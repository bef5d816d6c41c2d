"""The chart of what costs two programs something: a bar for each way, the gateway's part and that of Redis. No library."""

import statistics

from chart import text
from figures import OURS
from report import NAMES

GATEWAY, PEER, REDIS = "#0072b2", "#cccccc", "#e69f00"
LEFT, WIDTH, LINE, TOP = 330, 900, 22, 64
PLOT = WIDTH - LEFT - 150


def bars(sections):
    """SVG of all sections in which Redis may have had a part."""
    rows = [(section, side) for section in sections for side in section.sides if side.store]
    most = max(side.median + _redis(side) for _, side in rows)
    bottom = TOP + LINE * (len(rows) + len({section.group for section, _ in rows}))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 14}" font-family="sans-serif" '
        'font-size="12" role="img"><title>CPU time a request of the gateway and of Redis</title>'
        '<rect width="100%" height="100%" fill="#fff"/>',
        text(14, 24, "CPU time a request, in microseconds", size=16)]
    for x, colour, name in ((14, GATEWAY, "Catraca"), (104, PEER, "another proxy"), (234, REDIS, "Redis")):
        parts += [f'<rect x="{x}" y="38" width="12" height="12" fill="{colour}"/>', text(x + 18, 48, name)]
    y, group = TOP, None
    for section, side in rows:
        if section.group != group:
            group = section.group
            y += LINE
            parts.append(text(14, y, group, weight="bold"))
        y += LINE
        own, redis = side.median, _redis(side)
        name = section.title.replace("`", "") if side.name == OURS else NAMES[side.name]
        width, more = PLOT * own / most, PLOT * redis / most
        parts += [
            text(LEFT - 12, y, name, "#222" if side.name == OURS else "#777", anchor="end"),
            _bar(LEFT, y, width, GATEWAY if side.name == OURS else PEER), _bar(LEFT + width, y, more, REDIS),
            text(LEFT + width + more + 8, y, f"{own:.1f}" + (f" + {redis:.1f}" if redis >= 0.1 else ""), "#555")]
    return "\n".join(parts) + "\n</svg>\n"


def _bar(x, y, width, colour):
    return f'<rect x="{x:.1f}" y="{y - 11}" width="{width:.1f}" height="14" fill="{colour}"/>'


def _redis(side):
    return statistics.median(cost.microseconds for cost in side.store)
