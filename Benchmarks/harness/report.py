"""Sections as Markdown: what a request costs, and behind it rates, latencies, memory and system calls."""

import os
import platform
import statistics
import subprocess
import time

from figures import quotients, spread
from servers import versions

NAMES = {
    "catraca": "Catraca", "nginx": "nginx", "haproxy": "HAProxy", "h2o": "h2o", "caddy": "Caddy", "envoy": "Envoy",
    "nghttpx": "nghttpx", "relay": "a bare relay",
    "envoy-cache": "Envoy, cache", "envoy-oauth2": "Envoy, sealed cookies", "nginx-lua": "nginx with Lua"}


def table(header, rows):
    return "\n".join(
        ["| " + " | ".join(header) + " |", "|" + "---|" * len(header), *("| " + " | ".join(row) + " |" for row in rows)])


def names_in(sections):
    present = {side.name for section in sections for side in section.sides}
    return [name for name in NAMES if name in present]


def cost_table(sections):
    """Ours and theirs with their ratio to ours, and ours to the best of them."""
    names = names_in(sections)
    has_base = any(section.base for section in sections)
    header = ["case", *(NAMES[name] for name in names), *(["own reference"] if has_base else []), "ours ÷ best", "goals"]
    return table(header, [_cost_row(section, names, has_base) for section in sections])


def _cost_row(section, names, has_base):
    ours, best = section.ours, section.best()
    cells = [f"{section.title}, {section.unit}"]
    for name in names:
        side = section.side(name)
        if not side:
            cells.append("–")
            continue
        text = spread(side.values, section.digits)
        if side is not ours and (ratios := quotients(side.values, ours.values)):
            text += f", **{statistics.median(ratios):.2f} ×**"
        cells.append(text)
    if has_base:
        cells.append(
            f"{NAMES.get(section.base.name, section.base.name)} {spread(section.base.values, section.digits)}" if section.base else "–")
    ratios = quotients(ours.values, best.values) if best else None
    cells.append(f"{spread(ratios, 2)}, {NAMES[best.name]}" if ratios else "–")
    cells.append("; ".join(goal.verdict(section) for goal in section.goals) or "–")
    return cells


def side_table(sections, cell, first="case"):
    """A table of one cell a side; sections and columns without any are left out."""
    rows = []
    names = names_in(sections)
    for section in sections:
        cells = [cell(side) if side else None for side in map(section.side, names)]
        if any(cells):
            rate = f", {section.paced_rate:,}/s" if first == "case, at" else ""
            rows.append([section.title + rate, *(text or "–" for text in cells)])
    return table([first, *(NAMES[name] for name in names)], rows) if rows else None


def rates(side):
    return spread(side.rates, 0) if side.rates else None


def latencies(side):
    if not side.latencies:
        return None
    return " / ".join(f"{statistics.median(values):,.0f}" for values in zip(*side.latencies))


def memory(side):
    return side.idle_bytes and f"{side.idle_bytes / 1e6:,.1f} → {side.loaded_bytes / 1e6:,.1f}"


def calls(side):
    return f"{side.calls:.2f}" if side.calls else None


def store(side):
    if not side.store:
        return None
    trips, reads, cpu = (
        statistics.median(getattr(cost, name) for cost in side.store) for name in ("trips", "reads", "microseconds"))
    return f"{trips:.2f} / {reads:.2f} / {cpu:.1f} µs"


DETAILS = [
    ("Requests a second when as many are asked as can be answered", rates, "case"),
    ("Latency in µs at half of what the slowest can do: p50 / p99 / p99.9", latencies, "case, at"),
    ("System calls a request", calls, "case"),
    ("What Redis does for a request: round trips / reads of its sockets / CPU time", store, "case"),
    ("Memory (PSS) in MB, once started and after the load", memory, "case"),
]


def markdown(about, sections, failures):
    """The whole document."""
    parts = ["# Catraca beside others", "", "Written by `Benchmarks/run`; [README](../README.md) says how. CPU time of the proxy's"
             " processes a request, median (least to most of the rounds); **bold**: its ratio to Catraca's.", "", *about]
    groups = list(dict.fromkeys(section.group for section in sections))
    for group in groups:
        parts += ["", f"## {group}", "", cost_table([section for section in sections if section.group == group])]
    for title, cell, first in DETAILS:
        if text := side_table(sections, cell, first):
            parts += ["", f"## {title}", "", text]
    if failures:
        parts += ["", "## Not measured", "", *(f"- `{name}`: {reason}" for name, reason in failures)]
    return "\n".join(parts) + "\n"


def _line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "unknown"


def surroundings(binary, arguments):
    """What the figures depend on, as Markdown list items."""
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    built = time.strftime("%Y-%m-%d %H:%M", time.gmtime(os.path.getmtime(binary)))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    clients = f"{_line('wrk', '-v').partition('Copyright')[0].strip()}, {_line('h2load', '--version')}"
    return [
        f"- {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}; {model}, {os.cpu_count()} cores, "
        f"Linux {platform.release()}; load average at the start {load}",
        f"- Catraca {_line(binary, '--version')}, built {built} (tree at {_line('git', '-C', root, 'describe', '--always')}); "
        f"{', '.join(versions())}; {clients}; {_line('openssl', 'version').partition(' (')[0]}",
        f"- command: `Benchmarks/run{''.join(' ' + argument for argument in arguments)}`",
    ]
