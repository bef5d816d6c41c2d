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
    without = Variant("own plain", gateway.program, path="/orders-open")
    seen = Variant("token-seen", gateway.program, path="/orders/1", headers=[f"Authorization: Bearer {token}"])
    interleave([without, seen], run.rounds, run.seconds)
    row = ratio_row(
        "token-seen", f"{MICROSECONDS}, one RS256 token", seen, without, ratios(seen, without), SEEN_GOAL)
    return [row]


def token_fresh(run):
    gateway = _token_gateway(run, run.servers.backend())
    without = Variant("own plain", gateway.program, path="/orders-open")
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
            "token-fresh", f"{MICROSECONDS}, every token new, {algorithm}; "
            f"cache: {missed:,.0f} misses, {hits:,.0f} hits", f"own plain {without.cost:.1f}", cost(variant),
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
    programs = [run.servers.nginx(backend.port), run.servers.catraca(backend.port).program]
    for program in programs:
        wrk(program.port, "/", 1)
    return idle_rows("idle", programs, count, IDLE_GOAL)


def idle_rows(case, programs, count, goal, context=None):
    """Memory of idle connections; Catraca is the last of the programs, which are warm. A row for each of the others."""
    cells = {}
    for program in programs:
        time.sleep(1)
        before = program.pss_bytes()
        with open_idle(program.port, count, context):
            time.sleep(1)
            after = program.pss_bytes()
        each = (after - before) / count
        cells[program.name] = (each, f"{each:,.0f} bytes ({before / 1e6:.1f} → {after / 1e6:.1f} MB)")
    bytes_each, text = cells.pop(programs[-1].name)
    return [
        Row(case, f"PSS a connection, {count:,} idle ones that made one request each", f"{name} {their_text}", text,
            f"{bytes_each / max(their_bytes, 1):.2f} ×", goal.verdict(bytes_each) if name == "nginx" else "–")
        for name, (their_bytes, their_text) in cells.items()]


def big(run, count=1 << 30):
    backend = BulkBackend()
    try:
        programs = [run.servers.nginx(backend.port, streams_requests=True), run.servers.catraca(backend.port).program]
        return [row for direction in ("down", "up") for row in transfer_rows("big", programs, direction, count)]
    finally:
        backend.stop()


def transfer_rows(case, programs, direction, count, goal=None, context=None):
    """What a large body costs; Catraca is the last of the programs. A row for each of the others, and one on memory."""
    growth, costs = {}, {program.name: [] for program in programs}
    for program in programs:
        transfer(program.port, direction, 1 << 20, context)
    for _ in range(3):
        for program in programs:
            program.reset_peak()
            resident = program.resident_bytes()
            before = sum(program.cpu_seconds())
            transfer(program.port, direction, count, context)
            costs[program.name].append((sum(program.cpu_seconds()) - before) * 1000 * (1 << 30) / count)
            growth[program.name] = max(growth.get(program.name, 0), program.peak_bytes() - resident)
    ours = costs.pop(programs[-1].name)
    rows = []
    for name, theirs in costs.items():
        quotients = [a / b for a, b in zip(ours, theirs)]
        rows.append(Row(
            case, f"CPU ms a GiB, body {direction}", f"{name} {spread(theirs, 0)}", spread(ours, 0),
            f"{spread(quotients, 2)} ×", goal.verdict(statistics.median(quotients)) if goal and name == "nginx" else "–"))
    ours = growth.pop(programs[-1].name)
    rows.append(Row(
        case, f"growth of the peak RSS during 1 GiB {direction}",
        ", ".join(f"{name} {value / 1024:,.0f} KiB" for name, value in growth.items()), f"{ours / 1024:,.0f} KiB", "–",
        FLAT_GOAL.verdict(ours)))
    return rows


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
        ratio_row("routes", f"{MICROSECONDS}, {text}", variant, single, ratios(variant, single), goal)
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
