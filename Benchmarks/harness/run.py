"""What the cases share: the servers, how long rounds are, and the way from variants to a section of figures."""

import os
import statistics
import tempfile

from figures import Section, Side
from load import interleave, system_calls
from servers import Servers, compiled
from tokens import TokenStore

class Run:
    def __init__(self, arguments, folder, binary, descriptors):
        self.servers = Servers(folder, binary, descriptors, arguments.workers)
        self.rounds = arguments.rounds
        self.seconds = arguments.seconds
        self.is_quick = arguments.quick
        self.tokens = TokenStore(os.path.join(tempfile.gettempdir(), f"catraca-bench-tokens-{os.getuid()}"))
        self._paced = None

    def section(self, group, title, variants, **about):
        """One section of one set of variants."""
        return self.sections(group, [(title, variants, about)])[0]

    def sections(self, group, parts):
        """Lets all variants of all parts take turns, and makes a section of each part: (title, variants, options of
        `_extras` and of Section). A part's `base` is a variant too; it may be that of another part."""
        everyone = []
        for _, variants, about in parts:
            everyone += [one for one in [about.get("base"), *variants] if one and one not in everyone]
        idle = {id(variant.program): variant.program.pss_bytes() for variant in everyone}
        interleave(everyone, self.rounds, self.seconds)
        made = []
        for title, variants, about in parts:
            calls, is_paced, rate = about.pop("calls", False), about.pop("paced", False), about.pop("rate", None)
            base = about.pop("base", None)
            sides = [Side.of(variant) for variant in variants]
            section = Section(group, title, sides, base=Side.of(base) if base else None, **about)
            for side, variant in zip(sides, variants):
                side.idle_bytes = idle[id(variant.program)]
                side.loaded_bytes = variant.program.pss_bytes()
                side.store = variant.store_rounds
                if calls:
                    side.calls = system_calls(variant, 1)
            if is_paced or rate:
                self._latencies(section, variants, rate)
            made.append(section)
        return made

    def _latencies(self, section, variants, rate):
        """All at the same rate: half of what the slowest of them can do, unless it is given."""
        section.paced_rate = rate or int(min(statistics.median(side.rates) for side in section.sides) / 2)
        for number in range(self.rounds):
            order = list(zip(section.sides, variants))
            for side, variant in order if number % 2 == 0 else reversed(order):
                side.latencies.append(variant.paced(self.paced_client(), section.paced_rate, self.seconds + 1))

    def paced_client(self):
        if not self._paced:
            self._paced = compiled("paced")
        return self._paced
