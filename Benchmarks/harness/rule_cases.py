"""What rules cost beside a token seen before: a route in shadow, a service that was asked, a signed assertion. And what a
document of GraphQL costs beside the same body on another route."""

from figures import OURS, own
from list_cases import against
from load import Variant
from token_cases import GUARDED, OPEN, TokenVariant, guarded_setup

ROOM = "Rules"
TOKENS = 2_000


def rules(run):
    """Everything is remembered: the service is asked once a token and the assertion is signed once a token."""
    setup = guarded_setup(run.servers, run.tokens, "ES256", rules=True)
    gateway = run.servers.catraca(setup)
    file = run.tokens.tokens("ES256", TOKENS)
    plain = Variant(gateway.program, path=OPEN, name="own plain")
    known = RuleVariant(gateway.program, file, GUARDED)
    parts = [("`rules`: a token seen before", [known], {"base": plain})]
    for name, title, limit in (
            ("shadow", "the same on a route in shadow", 1.05),
            ("signed", "an assertion, remembered", 1.08),
            ("asked", "the answer of a service, remembered", 1.08)):
        variant = RuleVariant(gateway.program, file, f"/{name}{GUARDED}")
        parts.append((f"`rules`: {title}", [variant], {
            "base": plain, "goals": [against(known, "a token seen before", limit)]}))
    return run.sections(ROOM, parts)


class RuleVariant(TokenVariant):
    def __init__(self, program, file, path):
        super().__init__(program, file, TOKENS)
        self.path = path
        self.name = OURS


def graphql(run):
    gateway = run.servers.catraca(run.servers.setup(rules=True))
    post = Variant(gateway.program, path="/post", name="own POST", script="graphql.lua")
    document = Variant(gateway.program, path="/graphql", script="graphql.lua")
    return [run.section(ROOM, "`graphql`: documents of 2 KB", [document], base=post, goals=[own(1.6)])]


RULE_CASES = {
    "rules": (rules, "a route in shadow, an assertion and a service's answer beside a token seen before"),
    "graphql": (graphql, "documents of 2 KB beside the same POST on another route"),
}
