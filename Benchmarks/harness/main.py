"""The command line: runs cases one after the other and writes the results. Whatever happens, what was started is ended."""

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback

from bars import bars
from cases import CASES as PLAIN_CASES
from chart import chart
from list_cases import LIST_CASES
from pass_cases import PASS_CASES
from report import cost_table, markdown, surroundings
from rule_cases import RULE_CASES
from run import Run
from secure_cases import SECURE_CASES
from token_cases import TOKEN_CASES
from trace_cases import TRACE_CASES

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RESULTS = os.path.join(os.path.dirname(HERE), "results")
CASES = {**PLAIN_CASES, **TOKEN_CASES, **SECURE_CASES, **TRACE_CASES, **PASS_CASES, **LIST_CASES, **RULE_CASES}
# Not worth their time in every run.
BY_NAME_ONLY = {"access-log", "tls-big"}


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="Benchmarks/run", description="Measures Catraca beside nginx, HAProxy, h2o, Caddy and Envoy.",
        epilog="Cases: " + "; ".join(f"{name}: {about}" for name, (_, about) in CASES.items()))
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"default: all but {' and '.join(sorted(BY_NAME_ONLY))}")
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    parser.add_argument("--workers", type=int, default=1, help="workers, threads or processes of every proxy (default 1)")
    parser.add_argument("--rounds", type=int, help="how often the sides take turns (default 3)")
    parser.add_argument("--seconds", type=int, help="length of a round (default 2)")
    parser.add_argument("--quick", action="store_true", help="one round of a second, less of everything: do they work?")
    parser.add_argument(
        "--output", help="the results without an ending; default: results/table of all cases, else results/latest")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.cases if name not in CASES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)} (there are {', '.join(CASES)})")
    is_whole = not arguments.cases and not arguments.quick
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 3)
    arguments.seconds = arguments.seconds or (1 if arguments.quick else 2)
    workers = f"-{arguments.workers}-workers" if arguments.workers > 1 else ""
    arguments.output = arguments.output or os.path.join(RESULTS, f"table{workers}" if is_whole else "latest")
    return arguments


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 12_000:
        print(f"only {hard} descriptors may be open: the idle cases need 12,000 (ulimit -Hn)", file=sys.stderr)
    return hard


def run_cases(names, run):
    """Every case with servers of its own, so that none inherits what another left in memory. Returns the sections, and
    the cases that could not be measured with the reason."""
    sections, failures = [], []
    for name in names:
        began = time.monotonic()
        print(f"\n… {name}", flush=True)
        try:
            made = CASES[name][0](run)
            sections += made
            if made:
                print(cost_table(made), flush=True)
            else:
                failures.append((name, "what it needs is not installed"))
        except Exception as error:  # A case that cannot be measured is told as such; the others still run.
            traceback.print_exc()
            failures.append((name, str(error).splitlines()[0] if str(error) else repr(error)))
        finally:
            run.servers.stop_all()
        print(f"({time.monotonic() - began:.0f} s)", flush=True)
    return sections, failures


def write(output, about, sections, failures):
    """OUTPUT.md, OUTPUT.svg and, for whoever wants to look closer, OUTPUT.json."""
    os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
    draw = bars if any(side.store for section in sections for side in section.sides) else chart
    texts = {
        "md": markdown(about, sections, failures), "svg": draw(sections),
        "json": json.dumps({"about": about, "sections": [section.as_value() for section in sections]}, indent=1)}
    for ending, text in texts.items():
        with open(f"{output}.{ending}", "w", encoding="utf-8") as file:
            file.write(text)
    print(f"\nwritten: {os.path.relpath(output)}.md, .svg and .json")


def main():
    arguments = parse_arguments()
    if arguments.list:
        for name, (_, about) in CASES.items():
            print(f"{name:13} {about}")
        return 0
    binary = os.path.abspath(os.environ.get("CATRACA_BINARY") or os.path.join(ROOT, ".build", "release", "catraca"))
    if not os.access(binary, os.X_OK):
        print(f"no binary at {binary}: build it with `make release`", file=sys.stderr)
        return 1
    descriptors = raise_descriptor_limit()
    folder = tempfile.mkdtemp(prefix="catraca-bench-")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    about = surroundings(binary, sys.argv[1:])
    print("\n".join(about), flush=True)
    run = Run(arguments, folder, binary, descriptors)
    try:
        sections, failures = run_cases(arguments.cases or [name for name in CASES if name not in BY_NAME_ONLY], run)
    finally:
        run.servers.stop_all()
        shutil.rmtree(folder, ignore_errors=True)
    write(arguments.output, about, sections, failures)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
