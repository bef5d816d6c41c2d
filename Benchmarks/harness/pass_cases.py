"""The cases with passes that are no plain JWT, each beside a token that was seen before and beside plain requests."""

from dataclasses import replace

from figures import OURS, Goal, own
from list_cases import against
from load import LoadError, Variant
from passes import LISTED, OPAQUE, Sender, api_keys, denylist, opaque_tokens
from task import Passes
from token_cases import GUARDED, OPEN, FreshVariant, TokenVariant, beyond_plain, guarded_setup
from tokens import verify_microseconds

ROOM = "Kinds of passes"
# As long as the path of a JWT.
KEYED = "/keyed/12"
SEEN = 2_000
# More than any gateway here can check in a second of a round.
PROOFS_A_SECOND = 25_000


class PassVariant(TokenVariant):
    """Passes of a file in turns, on a path of their kind."""

    def __init__(self, gateway, path, file, **about):
        super().__init__(gateway.program, file, SEEN, name=OURS, **about)
        self.path = path


class NewPassVariant(FreshVariant):
    """No pass twice within a round, and nothing remembered."""

    def __init__(self, gateway, path, file, **about):
        super().__init__(gateway, "ES256", file)
        self.path = path
        self.options.update(about)


class ProofVariant(Variant):
    """A bound token, and a proof for each request that nobody has used before. They are made before each round, because
    they are good for a minute only."""

    def __init__(self, gateway, sender, file):
        super().__init__(gateway.program, path=GUARDED, name=OURS, script="tokens.lua", tokens=file, field=sender.field)
        self.sender = sender
        self.verifications = []

    def run(self, seconds, keep=True):
        url = f"http://127.0.0.1:{self.program.port}{self.path}"
        count = PROOFS_A_SECOND * seconds
        self.sender.proofs(self.options["tokens"], url, count)
        requests = super().run(seconds, keep)
        if requests > count:
            raise LoadError(f"{requests} requests with {count} proofs: some were used twice")
        if keep:
            self.verifications.append(verify_microseconds("ES256"))
        return requests


def _seen(run, gateway):
    return PassVariant(gateway, GUARDED, run.tokens.tokens("ES256", SEEN))


def _plain(gateway):
    return Variant(gateway.program, path=OPEN, name="own plain")


def opaque(run):
    setup = replace(guarded_setup(run.servers, run.tokens, "ES256"), passes=Passes())
    gateway, other = (run.servers.catraca(setup, name=name) for name in ("catraca", "catraca-fresh"))
    seen, plain = _seen(run, gateway), _plain(gateway)
    known = PassVariant(gateway, OPAQUE, opaque_tokens(run.servers.path("opaque.txt"), SEEN))
    new = NewPassVariant(other, OPAQUE, opaque_tokens(run.servers.path("opaque-new.txt"), 100_000))
    return run.sections(ROOM, [
        ("`opaque`: 2,000 JWTs seen before", [seen], {"base": plain}),
        ("`opaque`: 2,000 opaque tokens seen before", [known], {"base": plain, "goals": [against(seen, "a JWT", 1.05)]}),
        ("`opaque`: every opaque token new, the issuer is asked", [new], {"base": plain, "goals": [own(2.2)]})])


def keys(run):
    all_keys, entries = api_keys(run.servers.path("keys.txt"), LISTED)
    few = run.servers.path("few-keys.txt")
    with open(all_keys, encoding="ascii") as lines, open(few, "w", encoding="ascii") as file:
        file.writelines(line for line, _ in zip(lines, range(SEEN)))
    setup = replace(guarded_setup(run.servers, run.tokens, "ES256"), passes=Passes(api_keys_path=entries))
    gateway, other = (run.servers.catraca(setup, name=name) for name in ("catraca", "catraca-fresh"))
    seen, plain = _seen(run, gateway), _plain(gateway)
    about = {"field": "X-Api-Key: "}
    known = PassVariant(gateway, KEYED, few, **about)
    new = NewPassVariant(other, KEYED, all_keys, **about)
    return run.sections(ROOM, [
        ("`api-keys`: 2,000 JWTs seen before", [seen], {"base": plain}),
        ("`api-keys`: 2,000 of 100,000 keys, seen before", [known],
         {"base": plain, "goals": [against(seen, "a JWT", 1.05)]}),
        ("`api-keys`: every key new to the worker", [new], {"base": plain, "goals": [_no_more_than(new, plain, 5)]})])


def _no_more_than(variant, plain, limit):
    return Goal(f"≤ own plain + {limit} µs", limit, lambda _: [
        cost - open_cost for cost, open_cost in zip(variant.costs, plain.costs)])


def proofs(run):
    setup = guarded_setup(run.servers, run.tokens, "ES256")
    gateway = run.servers.catraca(setup)
    plain = _plain(gateway)
    bound = ProofVariant(gateway, Sender(run.tokens), run.servers.path("proofs.txt"))
    return run.sections(ROOM, [
        ("`dpop`: a bound token seen before, a fresh proof for each request", [bound],
         {"base": plain, "goals": [beyond_plain(bound, plain)]})])


def revocation(run):
    """One set of tokens on two gateways, of which one has a denylist that names none of them."""
    off_setup = guarded_setup(run.servers, run.tokens, "ES256")
    on_setup = replace(
        off_setup, passes=Passes(denylist_path=denylist(run.servers.path("denylist.jsonl"), LISTED)))
    without, with_list = run.servers.catraca(off_setup, name="catraca-off"), run.servers.catraca(on_setup)
    off, on = _seen(run, without), _seen(run, with_list)
    plain = _plain(with_list)
    return run.sections(ROOM, [
        ("`revocation`: 2,000 tokens seen before, no list", [off], {"base": plain}),
        ("`revocation`: 2,000 tokens seen before, a denylist of 100,000", [on],
         {"base": plain, "goals": [against(off, "without", 1.02)]})])


PASS_CASES = {
    "opaque": (opaque, "opaque tokens, seen before and new"),
    "api-keys": (keys, "API keys, seen before and new"),
    "dpop": (proofs, "a bound token with a fresh proof for each request"),
    "revocation": (revocation, "tokens with and without a denylist"),
}
