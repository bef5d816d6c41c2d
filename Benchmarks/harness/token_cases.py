"""The cases with bearer tokens, beside HAProxy (jwt_verify) and Envoy (jwt_authn without and with its cache)."""

import json
import math
import random
import signal
import time

from figures import OURS, Goal, beside, latency, own, quotients
from load import Fleet, FleetVariant, LoadError, Variant
from processes import connect
from task import Tokens
from tokens import AUDIENCE, ISSUER, SCOPE, verify_microseconds

ROOM = "Tokens"
GUARDED = "/orders/1"
OPEN = "/orders-open"


class TokenVariant(Variant):
    """Tokens of a file in turns, each round from another place."""

    def __init__(self, program, file, count, **about):
        super().__init__(program, path=GUARDED, script="tokens.lua", tokens=file, **about)
        self.count = count

    def load(self, seconds):
        self.options["first"] = random.randrange(self.count)
        return super().load(seconds)

    def warm_up(self):
        """Until every token was seen, where there is a cache that could have them then."""
        requests = self.run(1, keep=False)
        if requests < self.count and self.name in (OURS, "envoy-cache"):
            self.run(math.ceil(1.3 * self.count / requests), keep=False)


class BadTokenVariant(TokenVariant):
    """A tenth of the requests is to be refused."""

    failing = (0.08, 0.12)


class CopiesVariant(FleetVariant):
    failing = (0.08, 0.12)


class FreshVariant(Variant):
    """No token twice within a round, and the cache emptied before it by a reload; the gateway's own counters prove it. In
    each round `openssl speed` is asked what one verification takes."""

    def __init__(self, gateway, algorithm, file):
        super().__init__(gateway.program, path=GUARDED, name=OURS, script="tokens.lua", tokens=file)
        self.gateway = gateway
        self.algorithm = algorithm
        self.verifications = []

    def run(self, seconds, keep=True):
        reload_and_wait(self.gateway)
        before = self._hits()
        requests = super().run(seconds, keep)
        hits = self._hits() - before
        if hits > requests / 100:
            raise LoadError(f"{hits:.0f} of {requests} tokens came from the cache: not new")
        if keep:
            self.verifications.append(verify_microseconds(self.algorithm))
        return requests

    def _hits(self):
        return self.gateway.metric("catraca_token_cache_total", result="hit")


def reload_and_wait(gateway):
    """SIGHUP, and back when the gateway counts one reload more."""
    before = gateway.metric("catraca_config_reloads_total")
    gateway.program.signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while gateway.metric("catraca_config_reloads_total") == before:
        if time.monotonic() > deadline:
            raise LoadError("the gateway did not reload within 10 s")
        time.sleep(0.02)


def guarded_setup(servers, tokens, algorithm, **options):
    """A setup with a backend, and the keys of these tokens."""
    keys = tokens.key_set()
    path = servers.path("keys.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(keys, file)
    return servers.setup(**options, tokens=Tokens(
        issuer=ISSUER, audience=AUDIENCE, scope=SCOPE, algorithm=algorithm, key_set=json.dumps(keys), key_set_path=path,
        public_key_path=tokens.public_key_path(algorithm)))


def _peers(run, setup):
    servers = run.servers
    return [*filter(None, [
        servers.peer("haproxy", setup), servers.peer("envoy", setup),
        servers.peer("envoy", setup, variant="envoy-cache", caches_tokens=True)])]


def _tokens(run, algorithm):
    case = f"tokens-{algorithm.lower()}"
    setup = guarded_setup(run.servers, run.tokens, algorithm)
    gateway = run.servers.catraca(setup, token_cache="512MiB")
    peers = _peers(run, setup)
    plain = Variant(gateway.program, path=OPEN, name="own plain")
    largest = 20_000 if run.is_quick else 100_000
    parts = []
    one = None
    for count in (1, 2_000, largest):
        file = run.tokens.tokens(algorithm, count)
        variants = [TokenVariant(program, file, count) for program in [gateway.program, *peers]]
        goals = [beside(["envoy-cache"], 0.35), own(1.05)]
        if one:
            goals += [_flat(one)] if count == largest else []
        one = one or variants[0]
        is_paced = algorithm == "RS256" and count == 2_000
        if is_paced:
            goals.append(latency())
        title = f"`{case}`: {count:,} token{'s' if count > 1 else ''}"
        parts.append((title, variants, {"base": plain, "goals": goals, "paced": is_paced}))
    file = run.tokens.tokens(algorithm, 100_000)
    fresh = FreshVariant(run.servers.catraca(setup, name="catraca-fresh"), algorithm, file)
    variants = [fresh, *(
        Variant(program, path=GUARDED, script="tokens.lua", tokens=file) for program in peers
        if program.name != "envoy-cache")]
    goals = [beside(["haproxy"], 0.8), beyond_plain(fresh, plain)] if algorithm == "RS256" else [beyond_plain(fresh, plain)]
    parts.append((f"`{case}`: every token new", variants, {"base": plain, "goals": goals}))
    return run.sections(ROOM, parts)


def _flat(one):
    return Goal("≤ 1.05 × one token", 1.05, lambda section: quotients(section.ours.values, one.costs))


def beyond_plain(fresh, plain):
    """What a fresh credential costs beside a plain request, in verifications."""
    return Goal("≤ plain + 1.25 × `openssl speed`", 1.25, lambda _: [
        (cost - open_cost) / verification
        for cost, open_cost, verification in zip(fresh.costs, plain.costs, fresh.verifications)])


def tokens_rs256(run):
    return _tokens(run, "RS256")


def tokens_es256(run):
    return _tokens(run, "ES256")


def tokens_eddsa(run):
    return _tokens(run, "EdDSA")


def tokens_bad(run):
    setup = guarded_setup(run.servers, run.tokens, "RS256")
    programs = [run.servers.catraca(setup).program, *_peers(run, setup)]
    file = run.tokens.mixed("RS256", 2_000, bad_of_ten=1)
    for program in programs:
        verdicts(program.port, file, bad_of_ten=1)
    return [run.section(
        ROOM, "`tokens-bad`: 2,000 tokens, 10 % of them bad", [BadTokenVariant(program, file, 2_000) for program in programs],
        base=Variant(programs[0], path=OPEN, name="own plain"))]


def copies(run):
    """Gateways side by side that share nothing but the file that they read."""
    setup = guarded_setup(run.servers, run.tokens, "RS256")
    file = run.tokens.mixed("RS256", 2_000, bad_of_ten=1)
    first = None
    parts = []
    for count in (1, 2, 4):
        programs = [run.servers.catraca(setup, name=f"catraca-{count}-{number}").program for number in range(count)]
        said = {tuple(verdicts(program.port, file, bad_of_ten=1)) for program in programs}
        if len(said) != 1:
            raise LoadError(f"{count} gateways do not say the same of the same tokens")
        variant = CopiesVariant(Fleet(programs), path=GUARDED, name=OURS, script="tokens.lua", tokens=file)
        goals = [own(1.05)] if first else []
        parts.append((f"`copies`: {count}, 10 % bad tokens", [variant], {"base": first, "goals": goals}))
        first = first or variant
    return run.sections("Copies", parts)


def verdicts(port, file, bad_of_ten, count=300):
    """The status of each of the first tokens; those that must be let in are let in, and the others are not."""
    with open(file, encoding="ascii") as lines:
        tokens = [line.strip() for line, _ in zip(lines, range(count))]
    statuses = []
    with connect(port) as connection, connection.makefile("rb") as answers:
        for token in tokens:
            head = f"GET {GUARDED} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
            connection.sendall(head.encode())
            statuses.append(int(answers.readline().split()[1]))
            length = 0
            while (line := answers.readline().strip()):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answers.read(length)
    wrong = [
        number for number, status in enumerate(statuses)
        if status not in ((401, 403) if number % 10 < bad_of_ten else (200,))]
    if wrong:
        raise LoadError(f"port {port}: {statuses[wrong[0]]} for token {wrong[0]}, and {len(wrong)} such in all")
    return statuses


TOKEN_CASES = {
    "tokens-rs256": (tokens_rs256, "RS256: 1, 2,000 and 100,000 tokens, and every one new"),
    "tokens-es256": (tokens_es256, "the same with ES256"),
    "tokens-eddsa": (tokens_eddsa, "the same with Ed25519"),
    "tokens-bad": (tokens_bad, "2,000 tokens of which a tenth is bad"),
    "copies": (copies, "1, 2 and 4 gateways on one set of tokens"),
}
