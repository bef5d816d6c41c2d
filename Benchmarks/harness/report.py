"""Results as rows of one Markdown table, each beside the goal that it has to meet."""

import os
import platform
import statistics
import subprocess
import time


class Goal:
    """`value` must be at most `limit`."""

    def __init__(self, text, limit):
        self.text = text
        self.limit = limit

    def verdict(self, value):
        return f"{self.text}: {'**met**' if value <= self.limit else '**missed**'}"


class Row:
    """One measured thing; every cell is text."""

    def __init__(self, case, measure, beside="–", catraca="–", result="–", goal="–"):
        self.cells = [case, measure, beside, catraca, result, goal]

    def __str__(self):
        return "| " + " | ".join(self.cells) + " |"


HEADER = str(Row("case", "measure", "beside", "Catraca", "result", "goal")) + "\n|---|---|---|---|---|---|"


def spread(values, digits=1):
    """median (min to max)."""
    return (f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})")


def cost(variant):
    """A variant's CPU time with its user share and rate."""
    return f"{spread(variant.costs)}, user {variant.user:.1f}, {variant.rate:,.0f}/s"


def ratio_row(case, measure, ours, theirs, ratios, goal=None):
    """`ours` beside `theirs`; the ratio is the median of the rounds' own ratios."""
    middle = statistics.median(ratios)
    return Row(
        case, measure, f"{theirs.name} {cost(theirs)}", cost(ours), f"{spread(ratios, 2)} ×",
        goal.verdict(middle) if goal else "–")


def _line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "unknown"


def surroundings(binary, nginx, arguments):
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
    return [
        f"- {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}; {model}, {os.cpu_count()} cores, "
        f"Linux {platform.release()}; load average at the start {load}",
        f"- Catraca {_line(binary, '--version')}, built {built} (tree at {_line('git', '-C', root, 'describe', '--always')}), "
        f"{_line(nginx, '-v')}, {_line('wrk', '-v').partition('Copyright')[0].strip()}, {_line('openssl', 'version')}",
        f"- command: `Benchmarks/run{''.join(' ' + argument for argument in arguments)}`",
    ]
