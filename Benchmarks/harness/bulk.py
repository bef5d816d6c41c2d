"""Large bodies without a disk: a backend that sends and swallows them, and the client's two transfers."""

import contextlib
import multiprocessing
import re
import socket
import threading

from processes import connect

BLOCK = bytes(256 * 1024)


def _serve(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve_one, args=(connection,), daemon=True).start()


def _serve_one(connection):
    # Whether all arrived is the client's to find out. A proxy may let go of its connections as it likes.
    with contextlib.suppress(ConnectionError):
        _converse(connection)


def _converse(connection):
    with connection:
        waiting = b""
        while True:
            head, waiting = _read_head(connection, waiting)
            if head is None:
                return
            length = int((re.search(rb"(?i)\r\ncontent-length: *(\d+)", head) or [0, b"0"])[1])
            _swallow(connection, length - len(waiting))
            waiting = b""
            download = re.match(rb"GET /down/(\d+)", head)
            count = int(download[1]) if download else 3
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                               + f"Content-Length: {count}\r\n\r\n".encode())
            if download:
                _send(connection, count)
            else:
                connection.sendall(b"ok\n")


def _read_head(connection, waiting):
    while b"\r\n\r\n" not in waiting:
        chunk = connection.recv(65536)
        if not chunk:
            return None, b""
        waiting += chunk
    head, _, rest = waiting.partition(b"\r\n\r\n")
    return head, rest


def _swallow(connection, count):
    buffer = bytearray(256 * 1024)
    while count > 0:
        got = connection.recv_into(buffer, min(count, len(buffer)))
        if got == 0:
            raise ConnectionError(f"closed with {count} bytes to come")
        count -= got


def _send(connection, count):
    while count > 0:
        block = BLOCK if count >= len(BLOCK) else BLOCK[:count]
        connection.sendall(block)
        count -= len(block)


class BulkBackend:
    """A process of its own. GET /down/N answers N bytes; anything else swallows its body."""

    def __init__(self):
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = listener.getsockname()[1]
        self.process = multiprocessing.Process(target=_serve, args=(listener,), daemon=True)
        self.process.start()
        listener.close()

    def stop(self):
        self.process.terminate()
        self.process.join()


def transfer(port, direction, count, context=None):
    """Moves `count` bytes through the proxy on one connection; raises when fewer arrive. Over TLS with a context."""
    with connect(port, context) as connection:
        host = f"Host: 127.0.0.1:{port}\r\nConnection: close\r\n"
        if direction == "down":
            connection.sendall(f"GET /down/{count} HTTP/1.1\r\n{host}\r\n".encode())
        else:
            connection.sendall(f"PUT /up HTTP/1.1\r\n{host}Content-Length: {count}\r\n\r\n".encode())
            _send(connection, count)
        head, rest = _read_head(connection, b"")
        if head is None or not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(f"{direction}: {head!r}")
        _swallow(connection, (count if direction == "down" else 3) - len(rest))
