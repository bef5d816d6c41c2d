"""The cases over TLS, HTTP/2 and gRPC, as those of cases.py."""

import struct

from cases import big_sections, idle_section
from certificates import KEYS, make_certificate
from figures import absolute, beside
from handshakes import client_context
from load import HandshakeVariant, HTTP2Variant, Variant

ROOM = "TLS and HTTP/2"


def _programs(run, kind="ECDSA P-256"):
    return run.servers.all(run.servers.setup(certificate=make_certificate(run.servers.folder, kind)))


def tls_handshake(run):
    sections = []
    for kind in KEYS:
        programs = _programs(run, kind)
        parts = []
        kinds = [(False, [beside([], 1.0)]), (True, [beside([], 0.9)])]
        # A resumed session asks for no key: once is enough.
        for resumes, goals in kinds if kind != "RSA-2048" else kinds[:1]:
            variants = [HandshakeVariant(program, resumes=resumes) for program in programs]
            parts.append((
                f"`tls-handshake`: {'resumed' if resumes else 'full'}, {kind}", variants,
                {"goals": goals, "digits": 0}))
        sections += run.sections(ROOM, parts)
        run.servers.stop_all()
    return sections


def tls_keepalive(run):
    variants = [Variant(program, scheme="https") for program in _programs(run)]
    return [run.section(
        ROOM, "`tls-keepalive`: 100 B, HTTP/1.1", variants, calls=True, goals=[beside([], 0.85)])]


def tls_close(run):
    variants = [Variant(program, scheme="https", script="close.lua", connections=8) for program in _programs(run)]
    return [run.section(
        ROOM, "`tls-close`: each request a new connection, full handshakes", variants, calls=True, digits=0,
        goals=[beside(["nginx"], 0.82)])]


def tls_1m(run):
    variants = [Variant(program, scheme="https", path="/files/1m", connections=8) for program in _programs(run)]
    return [run.section(ROOM, "`tls-1m`: 1 MiB answers, HTTP/1.1", variants, goals=[beside([], 1.0)])]


def h2(run):
    variants = [HTTP2Variant(program) for program in _programs(run)]
    return [run.section(
        ROOM, "`h2`: 100 B, HTTP/2 over TLS, upstream HTTP/1.1", variants, calls=True, goals=[beside([], 0.85)])]


def h2_post(run):
    body = run.servers.path("post-body")
    with open(body, "wb") as file:
        file.write(b"x" * 1024)
    variants = [HTTP2Variant(program, arguments=["-d", body]) for program in _programs(run)]
    return [run.section(
        ROOM, "`h2-post`: POSTs of 1 KiB, HTTP/2 over TLS, upstream HTTP/1.1", variants, goals=[beside([], 0.85)])]


def grpc(run):
    backend = run.servers.grpc_backend()
    if not backend:
        return []
    # A message of 100 bytes in gRPC's frame: no compression, its length, itself.
    body = run.servers.path("grpc-message")
    with open(body, "wb") as file:
        file.write(struct.pack(">BI", 0, 100) + b"x" * 100)
    arguments = ["-d", body, "-H", "content-type: application/grpc", "-H", "te: trailers"]
    programs = run.servers.all(run.servers.setup(backend=backend.port, grpc=True))
    variants = [HTTP2Variant(program, scheme="http", path="/echo.Echo/Echo", arguments=arguments) for program in programs]
    return [run.section(ROOM, "`grpc`: echo of 100 B, HTTP/2 in clear on both sides", variants)]


def tls_big(run):
    return big_sections(
        run, "tls-big", ("down",), [beside(["nginx"], 1.15)], make_certificate(run.servers.folder), client_context())


def tls_idle(run):
    count = 200 if run.is_quick else 2_000
    section = idle_section(
        run, f"`tls-idle`: {count:,} connections over TLS", count,
        make_certificate(run.servers.folder), client_context())
    section.goals = [absolute("≤ 40 KB", 40)]
    return [section]


SECURE_CASES = {
    "tls-handshake": (tls_handshake, "full and resumed handshakes, ECDSA and RSA"),
    "tls-keepalive": (tls_keepalive, "small GETs over kept TLS connections"),
    "tls-close": (tls_close, "a new TLS connection for every request"),
    "tls-1m": (tls_1m, "answers of 1 MiB over TLS"),
    "h2": (h2, "HTTP/2 over TLS, 8 connections with 32 streams each; HTTP/1.1 to the upstream"),
    "h2-post": (h2_post, "POSTs of 1 KiB over HTTP/2 and TLS"),
    "grpc": (grpc, "calls of gRPC that echo a message"),
    "tls-big": (tls_big, "1 GiB down over TLS"),
    "tls-idle": (tls_idle, "memory of 2,000 idle TLS connections"),
}
