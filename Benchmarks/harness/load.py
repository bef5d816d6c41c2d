"""Load from wrk, h2load and a client of handshakes, in rounds that take turns, and what each request cost the proxy."""

import os
import re
import statistics
import subprocess

from handshakes import shake_hands

WRK_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "wrk")
CONNECTIONS = 32


class LoadError(Exception):
    """A round in which requests failed measures something else than it says."""


def wrk(port, path, seconds, script=None, connections=CONNECTIONS, tokens=None, headers=(), scheme="http"):
    """Runs wrk for some seconds. Returns (requests done, failures of any kind)."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s"]
    if script:
        command += ["-s", os.path.join(WRK_FOLDER, script)]
    for header in headers:
        command += ["-H", header]
    command.append(f"{scheme}://127.0.0.1:{port}{path}")
    environment = {**os.environ, **({"TOKENS": tokens} if tokens else {})}
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


def h2load(port, seconds, scheme="https", connections=8, streams=32):
    """Runs h2load for some seconds. Returns (requests done, failures of any kind)."""
    command = [
        "h2load", "-D", str(seconds), "-c", str(connections), "-m", str(streams), f"{scheme}://127.0.0.1:{port}/"]
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

    def __init__(self, name, program, path="/", before=None, **options):
        self.name = name
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
        if failures or requests == 0:
            raise LoadError(f"{self.name}: {failures} failures in {requests} requests\n{self.program.log_text()}")
        if keep:
            self.rounds.append(Round(
                requests / seconds, (user_after - user) / requests * 1e6, (system_after - system) / requests * 1e6))

    @property
    def costs(self):
        """Microseconds of CPU time per request, one figure a round."""
        return [one.user + one.system for one in self.rounds]

    @property
    def cost(self):
        return statistics.median(self.costs)

    @property
    def user(self):
        return statistics.median(one.user for one in self.rounds)

    @property
    def rate(self):
        return statistics.median(one.rate for one in self.rounds)


class HTTP2Variant(Variant):
    """h2load's load."""

    def load(self, seconds):
        return h2load(self.program.port, seconds, **self.options)


class HandshakeVariant(Variant):
    """Handshakes, one connection after the other."""

    def load(self, seconds):
        return shake_hands(self.program.port, seconds, **self.options)


class Round:
    """Requests a second, and microseconds of user and system time per request."""

    def __init__(self, rate, user, system):
        self.rate = rate
        self.user = user
        self.system = system


def interleave(variants, rounds, seconds):
    """A B A B…, after one short round each that does not count; every second pass runs backwards."""
    for variant in variants:
        variant.run(1, keep=False)
    for number in range(rounds):
        for variant in variants if number % 2 == 0 else reversed(variants):
            variant.run(seconds)


def ratios(variant, base):
    """Round by round, so that what disturbs the machine for a while disturbs both sides."""
    return [cost / other for cost, other in zip(variant.costs, base.costs)]
