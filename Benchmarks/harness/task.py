"""What a case asks of every proxy, so that all of them are given the same work."""

from dataclasses import dataclass

NAMES = ["catraca", "nginx", "haproxy", "h2o", "caddy", "envoy"]

# Kept connections, towards clients and to the backend. Nobody's idle connection is closed during a run.
IDLE_SECONDS = 300
UPSTREAM_CONNECTIONS = 256
CONNECTIONS_MAX = 12_000


def hosts(count):
    """So many addresses of this machine. One is 127.0.0.1."""
    return ["127.0.0.1", *(f"127.0.{number // 250 + 1}.{number % 250 + 1}" for number in range(count - 1))]


@dataclass(frozen=True)
class Tokens:
    """What a bearer token must show on paths below /orders/: signature, issuer, audience, times and scope. `sub`, `email`
    and `org.id` go to the upstream as header fields."""

    issuer: str
    audience: str
    scope: str
    algorithm: str
    # The public keys: a JWK set as text, its file, and the file of the one key in PEM.
    key_set: str
    key_set_path: str
    public_key_path: str


@dataclass(frozen=True)
class Traces:
    """Spans of that many percent of the requests go to a collector on this machine."""

    collector: int
    percent: int


@dataclass(frozen=True)
class Store:
    """A Redis server, with limits of a fleet there. With tokens there are sessions besides: in the gateway's memory, and in
    Redis, remembered by workers and asked for each time."""

    port: int
    sessions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Passes:
    """Other kinds of passes on paths of their own, that are asked for the same as a bearer token: opaque tokens, about
    which the backend is asked at /introspect, API keys of a file, and tokens that a denylist might name."""

    api_keys_path: str = ""
    denylist_path: str = ""


@dataclass(frozen=True)
class Setup:
    """A proxy's task. All of it goes to one backend on this machine."""

    backend: int
    workers: int = 1
    # TLS with this certificate (and its key in the same file), HTTP/2 and HTTP/1.1 by ALPN.
    certificate: str = ""
    # Routes /service-0/ to /service-(routes-1)/ besides the one for everything.
    routes: int = 0
    tokens: Tokens | None = None
    # The backend answers at so many addresses, each a server of the upstream.
    servers: int = 1
    # HTTP/2 without TLS on both sides, for calls of gRPC.
    grpc: bool = False
    # One line a request into a file.
    access_log: bool = False
    # Answers of JSON are compressed by gzip, at each one's own level.
    gzip: bool = False
    traces: Traces | None = None
    store: Store | None = None
    passes: Passes | None = None
    # Rules of Catraca alone: a route with a document of GraphQL, and with tokens one in shadow, one with an assertion, and
    # one that asks a service, which is the backend.
    rules: bool = False

    @property
    def upstream_connections(self):
        return max(UPSTREAM_CONNECTIONS, 2 * self.servers)

    def server_addresses(self):
        return [f"{host}:{self.backend}" for host in hosts(self.servers)]

    def service_paths(self):
        return [f"/service-{number}/" for number in range(self.routes)]
