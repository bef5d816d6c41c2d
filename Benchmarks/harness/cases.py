"""The cases, each a function that measures and returns rows. `CASES` lists them with what each is about."""

import json
import signal
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from bulk import BulkBackend, transfer
from idle import open_idle
from load import LoadError, Variant, interleave, ratios, wrk
from report import Goal, Row, cost, ratio_row, spread
from tokens import AUDIENCE, ISSUER, verify_microseconds

MICROSECONDS = "CPU µs a request"

# The goals that the project has set itself.
PLAIN_GOAL = Goal("≤ 1.0 × nginx", 1.0)
SEEN_GOAL = Goal("≤ 1.15 × own plain", 1.15)
FRESH_GOAL = Goal("≤ plain + 1.4 × `openssl speed`", 1.4)
IDLE_GOAL = Goal("≤ 12 KB a connection", 12_000)
FLAT_GOAL = Goal("grows by ≤ 8 MiB", 8 << 20)
RELOAD_GOAL = Goal("0 failed", 0)
ROUTES_GOAL = Goal("≤ 1.05 × one route", 1.05)


def _beside_nginx(run, case, measure, goal=None, access_logs=("off", "off"), **load):
    backend = run.servers.backend()
    nginx = run.servers.nginx(backend.port, access_log=access_logs[0])
    catraca = run.servers.catraca(backend.port, access_log=access_logs[1])
    theirs = Variant("nginx", nginx, **load)
    ours = Variant("catraca", catraca.program, **load)
    interleave([theirs, ours], run.rounds, run.seconds)
    return [ratio_row(case, measure, ours, theirs, ratios(ours, theirs), goal)]


def plain(run):
    return _beside_nginx(run, "plain", MICROSECONDS, PLAIN_GOAL)


def browser(run):
    return _beside_nginx(run, "browser", f"{MICROSECONDS}, 20 header fields", script="browser.lua")


def access_log(run):
    logs = (
        f"{run.servers.folder}/nginx.access.log main buffer=64k flush=1s",
        f"{{ path: {run.servers.folder}/catraca.access.log, format: combined }}")
    return _beside_nginx(run, "access-log", f"{MICROSECONDS}, both write a log", access_logs=logs)


def connections(run):
    return _beside_nginx(run, "connections", f"{MICROSECONDS}, each on a new connection", script="close.lua")


def _token_gateway(run, backend):
    keys = f"{run.servers.folder}/keys.json"
    with open(keys, "w", encoding="utf-8") as file:
        json.dump(run.tokens.key_set(), file)
    return run.servers.catraca(
        backend.port,
        issuers=(
            f"issuers:\n  login: {{ issuer: '{ISSUER}', audiences: [{AUDIENCE}], jwks: {keys}, "
            "algorithms: [RS256, ES256, EdDSA] }\n"),
        routes=(
            "  - name: tokens\n    path: /orders/*\n    upstream: backend\n"
            "    auth: { issuers: [login], scopes: ['orders:read'] }\n"
            "    identity: { headers: { X-User-Id: sub, X-User-Email: email, X-Org: org.id } }\n"))


def token_seen(run):
    with open(run.tokens.tokens("RS256", 100), encoding="ascii") as file:
        token = file.readline().strip()
    gateway = _token_gateway(run, run.servers.backend())
    without = Variant("plain", gateway.program, path="/orders-open")
    seen = Variant("token-seen", gateway.program, path="/orders/1", headers=[f"Authorization: Bearer {token}"])
    interleave([without, seen], run.rounds, run.seconds)
    row = ratio_row(
        "token-seen", f"{MICROSECONDS}, one RS256 token; beside own plain {without.cost:.1f}", seen, without,
        ratios(seen, without), SEEN_GOAL, is_nginx=False)
    return [row]


def token_fresh(run):
    gateway = _token_gateway(run, run.servers.backend())
    without = Variant("plain", gateway.program, path="/orders-open")
    algorithms = ["RS256", "ES256", "EdDSA"]
    misses = {algorithm: [0.0, 0.0] for algorithm in algorithms}

    def empty_cache():
        # A reload forgets every remembered token, so no round meets one of the round before.
        reload_and_wait(gateway)

    fresh = []
    for algorithm in algorithms:
        fresh.append(_FreshVariant(
            algorithm, gateway, misses[algorithm], path="/orders/1", before=empty_cache,
            script="tokens.lua", tokens=run.tokens.tokens(algorithm, run.token_count)))
    interleave([without, *fresh], run.rounds, run.seconds)
    rows = []
    for algorithm, variant in zip(algorithms, fresh):
        extra = [
            (cost_ - plain_) / verify for cost_, plain_, verify in zip(variant.costs, without.costs, variant.verifications)]
        hits, missed = misses[algorithm]
        middle = statistics.median(extra)
        rows.append(Row(
            "token-fresh", f"{MICROSECONDS}, every token new, {algorithm}; beside own plain {without.cost:.1f}; "
            f"cache: {missed:,.0f} misses, {hits:,.0f} hits", "–", cost(variant),
            f"plain + {spread(extra, 2)} × {statistics.median(variant.verifications):.1f} µs", FRESH_GOAL.verdict(middle)
            if algorithm == "RS256" else "–"))
        if hits > missed / 100:
            raise LoadError(f"{algorithm}: {hits:.0f} tokens came from the cache: not fresh")
    return rows


class _FreshVariant(Variant):
    """Also counts what the token cache did, so that a fresh token is known to be one, and asks `openssl speed` in each
    round, so that both have the same neighbours."""

    def __init__(self, name, gateway, counts, **load):
        super().__init__(name, gateway.program, **load)
        self.verifications = []
        self.gateway = gateway
        self.counts = counts

    def run(self, seconds, keep=True):
        names = [("hit", 0), ("miss", 1)]
        before = [self.gateway.metric("catraca_token_cache_total", result=name) for name, _ in names]
        super().run(seconds, keep)
        for name, place in names:
            self.counts[place] += self.gateway.metric("catraca_token_cache_total", result=name) - before[place]
        if keep:
            self.verifications.append(verify_microseconds(self.name))


def reload_and_wait(gateway):
    """SIGHUP, and back when the gateway counts one reload more."""
    before = gateway.metric("catraca_config_reloads_total")
    gateway.program.signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while gateway.metric("catraca_config_reloads_total") == before:
        if time.monotonic() > deadline:
            raise LoadError("the gateway did not reload within 10 s")
        time.sleep(0.02)


def idle(run, count=5000):
    backend = run.servers.backend()
    nginx = run.servers.nginx(backend.port)
    catraca = run.servers.catraca(backend.port)
    cells = {}
    for name, program in [("nginx", nginx), ("catraca", catraca.program)]:
        wrk(program.port, "/", 1)
        time.sleep(1)
        before = program.pss_bytes()
        with open_idle(program.port, count):
            time.sleep(1)
            after = program.pss_bytes()
        cells[name] = ((after - before) / count, before, after)
    bytes_each = cells["catraca"][0]
    texts = [f"{each:,.0f} bytes ({before / 1e6:.1f} → {after / 1e6:.1f} MB)" for each, before, after in cells.values()]
    return [Row(
        "idle", f"PSS a connection, {count:,} idle ones that made one request each", texts[0], texts[1],
        f"{bytes_each / max(cells['nginx'][0], 1):.2f} ×", IDLE_GOAL.verdict(bytes_each))]


def big(run, count=1 << 30):
    backend = BulkBackend()
    try:
        nginx = run.servers.nginx(backend.port, streams_requests=True)
        catraca = run.servers.catraca(backend.port)
        rows = []
        for direction in ("down", "up"):
            growth, costs = {}, {"nginx": [], "catraca": []}
            programs = [("nginx", nginx), ("catraca", catraca.program)]
            for _, program in programs:
                transfer(program.port, direction, 1 << 20)
            for _ in range(3):
                for name, program in programs:
                    program.reset_peak()
                    resident = program.resident_bytes()
                    before = sum(program.cpu_seconds())
                    transfer(program.port, direction, count)
                    costs[name].append((sum(program.cpu_seconds()) - before) * 1000 * (1 << 30) / count)
                    growth[name] = max(growth.get(name, 0), program.peak_bytes() - resident)
            rows.append(Row(
                "big", f"CPU ms a GiB, body {direction}", spread(costs["nginx"], 0), spread(costs["catraca"], 0),
                f"{spread([a / b for a, b in zip(costs['catraca'], costs['nginx'])], 2)} ×"))
            rows.append(Row(
                "big", f"growth of the peak RSS during 1 GiB {direction}", f"{growth['nginx'] / 1024:,.0f} KiB",
                f"{growth['catraca'] / 1024:,.0f} KiB", "–", FLAT_GOAL.verdict(growth["catraca"])))
        return rows
    finally:
        backend.stop()


def routes(run):
    backend = run.servers.backend()
    one = run.servers.catraca(backend.port, name="one-route")
    many = run.servers.catraca(backend.port, name="many-routes", extra_routes=10_000)
    single = Variant("one route", one.program)
    # The root is the catch-all of both; in the middle of the many stands a route of its own.
    any_of_many = Variant("10,000 routes", many.program)
    within_many = Variant("10,000 routes, one of them", many.program, path="/service-5000/a")
    interleave([single, any_of_many, within_many], run.rounds, run.seconds)
    return [
        ratio_row("routes", f"{MICROSECONDS}, {text}; beside one route {single.cost:.1f}", variant, single,
                  ratios(variant, single), goal, is_nginx=False)
        for text, variant, goal in [
            ("10,000 routes, same path", any_of_many, ROUTES_GOAL),
            ("10,000 routes, a path among them", within_many, None)]]


def reload(run):
    """A SIGHUP a second; the file changes each time, upstream pool included, so that every reload does all its work."""
    backend = run.servers.backend()
    gateway = run.servers.catraca(backend.port)
    before = gateway.metric("catraca_config_reloads_total")
    seconds = run.reload_seconds
    stop = time.monotonic() + seconds - 1
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(wrk, gateway.port, "/", seconds)
        number = 0
        while time.monotonic() < stop and not load.done():
            time.sleep(1)
            number += 1
            gateway.write(backend.port, upstream=f"backend-{number % 2}")
            gateway.program.signal(signal.SIGHUP)
        requests, failures = load.result()
    reloads = gateway.metric("catraca_config_reloads_total") - before
    refused = gateway.metric("catraca_config_reloads_total", result="error")
    if reloads < number / 2 or refused:
        raise LoadError(f"{number} SIGHUPs, {reloads:.0f} reloads, {refused:.0f} refused")
    return [Row(
        "reload", f"failed requests in {seconds} s with {reloads:.0f} reloads", "–",
        f"{failures} of {requests:,}", "–", RELOAD_GOAL.verdict(failures))]


CASES = {
    "plain": (plain, "a small GET, nothing to check"),
    "browser": (browser, "the same with a browser's 20 header fields"),
    "access-log": (access_log, "plain with an access log on both sides"),
    "token-seen": (token_seen, "one RS256 token again and again"),
    "token-fresh": (token_fresh, "a new token with every request: RS256, ES256, EdDSA"),
    "idle": (idle, "memory of 5,000 idle connections"),
    "big": (big, "1 GiB bodies, down and up"),
    "connections": (connections, "a new connection for every request"),
    "routes": (routes, "10,000 routes beside one"),
    "reload": (reload, "a reload a second under load"),
}
