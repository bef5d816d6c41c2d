"""The harness measures only what it can also see fail: a missed goal, a failed request, a wrong signature, a handshake
that was not of the kind that was asked for."""

import socket
import ssl
import tempfile
import threading
import unittest

from certificates import KEYS, make_certificate
from handshakes import shake_hands
from load import LoadError, Round, Variant, parse, parse_h2load, ratios
from report import Goal, spread
from tokens import ALGORITHMS, TokenStore, raw_ecdsa

QUIET = "  81 requests in 4.00s, 18.2KB read\nRequests/sec: 20.25\n"
H2LOAD = (
    "requests: 90 total, {started} started, {done} done, {good} succeeded, {bad} failed, {errors} errored, 0 timeout\n"
    "status codes: {good} 2xx, {moved} 3xx, 0 4xx, 0 5xx\n")


class OneServer:
    """Serves TLS to one connection after the other: an answer to whoever sends something, and then the end."""

    def __init__(self, certificate, gives_tickets):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.context.num_tickets = 1 if gives_tickets else 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        while True:
            connection, _ = self.listener.accept()
            with self.context.wrap_socket(connection, server_side=True) as secure:
                if (request := secure.recv(4096)) == b"end":
                    return
                if request:
                    secure.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    def stop(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(socket.create_connection(("127.0.0.1", self.port))) as secure:
            secure.sendall(b"end")
        self.thread.join()
        self.listener.close()


class HarnessTests(unittest.TestCase):
    def test_a_missed_goal_is_called_missed(self):
        goal = Goal("≤ 1.0 × nginx", 1.0)
        self.assertIn("**met**", goal.verdict(1.0))
        self.assertIn("**missed**", goal.verdict(1.001))

    def test_wrk_is_read_with_every_kind_of_failure(self):
        self.assertEqual(parse(QUIET), (81, 0))
        self.assertEqual(parse(QUIET + "  Non-2xx or 3xx responses: 7\n"), (81, 7))
        self.assertEqual(parse(QUIET + "  Socket errors: connect 1, read 2, write 4, timeout 8\n"), (81, 15))
        with self.assertRaises(LoadError):
            parse("unable to connect")

    def test_h2load_is_read_with_every_kind_of_failure(self):
        quiet = {"started": 80, "done": 70, "good": 70, "bad": 0, "errors": 0, "moved": 0}
        self.assertEqual(parse_h2load(H2LOAD.format(**quiet)), (70, 0))
        self.assertEqual(parse_h2load(H2LOAD.format(**{**quiet, "good": 66, "bad": 4, "errors": 4})), (66, 4))
        self.assertEqual(parse_h2load(H2LOAD.format(**{**quiet, "moved": 3})), (70, 3))
        with self.assertRaises(LoadError):
            parse_h2load("Could not connect")

    def test_a_handshake_that_is_not_resumed_is_noticed(self):
        with tempfile.TemporaryDirectory() as folder:
            for kind in KEYS:
                for gives_tickets in (True, False):
                    server = OneServer(make_certificate(folder, kind), gives_tickets)
                    try:
                        done, wrong = shake_hands(server.port, 0.2, resumes=False)
                        self.assertGreater(done, 0)
                        self.assertEqual(wrong, 0)
                        done, wrong = shake_hands(server.port, 0.2, resumes=True)
                        self.assertGreater(done, 0)
                        self.assertEqual(wrong, 0 if gives_tickets else done)
                    finally:
                        server.stop()

    def test_ratios_compare_neighbours_in_time(self):
        ours, theirs = Variant("a", None), Variant("b", None)
        ours.rounds = [Round(1, 1, 1), Round(1, 2, 2)]
        theirs.rounds = [Round(1, 2, 2), Round(1, 4, 4)]
        self.assertEqual(ratios(ours, theirs), [0.5, 0.5])
        self.assertEqual(spread([3.0, 1.0, 2.0]), "2.0 (1.0 to 3.0)")

    def test_short_numbers_of_an_ecdsa_signature_are_filled_up(self):
        r, s = b"\x00" + b"\xff" * 32, b"\x01\x02"
        der = bytes([0x30, 4 + len(r) + len(s), 2, len(r)]) + r + bytes([2, len(s)]) + s
        self.assertEqual(raw_ecdsa(der), b"\xff" * 32 + bytes(30) + b"\x01\x02")

    def test_tokens_differ_and_are_kept(self):
        with tempfile.TemporaryDirectory() as folder:
            store = TokenStore(folder)
            self.assertEqual([key["kid"] for key in store.key_set()["keys"]], list(ALGORITHMS))
            path = store.tokens("EdDSA", 50)
            with open(path, encoding="ascii") as file:
                tokens = file.read().split()
            self.assertEqual(len(set(tokens)), 50)
            self.assertEqual(store.tokens("EdDSA", 50), path)
            self.assertTrue(all(token.count(".") == 2 for token in tokens))


if __name__ == "__main__":
    unittest.main()
