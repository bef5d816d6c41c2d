"""From exec to ready: a configuration of any number of routes, and what the gateway takes to be ready with it.
`python3 Benchmarks/harness/start.py BINARY` prints times and memory for ten, 1,000 and 10,000 routes."""

import contextlib
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HOSTS = ["api.example.com", "admin.example.com", '"*.tenants.example.com"', "shop.example.org"]
# By turns: what a route has besides its path and upstream. With {area} in the path each is different.
ROUTES = [
    "path: /v1/orders-{area}/*\n    auth: login",
    "path: /v1/customers-{area}/{{id}}\n    methods: [GET, HEAD]\n"
    "    auth: {{ issuers: [login], scopes: [customers:read] }}",
    "path: /v1/invoices-{area}/{{id}}\n    methods: [POST, PUT, DELETE]\n"
    "    auth:\n      issuers: [login]\n      scopes: [invoices:write]",
    "path: /v1/products-{area}/*\n    rewrite: {{ strip_prefix: /v1 }}\n    auth: login",
    "path: /v1/shipments-{area}\n    auth: public",
    "path: /v1/reports-{area}/{{year}}/{{month}}\n    name: reports-{area}\n"
    "    auth:\n      issuers: [login]\n      scopes: [reports:read]\n"
    "      claims:\n        department: [finance, audit]\n"
    "    request_headers:\n      set:\n        X-Area: \"{area}\"",
    "path: /v1/users-{area}/*\n    methods: [GET, HEAD, POST]\n    auth: login\n"
    "    cors:\n      origins: [https://app.example.com]",
    "path: /v1/teams-{area}/files/*\n    auth: login\n    response_headers:\n      remove: [Server, X-Powered-By]",
    "path: /v1/devices-{area}/*\n    auth: {{ issuers: [login] }}\n    rate_limit: per-client",
]
TOP = """# A gateway with many routes.
workers: 1
listeners: [{ address: "127.0.0.1:${PORT:-0}" }]
issuers:
  login:
    issuer: https://login.example.com
    audiences: [api]
    jwks:
      keys:
        - kty: EC
          crv: P-256
          kid: "1"
          x: f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU
          y: x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0
rate_limits:
  per-client: { requests: 100, per: 1s, by: client_ip }
upstreams:
"""


def configuration(count):
    """A file as an operator writes one: hosts, paths, methods, scopes and header rules in some order."""
    lines = [TOP]
    lines += [
        f"  service-{n}:\n    servers: [127.0.0.1:{9000 + n}, 127.0.0.1:{9100 + n}]\n" for n in range(len(ROUTES))]
    lines.append("routes:\n")
    for number in range(count):
        kind, area = number % (len(ROUTES) + 1), number // (len(ROUTES) + 1)
        host = HOSTS[number % len(HOSTS)]
        if kind == len(ROUTES):
            lines.append(
                f"  # These have moved.\n  - path: /v1/old-{area}\n    host: {host}\n    auth: public\n"
                f"    redirect: {{ to: https://new.example.com/{area} }}\n")
        else:
            lines.append(f"  - {ROUTES[kind].format(area=area)}\n    host: {host}\n    upstream: service-{kind}\n")
    return "".join(lines)


@contextlib.contextmanager
def started(command, count):
    """Runs `command … run FILE` with so many routes. Gives the process when it is ready, and the time until then."""
    folder = tempfile.mkdtemp(prefix="catraca-start-")
    try:
        file = os.path.join(folder, "gateway.conf")
        with open(file, "w", encoding="utf-8") as text:
            text.write(configuration(count))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as readiness:
            readiness.bind(os.path.join(folder, "ready"))
            readiness.settimeout(600)
            # The same hashes in each run.
            environment = {**os.environ, "NOTIFY_SOCKET": readiness.getsockname(), "SWIFT_DETERMINISTIC_HASHING": "1"}
            begin = time.monotonic()
            process = subprocess.Popen(
                [*command, "run", file], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                while b"READY=1" not in readiness.recv(4096):
                    pass
                yield process, time.monotonic() - begin
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measured(binary, count):
    """Milliseconds until it is ready, those of CPU time among them, and KB of its memory."""
    with started([binary], count) as (process, seconds):
        tasks = f"/proc/{process.pid}/task"
        cpu = 0
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/schedstat", encoding="ascii") as text:
                cpu += int(text.read().split()[0])
        with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as text:
            memory = next(int(line.split()[1]) for line in text if line.startswith("Pss:"))
    return seconds * 1e3, cpu / 1e6, memory


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for count in (10, 1_000, 10_000):
        rounds = [measured(sys.argv[1], count) for _ in range(10)]
        ready, cpu, memory = (statistics.median(column) for column in zip(*rounds))
        print(f"{count:>6,} routes: ready in {ready:.1f} ms (at best {min(rounds)[0]:.1f}), {cpu:.1f} ms of CPU time, "
              f"{memory / 1024:.1f} MB PSS")


if __name__ == "__main__":
    main()
