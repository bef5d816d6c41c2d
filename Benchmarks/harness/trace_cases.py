"""What traces cost: gateways without, with 1 % and with all requests traced, beside each other."""

from bulk import BulkBackend
from figures import OURS, own
from load import LoadError, PacedVariant
from task import Traces

ROOM = "Traces"
# What a collector on the same cores can take beside all others: two spans a request.
RATE = 10_000
# At most that part of the spans may be lost, or the cost is that of less than was asked for.
LOST_MAX = 0.05


class TracedVariant(PacedVariant):
    """Its spans must get to the collector: a dropped one costs less."""

    def __init__(self, gateway, client):
        super().__init__(gateway.program, client, RATE, name=OURS)
        self.gateway = gateway

    def run(self, seconds, keep=True):
        lost, sent = self._counts()
        requests = super().run(seconds, keep)
        lost_after, sent_after = self._counts()
        made = sent_after - sent + lost_after - lost
        if keep and lost_after - lost > LOST_MAX * made:
            raise LoadError(f"{lost_after - lost:.0f} of {made:.0f} spans are lost, of {requests} requests")
        return requests

    def _counts(self):
        return self.gateway.metric("catraca_traces_dropped_total"), self.gateway.metric("catraca_traces_sent_total")


def traces(run):
    collector = BulkBackend()
    try:
        backend = run.servers.backend().port
        client = run.paced_client()
        plain = PacedVariant(
            run.servers.catraca(run.servers.setup(backend=backend)).program, client, RATE, name="own plain")
        parts = []
        for percent, limit in ((1, 1.01), (100, 1.12)):
            setup = run.servers.setup(backend=backend, traces=Traces(collector.port, percent))
            gateway = run.servers.catraca(setup, name=f"catraca-traces-{percent}")
            parts.append((
                f"`traces`: {percent} %", [TracedVariant(gateway, client)], {"base": plain, "goals": [own(limit)]}))
        return run.sections(ROOM, parts)
    finally:
        collector.stop()


TRACE_CASES = {"traces": (traces, "plain at 10,000 a second with 1 % and with all requests traced")}
