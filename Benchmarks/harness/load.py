"""Load from wrk, h2load and a client of handshakes, in rounds that take turns, and what each request cost the proxy."""

import os
import re
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from handshakes import shake_hands

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "load")
CONNECTIONS = 32


class LoadError(Exception):
    """A round in which requests failed measures something else than it says."""


def wrk(
        port, path, seconds, script=None, connections=CONNECTIONS, tokens=None, first=0, headers=(), scheme="http", field=None):
    """Runs wrk for some seconds. Returns (requests done, failures of any kind)."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    if script:
        command += ["-s", os.path.join(FOLDER, script)]
    for header in headers:
        command += ["-H", header]
    command.append(f"{scheme}://127.0.0.1:{port}{path}")
    environment = {**os.environ, **({"TOKENS": tokens, "FIRST": str(first)} if tokens else {}),
        **({"FIELD": field} if field else {})}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=seconds + 60, check=False)
    return parse(done.stdout + done.stderr)


def parse(output):
    """Requests and failures from wrk's words."""
    requests = re.search(r"(\d+) requests in", output)
    if not requests:
        raise LoadError(f"wrk said: {output.strip()}")
    failures = sum(int(count) for count in re.findall(r"Non-2xx or 3xx responses: (\d+)", output))
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    if errors:
        failures += sum(int(count) for count in errors.groups())
    return int(requests.group(1)), failures


def h2load(port, seconds, scheme="https", connections=8, streams=32, path="/", arguments=()):
    """Runs h2load for some seconds. Returns (requests done, failures of any kind)."""
    command = [
        "h2load", "-D", str(seconds), "-c", str(connections), "-m", str(streams), *arguments,
        f"{scheme}://127.0.0.1:{port}{path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    return parse_h2load(done.stdout + done.stderr)


def parse_h2load(output):
    """Requests and failures from h2load's words. What was under way when the time was up counts as neither."""
    counts = re.search(r"requests: .* (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output)
    codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", output)
    if not counts or not codes:
        raise LoadError(f"h2load said: {output.strip()}")
    done, succeeded, failed, errored, timeouts = (int(count) for count in counts.groups())
    return succeeded, max(done - succeeded, failed, errored + timeouts) + sum(int(count) for count in codes.groups()[1:])


class Variant:
    """One of the things that take turns: a program, and the load on it, which is wrk's unless a subclass says otherwise."""

    # Which part of the requests must fail (bad tokens), from and to.
    failing = (0, 0)
    # What a request cost Redis, one entry a round: `StoreCost`.
    store_rounds = ()

    def __init__(self, program, path="/", name=None, before=None, **options):
        self.name = name or program.name
        self.program = program
        self.path = path
        self.before = before
        self.options = options
        self.rounds = []

    def load(self, seconds):
        """(Requests done, failures of any kind)."""
        return wrk(self.program.port, self.path, seconds, **self.options)

    def run(self, seconds, keep=True):
        if self.before:
            self.before()
        user, system = self.program.cpu_seconds()
        requests, failures = self.load(seconds)
        user_after, system_after = self.program.cpu_seconds()
        least, most = self.failing
        if requests == 0 or not least * requests <= failures <= most * requests:
            raise LoadError(f"{self.name}: {failures} failures in {requests} requests\n{self.program.log_text()}")
        if keep:
            self.rounds.append(Round(
                requests / seconds, (user_after - user) / requests * 1e6, (system_after - system) / requests * 1e6))
        return requests

    def warm_up(self):
        self.run(1, keep=False)

    def paced(self, client, rate, seconds):
        """Latencies of the open-loop client at that rate, as `paced` has them."""
        return self._paced(client, self.program.port, rate, seconds)

    def _paced(self, client, port, rate, seconds):
        return paced(client, port, rate, seconds, self.path, self.options.get("tokens"), self.options.get("field"))

    @property
    def costs(self):
        """Microseconds of CPU time per request, one figure a round."""
        return [one.user + one.system for one in self.rounds]

    @property
    def user(self):
        return statistics.median(one.user for one in self.rounds)


class HTTP2Variant(Variant):
    """h2load's load."""

    def load(self, seconds):
        return h2load(self.program.port, seconds, path=self.path, **self.options)


class HandshakeVariant(Variant):
    """Handshakes, one connection after the other."""

    def load(self, seconds):
        return shake_hands(self.program.port, seconds, **self.options)


class Fleet:
    """Several programs that are measured as one."""

    def __init__(self, programs):
        self.programs = programs
        self.name = f"{len(programs)} copies"

    def cpu_seconds(self):
        return tuple(sum(parts) for parts in zip(*(program.cpu_seconds() for program in self.programs)))

    def pss_bytes(self):
        return sum(program.pss_bytes() for program in self.programs)

    def log_text(self):
        return "".join(program.log_text() for program in self.programs)


class FleetVariant(Variant):
    """wrk's load on each of a fleet at the same time, the connections shared out among them."""

    def load(self, seconds):
        programs = self.program.programs
        with ThreadPoolExecutor(len(programs)) as pool:
            loads = [
                pool.submit(
                    wrk, program.port, self.path, seconds, connections=CONNECTIONS // len(programs), **self.options)
                for program in programs]
            return tuple(sum(parts) for parts in zip(*(load.result() for load in loads)))

    def paced(self, client, rate, seconds):
        """Those of the slowest, each with its share of the rate."""
        programs = self.program.programs
        with ThreadPoolExecutor(len(programs)) as pool:
            each = pool.map(lambda one: self._paced(client, one.port, rate / len(programs), seconds), programs)
            return tuple(max(parts) for parts in zip(*each))


class Round:
    """Requests a second, and microseconds of user and system time per request."""

    def __init__(self, rate, user, system):
        self.rate = rate
        self.user = user
        self.system = system


def interleave(variants, rounds, seconds):
    """A B A B…, after one short round each that does not count; every second pass runs backwards."""
    for variant in variants:
        variant.warm_up()
    for number in range(rounds):
        for variant in variants if number % 2 == 0 else reversed(variants):
            variant.run(seconds)


def paced(program, port, rate, seconds, path, tokens=None, field=None, connections=64):
    """The open-loop client of load/paced.c. Returns (p50, p99, p99.9) in microseconds."""
    command = [program, str(port), str(connections), str(rate), str(seconds), path, *filter(None, [tokens, field])]
    count, failures, *latencies = _paced(command, seconds)
    if failures:
        raise LoadError(f"paced: {failures:.0f} of {count:.0f} requests failed")
    return tuple(latencies[:3])


def _paced(command, seconds):
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    if done.returncode:
        raise LoadError(f"paced said: {done.stderr.strip()}")
    return [float(word) for word in done.stdout.split()]


class PacedVariant(Variant):
    """The open-loop client's load: so many requests a second, however fast the program is."""

    def __init__(self, program, client, rate, **about):
        super().__init__(program, **about)
        self.client = client
        self.rate = rate

    def load(self, seconds):
        command = [self.client, str(self.program.port), str(CONNECTIONS), str(self.rate), str(seconds), self.path]
        count, failures, *_ = _paced(command, seconds)
        return int(count), int(failures)


def system_calls(variant, seconds):
    """System calls a request, by perf's tracepoint or else by strace, in a round of its own that is slower for it. None
    where neither is allowed."""
    pids = ",".join(str(pid) for pid in variant.program.pids())
    counters = [
        (["perf", "stat", "-x", ";", "-e", "raw_syscalls:sys_enter", "-p", pids], _perf_count),
        (["strace", "-f", "-c", "-U", "name,calls", *(f"-p{pid}" for pid in pids.split(","))], _strace_count)]
    for command, count in counters:
        try:
            counter = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        except OSError:
            continue
        time.sleep(0.2)
        requests = variant.run(seconds, keep=False) if counter.poll() is None else 0
        counter.send_signal(2)
        calls = count(counter.communicate(timeout=30)[1])
        if calls and requests:
            return calls / requests
    return None


def _perf_count(text):
    found = re.search(r"^(\d+);;raw_syscalls:sys_enter", text, re.MULTILINE)
    return int(found[1]) if found else None


def _strace_count(text):
    found = re.search(r"^total +(\d+)|^ *(\d+) +total", text, re.MULTILINE)
    return int(found[1] or found[2]) if found else None
