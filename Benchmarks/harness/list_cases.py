"""A pass or a list: what tokens, sessions and the limits of a fleet cost the gateway, and what they cost Redis."""

import dataclasses
import hashlib
import json
import random
import re

from figures import OURS, Goal, Section, Side, absolute, own, quotients
from load import Fleet, FleetVariant, LoadError
from passes import LISTED, OPAQUE, denylist, opaque_tokens
from processes import connect
from sign_ins import Provider, signed_in
from task import Passes, Store
from token_cases import GUARDED, OPEN, guarded_setup, reload_and_wait
from tokens import SCOPE

ROOM = "A pass or a list"
LIMITS = "Limits of a fleet"
# At which latencies are taken: all that are compared are asked as much.
RATE = 5_000
TOKENS = 2_000
COOKIE = "Cookie: "


class StoreCost:
    """What one request cost Redis: round trips, reads of its sockets (each takes what lies there), CPU time."""

    def __init__(self, trips, reads, microseconds):
        self.trips = trips
        self.reads = reads
        self.microseconds = microseconds


class ListVariant(FleetVariant):
    """Load on programs that may ask Redis: what that costs is noted with each round."""

    def __init__(self, programs, redis, path=OPEN, name=OURS, **about):
        super().__init__(Fleet([getattr(one, "program", one) for one in programs]), path=path, name=name, **about)
        # Ours, which count what they ask. Of others every read of Redis is taken for a round trip.
        self.gateways = [one for one in programs if hasattr(one, "metric")]
        self.redis = redis
        self.store_rounds = []

    def load(self, seconds):
        if "tokens" in self.options:
            self.options["first"] = random.randrange(TOKENS)
        return super().load(seconds)

    def run(self, seconds, keep=True):
        trips, failures, reads, cpu = self._counts()
        requests = super().run(seconds, keep)
        trips_after, failures_after, reads_after, cpu_after = self._counts()
        if failures_after > failures:
            raise LoadError(f"{self.name}: {failures_after - failures:.0f} commands of {requests} requests had no reply")
        if keep:
            self.store_rounds.append(StoreCost(
                (trips_after - trips) / requests, (reads_after - reads) / requests, (cpu_after - cpu) / requests * 1e6))
        return requests

    def _counts(self):
        def total(**labels):
            return sum(gateway.metric("catraca_store_commands_total", **labels) for gateway in self.gateways)
        reads = info(self.redis.port, "total_reads_processed")
        trips = total(result="ok")
        return trips if self.gateways else reads, total() - trips, reads, sum(self.redis.cpu_seconds())

    @property
    def store_costs(self):
        return [cost.microseconds for cost in self.store_rounds]


class NewTokenVariant(ListVariant):
    """No token twice in a round, and the gateways' caches emptied before it."""

    def run(self, seconds, keep=True):
        for gateway in self.gateways:
            reload_and_wait(gateway)
        before = self._hits()
        requests = super().run(seconds, keep)
        if (hits := self._hits() - before) > requests / 100:
            raise LoadError(f"{hits:.0f} of {requests} tokens came from the cache: not new")
        return requests

    def load(self, seconds):
        return FleetVariant.load(self, seconds)

    def _hits(self):
        return sum(gateway.metric("catraca_token_cache_total", result="hit") for gateway in self.gateways)


def info(port, name):
    """A number of Redis' INFO."""
    with connect(port) as connection:
        connection.sendall(b"INFO everything\r\n")
        text = b""
        while not (found := re.search(rb"\r\n%s:(\d+)\r\n" % name.encode(), text)):
            if not (chunk := connection.recv(65536)):
                raise LoadError(f"Redis does not know {name}")
            text += chunk
    return int(found[1])


def against(other, text, limit):
    """At most so many times the cost of another variant, round by round."""
    return Goal(f"≤ {limit} × {text}", limit, lambda section: quotients(section.ours.values, other.costs))


def of_redis(variant, limit):
    return Goal(f"Redis ≤ {limit} µs", limit, lambda _: variant.store_costs)


def fleet_limits(run):
    """The same requests without a limit, with one of the process, with one of the fleet, and with leases of it."""
    redis = run.servers.redis()
    if not redis:
        return []
    setup = run.servers.setup(store=Store(redis.port))
    gateways = [run.servers.catraca(setup)]
    peer = run.servers.peer("nginx-lua", setup)
    plain = ListVariant(gateways, redis, name="own plain")
    parts = []
    for path, title, goals in (
            (OPEN, "no limit", []), ("/local", "counted by the process", []),
            ("/exact", "counted in Redis, exact", [1.6]), ("/leased", "counted in Redis, `lease: 20`", [1.1])):
        variants = [ListVariant(gateways, redis, path=path)]
        if peer and path in (OPEN, "/exact"):
            variants.append(ListVariant([peer], redis, path=path, name=peer.name))
        goals = [own(limit) for limit in goals]
        if path == "/exact":
            goals.append(of_redis(variants[0], 12))
        parts.append((f"`fleet-limits`: {title}", variants, {"base": plain, "goals": goals, "rate": RATE}))
    return run.sections(LIMITS, parts)


def pass_or_list(run):
    """What it costs to know the caller, with one gateway and with several on one list."""
    redis = run.servers.redis()
    if not redis:
        return []
    parts, sizes = [], []
    setup = guarded_setup(run.servers, run.tokens, "RS256")
    files = run.tokens.tokens("RS256", TOKENS), run.tokens.tokens("RS256", 100_000)
    for count in (1, 2, 4):
        kinds = ("memory", "kept", "asked") if count == 1 else ("kept", "asked")
        made = run.servers.setup(backend=setup.backend, tokens=setup.tokens, store=Store(redis.port, kinds))
        gateways = [run.servers.catraca(made, name=f"catraca-{count}-{number}") for number in range(count)]
        # Theirs alone are emptied all the time.
        others = [run.servers.catraca(made, name=f"catraca-new-{count}-{number}") for number in range(count)]
        peer = run.servers.peer("nginx-lua", made) if count == 1 else None
        plain = ListVariant(gateways, redis, name="own plain")
        where = "one gateway" if count == 1 else f"{count} gateways"
        ways = _ways(run, gateways, others, peer, redis, kinds, files, sizes)
        if count == 1:
            ways += _asked_issuers(run, setup, redis, files[0])
            sealed = _sealed_cookies(run, setup, redis, files[0])
            for title, variants, _ in ways:
                variants += sealed.get(title, [])
        for title, variants, goals in ways:
            parts.append((f"{title}, {where}", variants, {"base": plain, "goals": goals, "rate": RATE}))
    memory = [
        Section(ROOM, "memory of a session in Redis", [Side(OURS, [size])], unit="bytes", digits=0) for size in sizes[:1]]
    return run.sections(ROOM, parts) + [_look_ups(run, setup, redis, files[0])] + memory


def _asked_issuers(run, setup, redis, seen):
    """The ways in which an issuer has a say after it has signed: tokens that it can take back, and opaque ones."""
    listed = dataclasses.replace(
        setup, passes=Passes(denylist_path=denylist(run.servers.path("denylist.jsonl"), LISTED)))
    revocable = run.servers.catraca(listed, name="catraca-revocable")
    asking, emptied = (
        run.servers.catraca(dataclasses.replace(setup, passes=Passes()), name=name)
        for name in ("catraca-opaque", "catraca-opaque-new"))
    known, new = (
        opaque_tokens(run.servers.path(f"opaque-{count}.txt"), count) for count in (TOKENS, 100_000))
    opaque = {"path": OPAQUE, "script": "tokens.lua"}
    return [
        ("a revocable token seen before",
         [ListVariant([revocable], redis, path=GUARDED, script="tokens.lua", tokens=seen)], []),
        ("an opaque token seen before", [ListVariant([asking], redis, tokens=known, **opaque)], []),
        ("an opaque token never seen", [NewTokenVariant([emptied], redis, tokens=new, **opaque)], [])]


def _sealed_cookies(run, setup, redis, seen):
    """By title, what Envoy does for a browser: people sign in there, and their tokens are in cookies that it opens with
    each request. It remembers the tokens' signatures."""
    provider = Provider(seen)
    try:
        peer = run.servers.peer("envoy", setup, variant="envoy-oauth2", caches_tokens=True, provider=provider.port)
        if not peer:
            return {}
        cookies = signed_in(run.servers.path("sealed.txt"), peer.port, GUARDED, TOKENS)
    finally:
        provider.stop()
    return {
        NOBODY: [ListVariant([peer], redis, name=peer.name)],
        TITLES["kept"]: [ListVariant(
            [peer], redis, path=GUARDED, name=peer.name, script="tokens.lua", field=COOKIE, tokens=cookies)]}


def _look_ups(run, setup, redis, seen):
    """How many sessions two workers look up in a second, over one connection each. The gateway answers itself."""
    setup = dataclasses.replace(setup, workers=2, store=Store(redis.port, ("asked",)))
    gateway = run.servers.catraca(setup, name="catraca-look-ups")
    cookies = sessions(run.servers.path("look-ups.txt"), gateway.port, "asked", seen)
    variant = ListVariant([gateway], redis, path="/asked/here", script="tokens.lua", field=COOKIE, tokens=cookies)
    variant.warm_up()
    for _ in range(run.rounds):
        variant.run(run.seconds)
    rates = [one.rate for one in variant.rounds]
    return Section(ROOM, "look-ups of two workers", [Side(OURS, rates)], unit="a second", digits=0, goals=[
        Goal("≥ 100,000", 1, lambda _: [100_000 / rate for rate in rates])])


def _ways(run, gateways, others, peer, redis, kinds, files, sizes):
    """(Title, variants, goals) of each way in which these gateways know a caller."""
    seen, fresh = files
    nobody = [ListVariant(gateways, redis)]
    known = ListVariant(gateways, redis, path=GUARDED, script="tokens.lua", tokens=seen)
    ways = [
        (NOBODY, nobody, []), ("a token seen before", [known], []),
        ("a token never seen", [NewTokenVariant(others, redis, path=GUARDED, script="tokens.lua", tokens=fresh)], [])]
    if peer:
        nobody.append(ListVariant([peer], redis, name=peer.name))
    for kind in kinds:
        before = info(redis.port, "used_memory")
        cookies = sessions(run.servers.path(f"{kind}-{len(gateways)}.txt"), gateways[0].port, kind, seen)
        if kind == "kept":
            sizes.append((info(redis.port, "used_memory") - before) / TOKENS)
        load = {"path": f"/{kind}{GUARDED}", "script": "tokens.lua", "field": COOKIE}
        variants = [ListVariant(gateways, redis, tokens=cookies, **load)]
        goals = [against(known, "a token seen before", 1.05)]
        if kind == "asked":
            goals = [own(1.6), of_redis(variants[0], 12)]
            if peer:
                variants.append(ListVariant(
                    [peer], redis, name=peer.name, tokens=lua_sessions(run.servers.path("lua.txt"), redis.port), **load))
        ways.append((TITLES[kind], variants, goals))
    return ways


NOBODY = "nobody is known"
TITLES = {
    "memory": "a session of this gateway", "kept": "a session in Redis, remembered",
    "asked": "a session in Redis, asked each time"}


def sessions(path, port, name, tokens):
    """A file of cookies of sessions, each begun with one of these tokens."""
    with open(tokens, encoding="ascii") as lines, open(path, "w", encoding="ascii") as file, \
            connect(port) as connection, connection.makefile("rb") as answers:
        for line in lines:
            connection.sendall((
                f"POST /session/{name} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {line.strip()}\r\n"
                "Content-Length: 0\r\n\r\n").encode())
            status, cookie, length = answers.readline(), None, 0
            while (field := answers.readline().strip()):
                if field.lower().startswith(b"set-cookie:"):
                    cookie = field.partition(b":")[2].partition(b";")[0].strip().decode()
                elif field.lower().startswith(b"content-length:"):
                    length = int(field.partition(b":")[2])
            answers.read(length)
            if not cookie:
                raise LoadError(f"no session for a token: {status!r}")
            file.write(cookie + "\n")
    return path


def lua_sessions(path, port):
    """The same for nginx with Lua: cookies of sessions that lie in Redis as it expects them, with the claims of tokens."""
    with open(path, "w", encoding="ascii") as file, connect(port) as connection:
        for number in range(TOKENS):
            cookie = f"{number:064x}"
            key = "nginx:session:" + hashlib.md5(cookie.encode(), usedforsecurity=False).hexdigest()
            claims = json.dumps({
                "sub": f"user-{number:08d}", "scope": f"{SCOPE} orders:write", "email": f"user-{number:08d}@example.com",
                "org": {"id": f"org-{number % 97}", "tier": "gold"}}, separators=(",", ":"))
            parts = ["SET", key, claims, "EX", "3600"]
            connection.sendall(
                (f"*{len(parts)}\r\n" + "".join(f"${len(part)}\r\n{part}\r\n" for part in parts)).encode())
            if connection.recv(100) != b"+OK\r\n":
                raise LoadError("Redis does not take a session")
            file.write(f"__Host-session={cookie}\n")
    return path


LIST_CASES = {
    "pass-or-list": (pass_or_list, "tokens and sessions, with 1, 2 and 4 gateways, and what Redis pays for them"),
    "fleet-limits": (fleet_limits, "a limit of the process, of a fleet, and with leases"),
}
