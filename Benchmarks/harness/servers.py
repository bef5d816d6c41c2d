"""The servers of a run: backends, Catraca and the proxies beside it, on loopback. Files in one folder; all of them end."""

import json
import os
import random
import re
import shutil
import subprocess
import uuid

import envoy
import lua
import peers
from handshakes import client_context
from load import FOLDER
from processes import Program, fetch, free_port
from task import CONNECTIONS_MAX, IDLE_SECONDS, Setup

SEARCHED = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Where Benchmarks/run puts what no package of the system has.
BUILT = os.path.join(ROOT, ".build", "bench")

NAMES = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Barbara Liskov", "Edsger Dijkstra", "Radia Perlman"]
PLENTY = "requests: 1000000, per: 1s"
BODY = "x" * 99 + "\n"
JSON_BYTES = 10 << 10
FILES = {"64k": 64 << 10, "1m": 1 << 20}


def find(name):
    """The path of a program; None where it is not installed."""
    return shutil.which(name, path=f"{SEARCHED}:{BUILT}/envoy/bin")


def find_peer(name):
    """The same of a proxy under comparison; with PEERS=new that of the newer system in a folder comes first."""
    newer = shutil.which(name, path=f"{BUILT}/new/bin") if os.environ.get("PEERS") == "new" else None
    return newer or find(name)


def compiled(name):
    """The path of a program of ours in C, built from its source in load/."""
    os.makedirs(BUILT, exist_ok=True)
    program = os.path.join(BUILT, name)
    subprocess.run(["cc", "-O2", "-o", program, os.path.join(FOLDER, f"{name}.c"), "-lm"], check=True)
    return program


# The text of each one's configuration, the command that runs it (a file comes last), and the switch that tells its
# version.
PEERS = {
    "nginx": (peers.nginx, ["-c"], "-v"),
    "haproxy": (peers.haproxy, ["-db", "-f"], "-v"),
    "h2o": (peers.h2o, ["-c"], "-v"),
    "caddy": (peers.caddy, ["run", "--adapter", "caddyfile", "--config"], "version"),
    "envoy": (envoy.envoy, ["--disable-hot-restart", "-l", "error", "-c"], "--version"),
    "nghttpx": (peers.nghttpx, ["--conf"], "--version"),
}
# Not in every case, and by another name than their program's.
GUESTS = {
    "nginx-lua": ("nginx", lua.nginx_lua, ["-c"]),
}


class Servers:
    """Starts servers, keeps their files in one folder, ends all of them."""

    def __init__(self, folder, binary, descriptors, workers=1):
        self.folder = folder
        self.binary = binary
        self.descriptors = descriptors
        self.workers = workers
        self.running = []
        os.makedirs(os.path.join(folder, "files"))
        for name, size in FILES.items():
            with open(os.path.join(folder, "files", name), "wb") as file:
                file.write(b"x" * (size - 1) + b"\n")
        with open(os.path.join(folder, "files", "json"), "w", encoding="ascii") as file:
            file.write(_orders(JSON_BYTES))

    def stop_all(self):
        while self.running:
            self.running.pop().stop()

    def path(self, name):
        return os.path.join(self.folder, name)

    def _write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def _start(self, name, command, port, **ready):
        # Whatever a program keeps for its user, it keeps in this folder.
        environment = {**os.environ, "HOME": self.folder, "XDG_DATA_HOME": self.folder, "XDG_CONFIG_HOME": self.folder}
        if name.startswith("caddy"):
            environment["GOMAXPROCS"] = str(self.workers)
        program = Program(name, command, port, self.path(f"{name}.log"), environment=environment, **ready)
        self.running.append(program)
        return program

    def setup(self, **options):
        """A setup with a backend of its own, unless it is given one."""
        backend = options.pop("backend", None) or self.backend(options.get("servers", 1)).port
        return Setup(backend=backend, workers=self.workers, **options)

    def backend(self, servers=1):
        port = free_port()
        text = peers.backend(self.folder, port, BODY, self.workers, self.descriptors, servers)
        return self._start("backend", [find("nginx"), "-p", self.folder, "-c", self._write("backend.conf", text)], port)

    def grpc_backend(self):
        """Echoes the bodies of POSTs over HTTP/2 in clear, with the trailer of a call that went well. None without nghttpd."""
        if not find("nghttpd"):
            return None
        port = free_port()
        command = [
            find("nghttpd"), "--no-tls", "--echo-upload", "--trailer", "grpc-status: 0", "-n", str(self.workers),
            "-a", "127.0.0.1", "-d", self.folder, str(port)]
        return self._start("grpc-backend", command, port, asks=False)

    def redis(self):
        """Keeps nothing on disk. None where it is not installed."""
        if not find("redis-server"):
            return None
        port = free_port()
        command = [
            find("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", self.folder]
        return self._start("redis", command, port, asks=False)

    def peer(self, name, setup, variant=None, **options):
        """One of the proxies under comparison; None where it is not installed or does not know the work."""
        if name in GUESTS:
            program, make, arguments = GUESTS[name]
        else:
            program, (make, arguments, _) = name, PEERS[name]
        binary = find_peer(program)
        port = free_port()
        text = binary and make(setup, self.folder, port, self.descriptors, **options)
        if not text:
            return None
        file = self._write(f"{variant or name}.{'json' if name == 'envoy' else 'conf'}", text)
        command = [binary, *arguments, file]
        if name.startswith("nginx"):
            command[1:1] = ["-p", self.folder]
        if name == "envoy":
            command += ["--concurrency", str(setup.workers)]
        return self._start(
            variant or name, command, port, context=_context(setup.certificate), asks=not setup.grpc)

    def relay(self, name, setup):
        """What only passes bytes on, in one thread however many the others have."""
        port = free_port()
        return self._start(name, [compiled("relay"), str(port), str(setup.backend)], port)

    def all(self, setup):
        """Catraca and every proxy beside it that is there and knows the work."""
        return [self.catraca(setup).program, *filter(None, (self.peer(name, setup) for name in PEERS))]

    def catraca(self, setup, name="catraca", under=(), token_cache=None):
        """`under` is a command that runs the gateway and looks at it; without `token_cache` it has the default."""
        gateway = Catraca(self.path(f"{name}.yaml"), setup, token_cache)
        gateway.write()
        command = [*under, self.binary, "run", gateway.path]
        gateway.program = self._start(
            name, command, gateway.port, context=_context(setup.certificate), asks=not setup.grpc)
        return gateway


def _orders(byte_count):
    """A list as an application answers it: the same members again and again, values of all kinds."""
    chance, rows = random.Random(10), []
    while len(json.dumps(rows)) < byte_count:
        rows.append({
            "id": str(uuid.UUID(int=chance.getrandbits(128))), "number": len(rows) + 1, "customer": chance.choice(NAMES),
            "total": round(chance.uniform(1, 500), 2), "currency": "EUR", "paid": chance.random() < 0.5,
            "created_at": f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T{chance.randint(0, 23):02}:00:00Z"})
    return json.dumps(rows)


def _context(certificate):
    return client_context() if certificate else None


class Catraca:
    """One gateway: its file, its ports, its process."""

    def __init__(self, path, setup, token_cache):
        self.path = path
        self.setup = setup
        self.token_cache = token_cache
        self.port = free_port()
        self.admin_port = free_port()
        self.program = None

    def write(self, upstream="backend"):
        """(Re)writes gateway.conf whole, by renaming, so that a reload never sees half of it."""
        setup = self.setup
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(
                f"workers: {setup.workers}\n"
                f"listeners:\n  - address: 127.0.0.1:{self.port}\n{self._secure()}"
                f"admin: {{ address: 127.0.0.1:{self.admin_port} }}\n"
                f"access_log: {self._access_log()}\n{self._traces()}"
                f"limits: {{ body_size: 4GiB, idle_timeout: {IDLE_SECONDS}s, connections: {CONNECTIONS_MAX}"
                f"{f', token_cache: {self.token_cache}' if self.token_cache else ''} }}\n"
                f"{self._issuers()}{self._keys()}{self._lists()}{self._rules(upstream)}"
                f"upstreams:\n  {upstream}:\n    servers: [{', '.join(setup.server_addresses())}]\n"
                f"    idle_connections: {setup.upstream_connections}\n{'    protocol: http2' if setup.grpc else ''}\n"
                "routes:\n"
                f"  - {{ name: all, path: /*, auth: public, upstream: {upstream}{self._compress()} }}\n"
                f"{self._guarded(upstream)}{self._passed(upstream)}{self._listed(upstream)}{self._ruled(upstream)}")
            file.writelines(
                f"  - {{ path: {path}*, auth: public, upstream: {upstream} }}\n" for path in setup.service_paths())
        os.rename(self.path + ".new", self.path)

    def _secure(self):
        certificate = self.setup.certificate
        return (
            f"    tls: {{ certificates: [{{ certificate: {certificate}, key: {certificate} }}] }}\n" if certificate else "")

    def _compress(self):
        return ", compress: { algorithms: [gzip] }" if self.setup.gzip else ""

    def _access_log(self):
        folder = os.path.dirname(self.path)
        return f"{{ path: {folder}/catraca.access.log, format: combined }}" if self.setup.access_log else "off"

    def _traces(self):
        traces = self.setup.traces
        return (
            f"traces: {{ endpoint: 'http://127.0.0.1:{traces.collector}', sample: {traces.percent}%, queue: 65536 }}\n"
            if traces else "")

    def _issuers(self):
        tokens, passes = self.setup.tokens, self.setup.passes
        if not tokens:
            return ""
        revocation = f", revocation: {{ denylist: {passes.denylist_path} }}" if passes and passes.denylist_path else ""
        opaque = (
            f"  opaque:\n    issuer: opaque\n    audiences: [{tokens.audience}]\n    discovery: false\n"
            f"    introspection: {{ endpoint: 'http://127.0.0.1:{self.setup.backend}/introspect', client_id: gateway, "
            "client_secret: a-secret-of-the-bench }\n" if passes else "")
        return (
            f"issuers:\n  login: {{ issuer: '{tokens.issuer}', audiences: [{tokens.audience}], "
            f"jwks: {tokens.key_set_path}, algorithms: [{tokens.algorithm}]{revocation} }}\n{opaque}")

    def _keys(self):
        passes = self.setup.passes
        return f"api_keys:\n  keyed: {{ file: {passes.api_keys_path} }}\n" if passes and passes.api_keys_path else ""

    def _guarded(self, upstream):
        return self._asking("guarded", "/orders/*", "issuers: [login]", upstream) if self.setup.tokens else ""

    def _passed(self, upstream):
        passes = self.setup.passes
        if not passes:
            return ""
        return self._asking("opaque", "/opaque/*", "issuers: [opaque]", upstream) + (
            self._asking("keyed", "/keyed/*", "api_keys: [keyed]", upstream) if passes.api_keys_path else "")

    def _asking(self, name, path, who, upstream):
        """A route that asks for the scope, and tells the upstream who calls."""
        return (
            f"  - name: {name}\n    path: {path}\n    upstream: {upstream}\n"
            f"    auth: {{ {who}, scopes: ['{self.setup.tokens.scope}'] }}\n"
            "    identity: { headers: { X-User-Id: sub, X-User-Email: email, X-Org: org.id } }\n")

    def _lists(self):
        """Redis, and what is kept there. No request of a run is over a limit."""
        store = self.setup.store
        if not store:
            return ""
        kinds = {"memory": "store: memory", "kept": "store: main", "asked": "store: main, cache: 0s"}
        return (
            f"redis:\n  main: {{ servers: ['127.0.0.1:{store.port}'], timeout: 2s }}\n"
            "rate_limits:\n"
            f"  local: {{ {PLENTY} }}\n  exact: {{ {PLENTY}, store: main }}\n"
            f"  leased: {{ {PLENTY}, store: main, lease: 20 }}\n"
            + ("secrets: [0123456789abcdef0123456789abcdef]\nsessions:\n" if store.sessions else "")
            + "".join(
                f"  {name}: {{ {kinds[name]}, cookie: {{ name: __Host-{name} }}, "
                f"exchange: {{ path: /session/{name}, issuers: [login] }} }}\n" for name in store.sessions))

    def _listed(self, upstream):
        """A route for each limit, and for each kind of session one that asks the same of it as the guarded one of a token,
        and one that the gateway answers."""
        store = self.setup.store
        if not store:
            return ""
        return "".join(
            f"  - {{ path: /{name}, auth: public, rate_limit: {name}, upstream: {upstream} }}\n"
            for name in ("local", "exact", "leased")
        ) + "".join(
            self._asking(f"listed-{name}", f"/{name}/orders/*", f"sessions: [{name}]", upstream) +
            f"  - {{ path: /{name}/here, auth: {{ sessions: [{name}] }}, respond: {{ status: 200, body: known }} }}\n"
            for name in store.sessions)

    def _rules(self, upstream):
        if not (self.setup.rules and self.setup.tokens):
            return ""
        folder = self.path + ".keys"
        if not os.path.exists(folder):
            os.mkdir(folder, 0o700)
            subprocess.run(
                ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{folder}/1.pem"],
                check=True, capture_output=True)
        return (
            f"services:\n  policy: {{ upstream: {upstream}, cache: {{ for: 1h }} }}\n"
            f"assertions:\n  internal: {{ issuer: 'https://gateway.example.com', keys: {folder}, lifetime: 1h }}\n")

    def _ruled(self, upstream):
        setup = self.setup
        if not setup.rules:
            return ""
        ways = {
            "shadow": ("mode: shadow", "", ""),
            "signed": ("mode: enforce", ", assertion: { name: internal, header: X-Assertion, audience: orders }", ""),
            "asked": ("mode: enforce", "", "    authorize: { service: policy }\n")}
        return (
            f"  - {{ path: /post, auth: public, upstream: {upstream} }}\n"
            f"  - {{ path: /graphql, auth: public, upstream: {upstream}, graphql: {{ max_root_fields: 100 }} }}\n"
        ) + "".join(
            f"  - path: /{name}/orders/*\n    upstream: {upstream}\n{rule}"
            f"    auth: {{ issuers: [login], scopes: ['{setup.tokens.scope}'], {mode} }}\n"
            f"    identity: {{ headers: {{ X-User-Id: sub, X-User-Email: email, X-Org: org.id }}{identity} }}\n"
            for name, (mode, identity, rule) in ways.items() if setup.tokens)

    def metric(self, name, **labels):
        """The sum of a counter's lines that bear these labels, read from the admin listener."""
        total = 0.0
        for line in fetch(self.admin_port, "/metrics").decode("utf-8", "replace").splitlines():
            key, _, value = line.rpartition(" ")
            if key == name or key.startswith(name + "{"):
                if all(f'{label}="{wanted}"' in key for label, wanted in labels.items()):
                    total += float(value)
        return total


def versions():
    """What each of the proxies says of its version; those that are not installed are named as left out."""
    said = []
    for name, (_, _, switch) in PEERS.items():
        binary = find_peer(name)
        if not binary:
            said.append(f"no {name} here: left out")
            continue
        done = subprocess.run([binary, switch], capture_output=True, text=True, check=False)
        version = re.search(r"\d+\.\d+\.\d+[-+.\w]*", done.stdout + done.stderr)
        said.append(f"{name} {version[0] if version else '?'}")
    return said
