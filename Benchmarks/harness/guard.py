"""The guard: the release gateway under callgrind, a fixed number of requests on one warm connection, and what each of
them needed in instructions, references and allocations. Its start as well, and what a route needed there. Counts repeat
where times do not: they are held against guard.json."""

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

from bulk import BulkBackend
from figures import OURS
from load import parse_h2load
from processes import connect, receive_answer
from servers import ROOT, Servers
from start import started
from task import Traces
from token_cases import GUARDED, OPEN, guarded_setup
from tokens import TokenStore

LIMITS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "guard.json")
WARM, COUNTED = 2_000, 2_000
START_ROUTES = 10, 1_010
# LIMIT: bytes of the program as it is installed, stripped.
SIZE_MAX = 27_500_000
# A count may be that much over what is written down, and the rare call (a timer, a full buffer) over that.
MARGIN, RARE = 1.03, 0.05
# Calls, by the names that the linker knows.
CALLS = {
    "retains": {"swift_retain", "swift_retain_n", "swift_bridgeObjectRetain", "swift_unknownObjectRetain"},
    "objects": {"swift_allocObject"},
    "mallocs": {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"},
}


def count(lines):
    """Instructions of a callgrind file, and how often the functions of CALLS were called."""
    names, called, found = {}, "", {"instructions": 0, **dict.fromkeys(CALLS, 0)}
    for line in lines:
        if line.startswith(("fn=", "cfn=")):
            number, name = re.match(r"c?fn=\((\d+)\)(?: (.*))?", line).groups()
            if name:
                names[number] = re.sub(r"'\d+$|@.*$", "", name)
            called = names.get(number, "")
        elif line.startswith("calls="):
            for kind, functions in CALLS.items():
                if called in functions:
                    found[kind] += int(line[6:].split()[0])
        elif line.startswith("totals:"):
            found["instructions"] = int(line.split()[1])
    return found


class OneConnection:
    """Requests of HTTP/1.1, one after the other on one connection; each must be answered 200."""

    def __init__(self, path, token=None, lines=()):
        self.path = path
        self.lines = [*lines, f"Authorization: Bearer {token}"] if token else lines

    @contextlib.contextmanager
    def open(self, port):
        fields = "".join(f"{line}\r\n" for line in self.lines)
        request = f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode()
        with connect(port, timeout=120) as connection:
            yield lambda number: self._ask(connection, request, number)

    @staticmethod
    def _ask(connection, request, number):
        for _ in range(number):
            connection.sendall(request)
            receive_answer(connection)


class OneSession:
    """Requests of HTTP/2, one after the other; a new connection for both lots of them, which is little beside 2,000."""

    def __init__(self, path):
        self.path = path

    @contextlib.contextmanager
    def open(self, port):
        yield lambda number: self._ask(port, number)

    def _ask(self, port, number):
        command = ["h2load", "-n", str(number), "-c", "1", "-m", "1", f"http://127.0.0.1:{port}{self.path}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if parse_h2load(done.stdout + done.stderr) != (number, 0):
            raise ConnectionError(done.stdout)


def measure(servers, setup, name, exchange):
    """What one request needs, by kind."""
    file = servers.path(f"{name}.callgrind")
    gateway = servers.catraca(setup, name=name, under=["valgrind", "--tool=callgrind", f"--callgrind-out-file={file}"])
    with exchange.open(gateway.port) as ask:
        for number in (WARM, COUNTED):
            ask(number)
            # A dump starts the counting again.
            subprocess.run(["callgrind_control", "-d", str(gateway.program.process.pid)], check=True, capture_output=True)
    with open(f"{file}.2", encoding="utf-8", errors="replace") as lines:
        return {kind: round(value / COUNTED, 2) for kind, value in count(lines).items()}


def measure_start(binary, folder):
    """What a route more needs until the gateway is ready. What it needs without any depends on the machine."""
    counted = []
    for routes in START_ROUTES:
        file = os.path.join(folder, f"start-{routes}.callgrind")
        with started(["valgrind", "--tool=callgrind", f"--callgrind-out-file={file}", binary], routes) as (process, _):
            subprocess.run(["callgrind_control", "-d", str(process.pid)], check=True, capture_output=True)
        with open(f"{file}.1", encoding="utf-8", errors="replace") as lines:
            counted.append(count(lines))
    few, many = counted
    return {kind: round((many[kind] - few[kind]) / (START_ROUTES[1] - START_ROUTES[0]), 2) for kind in many}


def size(binary, folder):
    """Of the program as packages and images have it."""
    stripped = os.path.join(folder, "stripped")
    subprocess.run(["strip", "-o", stripped, binary], check=True)
    return os.path.getsize(stripped)


def made_with():
    """What instructions depend on besides the source: of another compiler, library or processor they say nothing."""
    def first_line(*command):
        try:
            return subprocess.run(command, capture_output=True, text=True, check=False).stdout.partition("\n")[0].strip()
        except OSError:
            return ""
    # Of the processor, valgrind shows little more than how wide its vectors are. Whose it is makes no difference: the same
    # binary needed 14,225 instructions on one of AMD and 14,220 on one of Intel.
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        flags = re.search(r"^flags\s*: (.*)$", file.read(), re.MULTILINE)
    vectors = "avx2" if flags and "avx2" in flags.group(1).split() else ""
    return {
        "compiler": first_line("swift", "--version"), "libc": " ".join(platform.libc_ver()),
        "nghttp2": first_line("pkg-config", "--modversion", "libnghttp2"),
        "processor": " ".join(filter(None, [platform.machine(), vectors]))}


def judge(name, counted, limits, kinds):
    """What is over its limit, as sentences."""
    unit = "route" if name == "start" else "request"
    return [
        f"{name}: {value:,.2f} {kind} a {unit}, {limits[kind]:,.2f} are written down"
        for kind, value in counted.items() if kind in kinds and value > limits[kind] * MARGIN + RARE]


def main():
    parser = argparse.ArgumentParser(prog="make guard", description="Counts what a fixed exchange needs.")
    parser.add_argument("--write", action="store_true", help="write the counts down in guard.json instead of judging them")
    arguments = parser.parse_args()
    binary = os.path.abspath(os.environ.get("CATRACA_BINARY") or os.path.join(ROOT, ".build", "release", OURS))
    folder = tempfile.mkdtemp(prefix="catraca-guard-")
    # Without what debuggers know: valgrind does not read all of it. The names of functions stay.
    stripped = os.path.join(folder, OURS)
    subprocess.run(["strip", "--strip-debug", "-o", stripped, binary], check=True)
    servers = Servers(folder, stripped, 20_000)
    tokens = TokenStore(os.path.join(folder, "tokens"))
    collector = BulkBackend()
    byte_count = size(binary, folder)
    try:
        setup = guarded_setup(servers, tokens, "ES256")
        with open(tokens.tokens("ES256", 1), encoding="ascii") as file:
            token = file.read().strip()
        exchanges = {
            "plain": OneConnection(OPEN), "token-seen": OneConnection(GUARDED, token), "h2": OneSession(OPEN),
            # What is long: as many fields as a head may have, as many of them named by Connection as may be, cookies, a
            # payload of 15 KB as it is sent.
            "fields": OneConnection(OPEN, lines=[
                "Connection: " + ", ".join(f"X-{number}" for number in range(32)),
                *(f"X-{number}: value" for number in range(98))]),
            "cookies": OneConnection(OPEN, lines=[
                "Cookie: " + "; ".join(f"cookie-{number}=value" for number in range(100))]),
            "token-large": OneConnection(GUARDED, tokens.large("ES256", 11 * 1024))}
        counted = {name: measure(servers, setup, name, exchange) for name, exchange in exchanges.items()}
        counted["start"] = measure_start(stripped, folder)
        # All that the process does for it, the export too.
        for name, percent in (("traces-1", 1), ("traces-all", 100)):
            traced = servers.setup(backend=setup.backend, traces=Traces(collector.port, percent))
            counted[name] = measure(servers, traced, name, OneConnection(OPEN))
    finally:
        servers.stop_all()
        collector.stop()
        shutil.rmtree(folder, ignore_errors=True)
    for name, figures in counted.items():
        print(name + ": " + ", ".join(f"{value:,.2f} {kind}" for kind, value in figures.items()))
    print(f"size: {byte_count:,} bytes stripped")
    if arguments.write:
        with open(LIMITS, "w", encoding="utf-8") as file:
            file.write(json.dumps({"made with": made_with(), **counted}, indent=2) + "\n")
        return 0
    with open(LIMITS, encoding="utf-8") as file:
        limits = json.load(file)
    kinds = {"instructions", *CALLS}
    others = [f"{name} {value!r}, not {limits['made with'].get(name)!r}"
              for name, value in made_with().items() if value != limits["made with"].get(name)]
    if others:
        # That a warm request makes no object and asks for no memory is true everywhere. A start makes many.
        kinds = {"objects", "mallocs"}
        limits.pop("start", None)
        print(f"instructions and retains are not judged, for they were written down elsewhere: {'; '.join(others)}")
    fresh = [name for name in counted if name not in limits]
    if fresh:
        print(f"not written down, and so not judged: {', '.join(fresh)}; make guard WRITE=1 does it")
    known = {name: figures for name, figures in counted.items() if name in limits}
    over = [line for name, figures in known.items() for line in judge(name, figures, limits[name], kinds)]
    if byte_count > SIZE_MAX:
        over.append(f"size: {byte_count:,} bytes, at most {SIZE_MAX:,} are meant to be")
    print("\n".join(over) or "no more than is written down")
    spare = [name for name, figures in known.items() if figures["instructions"] * MARGIN < limits[name]["instructions"]]
    if spare:
        print(f"less than is written down: {', '.join(spare)}; make guard WRITE=1 keeps it")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
