"""nginx, HAProxy, h2o and Caddy as proxies: each a function of a setup that returns the text of its configuration, or None
for work that it does not know. Set as one would run them, with nothing left out that the others do."""

import os

from passes import introspection_answer
from task import CONNECTIONS_MAX, IDLE_SECONDS, hosts

NGINX_FRAME = """
{user}
daemon off;
worker_processes {workers};
worker_rlimit_nofile {descriptors};
pid {folder}/{name}.pid;
error_log {folder}/{name}.error.log warn;
events {{ worker_connections {connections}; multi_accept on; }}
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
  keepalive_timeout {idle}s;
  keepalive_requests 100000000;
  {http}
}}
"""

# /upload reads the whole body before it answers, as an application does.
BACKEND = """
  access_log off;
  server {{
    {listen}
    location / {{ default_type text/plain; return 200 "{body}"; }}
    location = /introspect {{ default_type application/json; return 200 '{answer}'; }}
    location /files/ {{ root {folder}; default_type application/octet-stream; }}
    location /files/json {{ root {folder}; default_type application/json; }}
    location /upload {{
      client_max_body_size 4m;
      client_body_buffer_size 2m;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_pass http://127.0.0.1:{port}/;
    }}
  }}
"""

NGINX_PROXY = """
  log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                  '"$http_referer" "$http_user_agent" $request_time $upstream_response_time';
  access_log {log};
  {gzip}
  upstream backend {{
    {servers}
    keepalive {upstream_connections};
    keepalive_requests 100000000;
    keepalive_timeout {idle}s;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096{listen};
    {secure}
    client_max_body_size 4g;
    client_header_timeout 10s;
    {kind}_set_header Host $host;
    {kind}_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    {kind}_set_header X-Forwarded-Proto $scheme;
    {kind}_set_header X-Forwarded-Host $host;
    {kind}_connect_timeout 2s;
    {kind}_read_timeout 30s;
    {plain}
    {locations}
  }}
"""

# Bodies pass as they come, as they do with the others. No temporary files.
NGINX_PLAIN = """
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_request_buffering off;
    proxy_buffers 16 16k;
    proxy_max_temp_file_size 0;
"""


def nginx_frame(folder, name, http, workers, descriptors):
    return NGINX_FRAME.format(
        user="user root;" if os.geteuid() == 0 else "", folder=folder, name=name, http=http, workers=workers,
        descriptors=descriptors, connections=2 * CONNECTIONS_MAX, idle=IDLE_SECONDS)


def backend(folder, port, body, workers, descriptors, servers=1):
    listen = "\n    ".join(f"listen {host}:{port} backlog=4096 reuseport;" for host in hosts(servers))
    http = BACKEND.format(port=port, listen=listen, folder=folder, body=body.replace("\n", "\\n"), answer=introspection_answer())
    return nginx_frame(folder, "backend", http, workers, descriptors)


def nginx(setup, folder, port, descriptors):
    if setup.tokens:
        return None
    kind = "grpc" if setup.grpc else "proxy"
    target = "grpc_pass grpc://backend;" if setup.grpc else "proxy_pass http://backend;"
    listen = (" ssl" if setup.certificate else "") + (" http2" if setup.certificate or setup.grpc else "")
    if setup.workers > 1:
        listen += " reuseport"
    secure = (
        f"ssl_certificate {setup.certificate}; ssl_certificate_key {setup.certificate};"
        " ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:10m;" if setup.certificate else "")
    http = NGINX_PROXY.format(
        port=port, servers="\n    ".join(f"server {address};" for address in setup.server_addresses()), listen=listen,
        secure=secure, kind=kind, plain="" if setup.grpc else NGINX_PLAIN, idle=IDLE_SECONDS,
        upstream_connections=setup.upstream_connections,
        gzip="gzip on; gzip_proxied any; gzip_types application/json;" if setup.gzip else "",
        log=f"{folder}/nginx.access.log main buffer=64k flush=1s" if setup.access_log else "off",
        locations="\n    ".join(f"location {path} {{ {target} }}" for path in ["/", *setup.service_paths()]))
    return nginx_frame(folder, "nginx", http, setup.workers, descriptors)


HAPROXY_FILE = """
global
  maxconn {connections}
  no strict-limits
  nbthread {workers}
  {shared}
defaults
  mode http
  option http-keep-alive
  option forwardfor
  http-reuse always
  timeout connect 2s
  timeout client {idle}s
  timeout server {idle}s
  timeout http-request 10s
frontend proxy
  bind 127.0.0.1:{port} backlog 4096{bind}
  http-request set-header X-Forwarded-Proto {scheme}
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
{tokens}{routes}  default_backend app
backend app
{gzip}{servers}
"""

# As HAProxy's documentation shows it, with a check of every claim that the others check.
HAPROXY_TOKENS = """  acl guarded path_beg /orders/
  http-request set-var(txn.bearer) http_auth_bearer if guarded
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg') if guarded
  http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int') if guarded
  http-request set-var(txn.iss) var(txn.bearer),jwt_payload_query('$.iss') if guarded
  http-request set-var(txn.aud) var(txn.bearer),jwt_payload_query('$.aud[0]') if guarded
  http-request set-var(txn.scope) var(txn.bearer),jwt_payload_query('$.scope') if guarded
  http-request set-var(txn.now) date() if guarded
  http-request deny deny_status 401 if guarded !{{ var(txn.alg) -m str {algorithm} }}
  http-request deny deny_status 401 if guarded !{{ var(txn.iss) -m str {issuer} }}
  http-request deny deny_status 401 if guarded !{{ var(txn.aud) -m str {audience} }}
  http-request deny deny_status 401 if guarded !{{ var(txn.exp) -m found }}
  http-request deny deny_status 401 if guarded {{ var(txn.exp),sub(txn.now) -m int lt 0 }}
  http-request deny deny_status 401 if guarded !{{ var(txn.bearer),jwt_verify(txn.alg,"{key}") 1 }}
  http-request deny deny_status 403 if guarded !{{ var(txn.scope) -m sub {scope} }}
  http-request set-header X-User-Id %[var(txn.bearer),jwt_payload_query('$.sub')] if guarded
  http-request set-header X-User-Email %[var(txn.bearer),jwt_payload_query('$.email')] if guarded
  http-request set-header X-Org %[var(txn.bearer),jwt_payload_query('$.org.id')] if guarded
"""


def haproxy(setup, folder, port, _):
    if setup.tokens and setup.tokens.algorithm == "EdDSA":
        return None
    routes = ""
    if setup.routes:
        with open(f"{folder}/routes.map", "w", encoding="ascii") as file:
            file.writelines(f"{path} app\n" for path in setup.service_paths())
        routes = f"  use_backend %[path,map_beg({folder}/routes.map,app)]\n"
    tokens = HAPROXY_TOKENS.format(
        algorithm=setup.tokens.algorithm, issuer=setup.tokens.issuer, audience=setup.tokens.audience,
        scope=setup.tokens.scope, key=setup.tokens.public_key_path) if setup.tokens else ""
    bind = f" ssl crt {setup.certificate} alpn h2,http/1.1" if setup.certificate else " proto h2" if setup.grpc else ""
    if setup.access_log:
        return None  # It logs to a socket or a ring: another one's work.
    return HAPROXY_FILE.format(
        connections=CONNECTIONS_MAX, workers=setup.workers, idle=IDLE_SECONDS, port=port, bind=bind, tokens=tokens,
        routes=routes, servers="\n".join(
            f"  server server-{number} {address} pool-max-conn {setup.upstream_connections}"
            + (" proto h2" if setup.grpc else "") for number, address in enumerate(setup.server_addresses())),
        gzip="  compression algo gzip\n  compression type application/json\n" if setup.gzip else "",
        shared="tune.idle-pool.shared off" if setup.workers == 1 else "",
        scheme="https" if setup.certificate else "http")


# The private key stays in the process, as it does with the others (neverbleed), and no response of OCSP is asked for.
H2O_FILE = """
user: {user}
num-threads: {workers}
max-connections: {connections}
pid-file: {folder}/h2o.pid
error-log: {folder}/h2o.error.log
http1-request-timeout: {idle}
http2-idle-timeout: {idle}
listen:
  host: 127.0.0.1
  port: {port}{secure}
hosts:
  default:
    paths:
{paths}
"""

H2O_SECURE = """
  ssl:
    certificate-file: {certificate}
    key-file: {certificate}
    ocsp-update-interval: 0
    neverbleed: OFF"""

H2O_PATH = """      {path}:
        proxy.reverse.url: http://127.0.0.1:{backend}{path}
        proxy.preserve-host: ON
        proxy.timeout.keepalive: {milliseconds}{gzip}{log}"""


def h2o(setup, folder, port, _):
    # Its version of Debian 12 balances between no servers.
    if setup.tokens or setup.grpc or setup.servers > 1:
        return None
    paths = "\n".join(
        H2O_PATH.format(
            path=path, backend=setup.backend, milliseconds=IDLE_SECONDS * 1000,
            gzip="\n        compress: [gzip]" if setup.gzip else "",
            log=f"\n        access-log: {folder}/h2o.access.log" if setup.access_log else "")
        for path in ["/", *setup.service_paths()])
    return H2O_FILE.format(
        user="root" if os.geteuid() == 0 else "~", workers=setup.workers, connections=CONNECTIONS_MAX, folder=folder,
        idle=IDLE_SECONDS, port=port, paths=paths,
        secure=H2O_SECURE.format(certificate=setup.certificate) if setup.certificate else "")


CADDY_FILE = """
{{
  admin off
  auto_https off
  default_sni localhost
  grace_period 1s
  log {{
    level ERROR
  }}
  servers {{
    protocols {protocols}
    timeouts {{
      read_header 10s
      idle {idle}s
    }}
  }}
}}
{scheme}://:{port} {{
  bind 127.0.0.1
{body}
}}
"""

CADDY_PROXY = """  reverse_proxy {path} {{
    to {backend}
    transport http {{
      keepalive {idle}s
      keepalive_idle_conns_per_host {upstream_connections}
      dial_timeout 2s
      compression off
    }}
    lb_policy round_robin
  }}"""


def caddy(setup, folder, port, _):
    if setup.tokens:
        return None
    target = " ".join(("h2c://" if setup.grpc else "") + address for address in setup.server_addresses())
    body = [
        CADDY_PROXY.format(path=path, backend=target, idle=IDLE_SECONDS, upstream_connections=setup.upstream_connections)
        for path in [*(f"{path}*" for path in setup.service_paths()), ""]]
    if setup.certificate:
        body.insert(0, f"  tls {setup.certificate} {setup.certificate}")
    if setup.gzip:
        body.insert(0, "  encode gzip")
    if setup.access_log:
        body.insert(0, f"  log {{\n    output file {folder}/caddy.access.log\n    level INFO\n  }}")
    return CADDY_FILE.format(
        protocols="h1 h2c" if setup.grpc else "h1 h2", idle=IDLE_SECONDS, port=port, body="\n".join(body),
        scheme="https" if setup.certificate else "http")


NGHTTPX_FILE = """
frontend=127.0.0.1,{port}{frontend}
backend=127.0.0.1,{backend};;{protocol}
workers={workers}
backlog=4096
add-x-forwarded-for=yes
errorlog-file=/dev/null
frontend-keep-alive-timeout={idle}
backend-keep-alive-timeout={idle}
backend-connections-per-frontend=0
max-request-header-fields=200
{secure}
"""


def nghttpx(setup, _, port, __):
    """HTTP/2 is what it is made for."""
    is_known = setup.certificate or setup.grpc
    if not is_known or setup.tokens or setup.gzip or setup.access_log or setup.routes or setup.servers > 1:
        return None
    return NGHTTPX_FILE.format(
        port=port, frontend=";no-tls" if setup.grpc else "", backend=setup.backend, workers=setup.workers,
        protocol="proto=h2" if setup.grpc else "proto=http/1.1", idle=IDLE_SECONDS,
        secure=f"private-key-file={setup.certificate}\ncertificate-file={setup.certificate}" if setup.certificate else "")
