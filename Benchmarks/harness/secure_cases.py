"""The cases over TLS and HTTP/2, as those of cases.py; h2o and HAProxy take part where they are installed."""

from bulk import BulkBackend
from cases import MICROSECONDS, idle_rows, transfer_rows
from certificates import KEYS, make_certificate
from handshakes import client_context, shake_hands
from load import HandshakeVariant, HTTP2Variant, Variant, interleave, ratios
from report import Goal, ratio_row

# The goals that the project has set itself, by what stands beside it.
HANDSHAKE_GOALS = {"nginx": Goal("≥ 1.0 × nginx's handshakes a CPU second", 1.0)}
KEEPALIVE_GOALS = {"nginx": Goal("≤ 1.0 × nginx", 1.0)}
HTTP2_GOALS = {"nginx": Goal("≤ 0.8 × nginx", 0.8), "h2o": Goal("≤ 0.9 × h2o", 0.9)}
BIG_GOAL = Goal("≤ 1.15 × nginx", 1.15)
IDLE_GOAL = Goal("≤ 40 KB a connection", 40_000)


def _programs(run, backend_port, certificate):
    """Those that are beside it, then Catraca."""
    servers = run.servers
    peers = [make(backend_port, certificate=certificate) for make in (servers.nginx, servers.h2o, servers.haproxy)]
    return [*filter(None, peers), servers.catraca(backend_port, certificate=certificate).program]


def _rows(run, case, measure, variants, goals):
    """Lets the variants take turns; Catraca is the last. A row for each of the others."""
    interleave(variants, run.rounds, run.seconds)
    *peers, ours = variants
    return [ratio_row(case, measure, ours, peer, ratios(ours, peer), goals.get(peer.name)) for peer in peers]


def tls_handshake(run):
    rows = []
    for kind in KEYS:
        programs = _programs(run, run.servers.backend().port, make_certificate(run.servers.folder, kind))
        for resumes in (False, True):
            variants = [HandshakeVariant(program.name, program, resumes=resumes) for program in programs]
            measure = f"CPU µs a handshake, TLS 1.3, {kind}, {'resumed' if resumes else 'full'}"
            rows += _rows(run, "tls-handshake", measure, variants, HANDSHAKE_GOALS)
        run.servers.stop_all()
    return rows


def tls_keepalive(run):
    programs = _programs(run, run.servers.backend().port, make_certificate(run.servers.folder))
    variants = [Variant(program.name, program, scheme="https") for program in programs]
    return _rows(run, "tls-keepalive", f"{MICROSECONDS}, HTTP/1.1 over TLS", variants, KEEPALIVE_GOALS)


def h2(run):
    programs = _programs(run, run.servers.backend().port, make_certificate(run.servers.folder))
    variants = [HTTP2Variant(program.name, program) for program in programs]
    return _rows(run, "h2", f"{MICROSECONDS}, HTTP/2 over TLS", variants, HTTP2_GOALS)


def h2c(run):
    # nginx 1.22 speaks either HTTP/1.1 or HTTP/2 on a port in clear, so it is not asked.
    backend_port = run.servers.backend().port
    peers = filter(None, [run.servers.h2o(backend_port), run.servers.haproxy(backend_port)])
    variants = [
        HTTP2Variant(program.name, program, scheme="http")
        for program in [*peers, run.servers.catraca(backend_port).program]]
    return _rows(run, "h2c", f"{MICROSECONDS}, HTTP/2 in clear", variants, {})


def tls_big(run, count=1 << 30):
    backend = BulkBackend()
    try:
        programs = _programs(run, backend.port, make_certificate(run.servers.folder))
        return transfer_rows("tls-big", programs, "down", count, BIG_GOAL, client_context())
    finally:
        backend.stop()


def tls_idle(run, count=5000):
    programs = _programs(run, run.servers.backend().port, make_certificate(run.servers.folder))
    for program in programs:
        shake_hands(program.port, 1)
    return idle_rows("tls-idle", programs, count, IDLE_GOAL, client_context())


SECURE_CASES = {
    "tls-handshake": (tls_handshake, "full and resumed handshakes, ECDSA and RSA"),
    "tls-keepalive": (tls_keepalive, "small GETs over kept TLS connections"),
    "h2": (h2, "HTTP/2 over TLS, 8 connections with 32 streams each"),
    "h2c": (h2c, "the same in clear"),
    "tls-big": (tls_big, "1 GiB down over TLS"),
    "tls-idle": (tls_idle, "memory of 5,000 idle TLS connections"),
}
