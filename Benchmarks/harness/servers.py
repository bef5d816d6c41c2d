"""The servers of a run: the backend, nginx, h2o and HAProxy as proxies, and Catraca. One worker each, on loopback."""

import os
import shutil

from handshakes import client_context
from peers import H2O, HAPROXY, h2o_file, haproxy_file
from processes import Program, fetch, free_port

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
BODY = "x" * 99 + "\n"

NGINX_FRAME = """
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile {descriptors};
pid {folder}/{name}.pid;
error_log {folder}/{name}.error.log warn;
events {{ worker_connections 12000; multi_accept on; }}
http {{
  client_body_temp_path {folder}/{name}-body;
  proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-fastcgi;
  uwsgi_temp_path {folder}/{name}-uwsgi;
  scgi_temp_path {folder}/{name}-scgi;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  server_tokens off;
  keepalive_timeout 300s;
  keepalive_requests 100000000;
  {http}
}}
"""

BACKEND = """
  access_log off;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ default_type text/plain; return 200 "{body}"; }}
  }}
"""

PROXY = """
  log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                  '"$http_referer" "$http_user_agent" $request_time $upstream_response_time';
  access_log {log};
  upstream backend {{
    server 127.0.0.1:{backend};
    keepalive 256;
    keepalive_requests 100000000;
    keepalive_timeout 300s;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096{secure};
    client_max_body_size 4g;
    client_header_timeout 10s;
    location / {{
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $host;
      proxy_request_buffering {request_buffering};
      proxy_max_temp_file_size 0;
      proxy_connect_timeout 2s;
      proxy_read_timeout 30s;
    }}
  }}
"""


class Servers:
    """Starts servers, keeps their files in one folder, ends all of them."""

    def __init__(self, folder, binary, descriptors):
        self.folder = folder
        self.binary = binary
        self.descriptors = descriptors
        self.running = []

    def stop_all(self):
        while self.running:
            self.running.pop().stop()

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _add(self, program):
        self.running.append(program)
        return program

    def _nginx(self, name, port, http, **ready):
        configuration = self._path(f"{name}.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            user = "user root;" if os.geteuid() == 0 else ""
            file.write(NGINX_FRAME.format(
                user=user, folder=self.folder, name=name, http=http, descriptors=self.descriptors))
        command = [NGINX, "-p", self.folder, "-c", configuration]
        return self._add(Program(name, command, port, self._path(f"{name}.log"), **ready))

    def backend(self):
        port = free_port()
        return self._nginx("backend", port, BACKEND.format(port=port, body=BODY.replace("\n", "\\n")))

    def nginx(self, backend_port, access_log="off", streams_requests=False, certificate=None):
        """nginx as the proxy under comparison; with a certificate over TLS, with HTTP/2 and HTTP/1.1."""
        port = free_port()
        secure = (
            f" ssl http2;\n    ssl_certificate {certificate};\n    ssl_certificate_key {certificate};\n"
            "    ssl_protocols TLSv1.2 TLSv1.3" if certificate else "")
        return self._nginx("nginx", port, PROXY.format(
            port=port, backend=backend_port, log=access_log, secure=secure,
            request_buffering="off" if streams_requests else "on"), context=_context(certificate))

    def h2o(self, backend_port, certificate=None):
        """None where there is no h2o."""
        port = free_port()
        return H2O and self._peer("h2o", [H2O, "-c"], port, certificate, h2o_file(
            self.folder, port, backend_port, certificate))

    def haproxy(self, backend_port, certificate=None):
        """None where there is no HAProxy."""
        port = free_port()
        return HAPROXY and self._peer("haproxy", [HAPROXY, "-db", "-f"], port, certificate, haproxy_file(
            port, backend_port, certificate))

    def _peer(self, name, command, port, certificate, text):
        configuration = self._path(f"{name}.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(text)
        return self._add(Program(
            name, [*command, configuration], port, self._path(f"{name}.log"), context=_context(certificate)))

    def catraca(self, backend_port, name="catraca", certificate=None, **parts):
        """Catraca with a public route for everything, and what `Catraca.write` takes besides."""
        gateway = Catraca(self._path(f"{name}.yaml"), certificate)
        gateway.write(backend_port, **parts)
        command = [self.binary, "run", gateway.path]
        gateway.program = self._add(Program(
            name, command, gateway.port, self._path(f"{name}.log"), context=_context(certificate)))
        return gateway


def _context(certificate):
    return client_context() if certificate else None


class Catraca:
    """One gateway: its file, its ports, its process."""

    def __init__(self, path, certificate=None):
        self.path = path
        self.certificate = certificate
        self.port = free_port()
        self.admin_port = free_port()
        self.program = None

    def write(self, backend_port, access_log="off", issuers="", routes="", extra_routes=0, upstream="backend"):
        """(Re)writes gateway.conf whole, by renaming, so that a reload never sees half of it. `issuers` and `routes` are
        YAML, routes two spaces in."""
        extra = "".join(
            f"  - {{ path: /service-{number}/*, auth: public, upstream: {upstream} }}\n" for number in range(extra_routes))
        secure = (
            f"    tls: {{ certificates: [{{ certificate: {self.certificate}, key: {self.certificate} }}] }}\n"
            if self.certificate else "")
        text = (
            "workers: 1\n"
            f"listeners:\n  - address: 127.0.0.1:{self.port}\n{secure}"
            f"admin: {{ address: 127.0.0.1:{self.admin_port} }}\n"
            f"access_log: {access_log}\n"
            "limits: { body_size: 4GiB, idle_timeout: 5m }\n"
            f"{issuers}"
            f"upstreams:\n  {upstream}: {{ servers: [127.0.0.1:{backend_port}] }}\n"
            "routes:\n"
            f"  - {{ name: all, path: /*, auth: public, upstream: {upstream} }}\n"
            f"{routes}{extra}")
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(self.path + ".new", self.path)

    def metric(self, name, **labels):
        """The sum of a counter's lines that bear these labels, read from the admin listener."""
        total = 0.0
        for line in fetch(self.admin_port, "/metrics").decode("utf-8", "replace").splitlines():
            key, _, value = line.rpartition(" ")
            if key == name or key.startswith(name + "{"):
                if all(f'{label}="{wanted}"' in key for label, wanted in labels.items()):
                    total += float(value)
        return total
