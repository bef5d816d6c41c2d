"""The harness measures only what it can also see fail: a missed goal, a failed request, a wrong signature."""

import tempfile
import unittest

from load import LoadError, Round, Variant, parse, ratios
from report import Goal, spread
from tokens import ALGORITHMS, TokenStore, raw_ecdsa

QUIET = "  81 requests in 4.00s, 18.2KB read\nRequests/sec: 20.25\n"


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
