"""The harness measures only what it can also see fail: a missed goal, a failed request, a wrong signature, a handshake
that was not of the kind that was asked for, a token that should not have been let in."""

import socket
import ssl
import tempfile
import threading
import unittest
import xml.etree.ElementTree

from bars import bars
from certificates import KEYS, make_certificate
from chart import chart
from figures import Section, Side, absolute, beside, latency, own, quotients, spread
from guard import count, judge
from handshakes import shake_hands
from list_cases import ListVariant, StoreCost
from load import LoadError, Variant, parse, parse_h2load
from report import markdown
from token_cases import BadTokenVariant, verdicts
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


class AnswersAlways:
    """Answers every request on one connection with the same status."""

    def __init__(self, status):
        self.status = status
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rb") as requests:
            while line := requests.readline():
                if line == b"\r\n":
                    connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % self.status)

    def stop(self):
        self.thread.join()
        self.listener.close()


class Idle:
    """A program that costs nothing."""

    name = "idle"

    def cpu_seconds(self):
        return 0.0, 0.0

    def log_text(self):
        return ""


def section(ours, **theirs):
    sides = [Side("catraca", ours), *(Side(name, values) for name, values in theirs.items())]
    return Section("HTTP/1.1", "`plain`: <100 B>", sides)


class HarnessTests(unittest.TestCase):
    def test_a_missed_goal_is_called_missed(self):
        one = section([8.0, 9.0], nginx=[10.0, 10.0], haproxy=[20.0, 20.0], envoy=[1.0, 1.0])
        self.assertIn("0.85 (0.80 to 0.90), **met**", beside(["nginx", "haproxy"], 0.86).verdict(one))
        self.assertIn("**missed**", beside(["nginx", "haproxy"], 0.84).verdict(one))
        self.assertIn("**missed**", beside([], 1.0).verdict(one))
        self.assertIn("not measured", beside(["h2o"], 1.0).verdict(one))
        self.assertIn("**missed**", absolute("≤ 8", 8).verdict(one))
        self.assertIn("not measured", own(1.05).verdict(one))
        one.base = Side("own plain", [8.0, 9.0])
        self.assertIn("1.00 (1.00 to 1.00), **met**", own(1.05).verdict(one))

    def test_the_tail_is_compared_with_the_best(self):
        one = section([8.0], nginx=[10.0], envoy=[1.0])
        self.assertIn("not measured", latency().verdict(one))
        for side, tail in zip(one.sides, (120.0, 100.0, 300.0)):
            side.latencies = [(10.0, tail, 900.0)]
        self.assertIn("1.20, **missed**", latency().verdict(one))

    def test_what_redis_does_is_shown_and_a_command_without_a_reply_is_an_error(self):
        one = section([8.0, 10.0])
        one.ours.store = [StoreCost(1.0, 0.1, 2.0), StoreCost(1.0, 0.3, 4.0)]
        self.assertIn("| 1.00 / 0.20 / 3.0 µs |", markdown([], [one], []))
        xml.etree.ElementTree.fromstring(bars([one]))
        self.assertIn(">9.0 + 3.0<", bars([one]))

        class Lossy(ListVariant):
            counts = [(0, 0, 0, 0.0), (90, 10, 9, 0.1)]

            def __init__(self):
                super().__init__([Idle()], None)

            def load(self, seconds):
                return 100, 0

            def _counts(self):
                return self.counts.pop(0)

        with self.assertRaisesRegex(LoadError, "10 commands of 100 requests had no reply"):
            Lossy().run(1)

    def test_results_show_every_side_and_what_was_not_measured(self):
        one = section([8.0, 10.0], nginx=[10.0, 10.0], envoy=[1.0, 1.0])
        text = markdown(["- here"], [one], [("h2", "no route")])
        self.assertIn("| 9.0 (8.0 to 10.0) | 10.0 (10.0 to 10.0), **1.12 ×** |", text)
        self.assertIn("- `h2`: no route", text)
        picture = xml.etree.ElementTree.fromstring(chart([one]))
        titles = [title.text for title in picture.iter("{http://www.w3.org/2000/svg}title")]
        self.assertIn("nginx: 1.12 × Catraca", titles)

    def test_refusals_are_failures_unless_they_are_asked_for(self):
        for make, failures, is_refused in [
            (Variant, 0, False), (Variant, 1, True), (BadTokenVariant, 100, False), (BadTokenVariant, 0, True),
            (BadTokenVariant, 130, True),
        ]:
            variant = make(Idle()) if make is Variant else make(Idle(), "tokens", 10)
            variant.load = lambda _, failures=failures: (1000, failures)
            if is_refused:
                self.assertRaises(LoadError, variant.run, 1)
            else:
                self.assertEqual(variant.run(1), 1000)

    def test_a_wrong_verdict_is_noticed(self):
        with tempfile.TemporaryDirectory() as folder:
            tokens = TokenStore(folder)
            for file, status, is_right in [
                (tokens.tokens("ES256", 20), 200, True), (tokens.tokens("ES256", 20), 401, False),
                (tokens.mixed("ES256", 20, bad_of_ten=10), 401, True),
                (tokens.mixed("ES256", 20, bad_of_ten=10), 200, False),
            ]:
                server = AnswersAlways(status)
                bad_of_ten = 10 if "bad" in file else 0
                if is_right:
                    self.assertEqual(verdicts(server.port, file, bad_of_ten), [status] * 20)
                else:
                    self.assertRaises(LoadError, verdicts, server.port, file, bad_of_ten)
                server.stop()

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
        self.assertEqual(quotients([1, 2], [2, 4]), [0.5, 0.5])
        self.assertEqual(spread([3.0, 1.0, 2.0]), "2.0 (1.0 to 3.0)")

    def test_calls_are_counted_and_more_of_them_are_seen(self):
        found = count([
            "fn=(1) serve", "3 9", "cfn=(2) swift_retain", "calls=40 0", "3 80", "cfn=(3) malloc@@GLIBC_2.2.5",
            "calls=2 0", "fn=(4) end", "cfn=(2)", "calls=2 0", "totals: 5000"])
        self.assertEqual(found, {"instructions": 5000, "retains": 42, "objects": 0, "mallocs": 2})
        limits = {"instructions": 5000, "retains": 42, "objects": 0, "mallocs": 2}
        heavy = {**found, "instructions": 5151, "objects": 1}
        self.assertEqual(judge("plain", {**found, "instructions": 5149}, limits, found), [])
        self.assertEqual(len(judge("plain", heavy, limits, found)), 2)
        self.assertEqual(len(judge("plain", heavy, limits, {"objects"})), 1)

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
            with open(store.mixed("EdDSA", 50, bad_of_ten=1), encoding="ascii") as file:
                self.assertEqual(len(set(file.read().split())), 50)


if __name__ == "__main__":
    unittest.main()
