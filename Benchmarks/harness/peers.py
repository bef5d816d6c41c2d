"""h2o and HAProxy as proxies, where Debian has put them: one thread each, on the same backend as the others."""

import os
import shutil

SEARCHED = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
H2O = shutil.which("h2o", path=SEARCHED)
HAPROXY = shutil.which("haproxy", path=SEARCHED)

# The private key stays in the process, as it does with the others (neverbleed), and no response of OCSP is asked for.
H2O_FILE = """
user: {user}
num-threads: 1
max-connections: 12000
pid-file: {folder}/h2o.pid
error-log: {folder}/h2o.error.log
http1-request-timeout: 300
http2-idle-timeout: 300
listen:
  host: 127.0.0.1
  port: {port}{secure}
hosts:
  default:
    paths:
      /:
        proxy.reverse.url: http://127.0.0.1:{backend}/
        proxy.preserve-host: ON
        proxy.timeout.keepalive: 300000
"""

H2O_SECURE = """
  ssl:
    certificate-file: {certificate}
    key-file: {certificate}
    ocsp-update-interval: 0
    neverbleed: OFF
"""

HAPROXY_FILE = """
global
  maxconn 5500
  nbthread 1
  tune.idle-pool.shared off
defaults
  mode http
  option http-keep-alive
  option forwardfor
  http-reuse always
  timeout connect 2s
  timeout client 300s
  timeout server 300s
  timeout http-request 10s
frontend proxy
  bind 127.0.0.1:{port} backlog 4096{secure}
  default_backend app
backend app
  server one 127.0.0.1:{backend} pool-max-conn 256
"""

HAPROXY_SECURE = " ssl crt {certificate} alpn h2,http/1.1"


def h2o_file(folder, port, backend, certificate):
    secure = H2O_SECURE.format(certificate=certificate).rstrip() if certificate else ""
    return H2O_FILE.format(
        user="root" if os.geteuid() == 0 else "~", folder=folder, port=port, backend=backend, secure=secure)


def haproxy_file(port, backend, certificate):
    secure = HAPROXY_SECURE.format(certificate=certificate) if certificate else ""
    return HAPROXY_FILE.format(port=port, backend=backend, secure=secure)
