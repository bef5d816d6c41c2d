"""What was measured: sections (a line of the table each) with a side for every program that took part, and goals."""

import statistics

OURS = "catraca"
# Passes bytes on and looks at none: what the kernel takes from everybody. It competes with nobody.
FLOOR = "relay"


def spread(values, digits=1):
    """median (min to max); the median alone where there is one value."""
    if len(values) == 1:
        return f"{values[0]:,.{digits}f}"
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def quotients(values, others):
    """Round by round, so that what disturbs the machine for a while disturbs both sides."""
    return [value / other for value, other in zip(values, others) if other]


class Side:
    """One program's figures; less is better in `values`, which are in the section's unit, one a round."""

    def __init__(self, name, values, rates=(), user=None):
        self.name = name
        self.values = list(values)
        # Requests a second, one figure a round, and the median of user time among the values.
        self.rates = list(rates)
        self.user = user
        # Bytes (PSS), once started and after the load; system calls a request; (p50, p99, p99.9) in µs, one each round.
        self.idle_bytes = self.loaded_bytes = self.calls = None
        self.latencies = []
        # What a request cost Redis, one `StoreCost` a round.
        self.store = ()

    @property
    def median(self):
        return statistics.median(self.values)

    @classmethod
    def of(cls, variant):
        return cls(variant.name, variant.costs, [one.rate for one in variant.rounds], variant.user)


class Goal:
    """What `judged` makes of a section (values, of which the median counts) must be at most `limit`. None where the section
    has not got what it needs."""

    def __init__(self, text, limit, judged):
        self.text = text
        self.limit = limit
        self.judged = judged

    def verdict(self, section):
        values = self.judged(section)
        if not values:
            return f"{self.text}: not measured"
        is_met = statistics.median(values) <= self.limit
        return f"{self.text}: {spread(values, 2)}, {'**met**' if is_met else '**missed**'}"


def absolute(text, limit, scale=1):
    return Goal(text, limit, lambda section: [value / scale for value in section.ours.values])


def beside(names, limit):
    """At most so many times the best of these, round by round."""
    text = f"≤ {limit} × {'the best' if not names else names[0] if len(names) == 1 else 'the best of ' + ', '.join(names)}"

    def judged(section):
        best = section.best(names)
        return quotients(section.ours.values, best.values) if best else None

    return Goal(text, limit, judged)


def own(limit):
    """At most so many times our own reference."""
    return Goal(f"≤ {limit} × own", limit, lambda section: section.base and quotients(
        section.ours.values, section.base.values))


def latency(limit=1.0):
    """p99 at most that of the best."""
    def judged(section):
        tails = {
            side.name: [one[1] for one in side.latencies] for side in section.sides
            if side.latencies and side.name != FLOOR}
        ours = tails.pop(OURS, None)
        return quotients(ours, min(tails.values(), key=statistics.median)) if ours and tails else None
    return Goal("p99 ≤ the best", limit, judged)


def system_calls(limit):
    return Goal(f"system calls ≤ {limit}", limit, lambda section: section.ours.calls and [section.ours.calls])


class Section:
    """A measured thing. The group decides in which table it stands, the title is its line there."""

    def __init__(self, group, title, sides, unit="µs", goals=(), base=None, digits=1):
        self.group = group
        self.title = title
        self.unit = unit
        self.sides = sides
        self.goals = list(goals)
        # A side of our own to compare with: the same without tokens, or with fewer routes.
        self.base = base
        self.digits = digits
        # For the table of latencies: requests a second that all were asked.
        self.paced_rate = None

    def side(self, name):
        return next((side for side in self.sides if side.name == name), None)

    @property
    def ours(self):
        return self.side(OURS)

    @property
    def others(self):
        return [side for side in self.sides if side.name != OURS]

    def best(self, names=()):
        """The one that needs least, of these or of all that are not ours."""
        candidates = [
            side for side in self.others if side.name != FLOOR and (not names or side.name in names)]
        return min(candidates, key=lambda side: side.median, default=None)

    def as_value(self):
        """For JSON: everything, so that a figure can be looked up and a chart drawn anew."""
        sides = [{
            "name": side.name, "values": side.values, "rates": side.rates, "user": side.user, "calls": side.calls,
            "idle_bytes": side.idle_bytes, "loaded_bytes": side.loaded_bytes, "latencies": side.latencies,
            "store": [vars(cost) for cost in side.store],
        } for side in self.sides]
        base = {"name": self.base.name, "values": self.base.values} if self.base else None
        return {
            "group": self.group, "title": self.title, "unit": self.unit, "paced_rate": self.paced_rate, "base": base,
            "sides": sides, "goals": [goal.verdict(self) for goal in self.goals]}
