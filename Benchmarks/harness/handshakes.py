"""TLS handshakes, one after the other, each on a connection of its own and each known to be full or resumed."""

import contextlib
import socket
import ssl
import time

from processes import connect


def shake_hands(port, seconds, resumes=False, version=ssl.TLSVersion.TLSv1_3):
    """Returns (handshakes done, how many of them were not of the kind that was asked for)."""
    context = client_context(version)
    session = _session(port, context) if resumes else None
    done = wrong = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with connect(port, context, session=session) as secure:
            done += 1
            wrong += secure.session_reused != resumes
            _say_goodbye(secure)
    return done, wrong


def client_context(version=None):
    """A client that believes any certificate: what it would verify is not what is measured."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def _session(port, context):
    """What a session can be resumed with. With TLS 1.3 it comes behind the handshake: an answer is read first."""
    with connect(port, context) as secure:
        secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while secure.recv(65536):
            pass
        return secure.session


def _say_goodbye(secure):
    """Says that this is all, and waits for the server's end, so that it has done all of its part."""
    secure.setblocking(False)
    with contextlib.suppress(OSError):
        secure.unwrap()
    secure.shutdown(socket.SHUT_WR)
    secure.settimeout(10)
    while secure.recv(65536):
        pass
