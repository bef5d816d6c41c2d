"""The command line: runs cases one after the other and writes the table. Whatever happens, what was started is ended."""

import argparse
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback

from cases import CASES as PLAIN_CASES
from report import HEADER, Row, surroundings
from secure_cases import SECURE_CASES
from servers import NGINX, Servers
from tokens import TokenStore

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CASES = {**PLAIN_CASES, **SECURE_CASES}


class Run:
    """What the cases share."""

    def __init__(self, arguments, servers):
        self.servers = servers
        self.rounds = arguments.rounds
        self.seconds = arguments.seconds
        self.reload_seconds = arguments.reload_seconds
        self.token_count = arguments.tokens
        self.tokens = TokenStore(os.path.join(tempfile.gettempdir(), f"catraca-bench-tokens-{os.getuid()}"))


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="Benchmarks/run", description="Measures Catraca beside nginx, h2o and HAProxy.", epilog="Cases: " + "; ".join(
            f"{name}: {about}" for name, (_, about) in CASES.items()))
    parser.add_argument("cases", nargs="*", metavar="CASE", help="default: all")
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    parser.add_argument("--rounds", type=int, default=5, help="how often the sides take turns (default 5)")
    parser.add_argument("--seconds", type=int, default=4, help="length of a round (default 4)")
    parser.add_argument("--reload-seconds", type=int, default=60, help="length of the case reload (default 60)")
    parser.add_argument("--tokens", type=int, default=60_000, help="distinct tokens for token-fresh (default 60000)")
    parser.add_argument("--output", default=os.path.join(HERE, "..", "results", "latest.md"))
    arguments = parser.parse_args()
    unknown = [name for name in arguments.cases if name not in CASES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)} (there are {', '.join(CASES)})")
    return arguments


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 12_000:
        print(f"only {hard} descriptors may be open: the idle cases need 12,000 (ulimit -Hn)", file=sys.stderr)
    return hard


def run_cases(names, run, show):
    """Every case with servers of its own, so that none inherits what another left in memory."""
    is_whole = True
    for name in names:
        print(f"… {name}", file=sys.stderr, flush=True)
        try:
            rows = CASES[name][0](run)
        except Exception as error:  # A case that cannot be measured is a row of its own; the others still run.
            traceback.print_exc()
            rows = [Row(name, "could not be measured", result=str(error).splitlines()[0] if str(error) else repr(error))]
            is_whole = False
        finally:
            run.servers.stop_all()
        for row in rows:
            show(row)
    return is_whole


def main():
    arguments = parse_arguments()
    if arguments.list:
        for name, (_, about) in CASES.items():
            print(f"{name:13} {about}")
        return 0
    binary = os.path.abspath(os.environ.get("CATRACA_BINARY") or os.path.join(ROOT, ".build", "release", "catraca"))
    if not os.access(binary, os.X_OK):
        print(f"no binary at {binary}: build it with `swift build -c release --product catraca`", file=sys.stderr)
        return 1
    descriptors = raise_descriptor_limit()
    folder = tempfile.mkdtemp(prefix="catraca-bench-")
    servers = Servers(folder, binary, descriptors)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    lines = [*surroundings(binary, NGINX, sys.argv[1:]), "", HEADER]
    print("\n".join(lines), flush=True)

    def show(row):
        lines.append(str(row))
        print(row, flush=True)

    try:
        is_whole = run_cases(arguments.cases or list(CASES), Run(arguments, servers), show)
    finally:
        servers.stop_all()
        shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.dirname(os.path.abspath(arguments.output)), exist_ok=True)
    with open(arguments.output, "w", encoding="utf-8") as file:
        file.write("# Latest run\n\nWritten by `Benchmarks/run`; README.md says what the columns mean.\n\n")
        file.write("\n".join(lines) + "\n")
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
