"""Many idle keep-alive connections, each of which made one request."""

import contextlib

from processes import connect, receive_answer

BATCH = 100


@contextlib.contextmanager
def open_idle(port, count, context=None):
    """Opens them in batches, so that several requests run at once; closes them at the end. Over TLS with a context."""
    connections = []
    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    try:
        while len(connections) < count:
            batch = [connect(port, context, timeout=10) for _ in range(min(BATCH, count - len(connections)))]
            connections += batch
            for connection in batch:
                connection.sendall(request)
            for connection in batch:
                receive_answer(connection)
        yield connections
    finally:
        for connection in connections:
            connection.close()
