"""The cases over plain HTTP/1.1, each a function that measures and returns sections. `CASES` lists them."""

import http.client
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from bulk import BulkBackend, transfer
from figures import FLOOR, OURS, Section, Side, absolute, beside, latency, own, system_calls
from idle import open_idle
from load import LoadError, Variant, wrk

ROOM = "HTTP/1.1"
FAST = ["nginx", "haproxy", "h2o"]


def _everyone(run, **load):
    return [Variant(program, **load) for program in run.servers.all(run.servers.setup())]


def plain(run):
    setup = run.servers.setup()
    variants = [Variant(program) for program in [*run.servers.all(setup), run.servers.relay(FLOOR, setup)]]
    return [run.section(
        ROOM, "`plain`: 100 B", variants, calls=True, paced=True,
        goals=[beside(FAST, 0.85), latency(), system_calls(4.2)])]


def browser(run):
    return [run.section(
        ROOM, "`browser`: 20 header fields", _everyone(run, script="browser.lua"), goals=[beside(FAST, 0.85)])]


def answers_64k(run):
    return [run.section(
        ROOM, "`64k`: 64 KiB answers", _everyone(run, path="/files/64k"), paced=True,
        goals=[beside([], 1.0), latency()])]


def answers_1m(run):
    return [run.section(
        ROOM, "`1m`: 1 MiB answers", _everyone(run, path="/files/1m", connections=8), goals=[beside([], 1.0)])]


def upload(run):
    return [run.section(
        ROOM, "`upload`: 1 MiB bodies", _everyone(run, path="/upload", script="upload.lua", connections=8),
        goals=[beside([], 1.0)])]


def connections(run):
    return [run.section(
        ROOM, "`connections`: each request a new one", _everyone(run, script="close.lua"), calls=True,
        goals=[beside(["nginx"], 1.0)])]


def single(run):
    return [run.section(ROOM, "`single`: one connection only", _everyone(run, connections=1))]


def access_log(run):
    programs = run.servers.all(run.servers.setup(access_log=True))
    return [run.section(
        ROOM, "`access-log`: one line a request", [Variant(program) for program in programs])]


def _gzip_byte_count(port):
    """Of the answer that the case asks for, which must be compressed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/files/json", headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.getheader("Content-Encoding") != "gzip":
        raise LoadError(f"port {port} does not compress")
    return len(body)


def gzip(run):
    programs = run.servers.all(run.servers.setup(gzip=True))
    variants = [Variant(program, path="/files/json", script="gzip.lua") for program in programs]
    sizes = ", ".join(f"{program.name} {_gzip_byte_count(program.port):,} B" for program in programs)
    return [run.section(
        ROOM, f"`gzip`: 10 KiB of JSON, compressed ({sizes})", variants, goals=[beside(["haproxy"], 1.0)])]


def routes(run):
    backend = run.servers.backend().port
    first = None
    parts = []
    for count in (10, 1_000, 10_000):
        path = f"/service-{count // 2}/a"
        variants = [
            Variant(program, path=path)
            for program in run.servers.all(run.servers.setup(backend=backend, routes=count))]
        goals = [own(1.05)] if first else []
        parts.append((f"`routes`: one of {count:,}", variants, {"base": first, "goals": goals}))
        first = first or next(variant for variant in variants if variant.name == OURS)
    return run.sections(ROOM, parts)


def servers(run):
    first = None
    parts = []
    for count in (1, 1_000):
        variants = [Variant(program) for program in run.servers.all(run.servers.setup(servers=count))]
        # Each connection to each server is made before it is measured.
        for variant in variants:
            variant.run(2, keep=False)
        goals = [own(1.03)] if first else []
        parts.append((f"`servers`: round robin over {count:,}", variants, {"base": first, "goals": goals}))
        first = first or next(variant for variant in variants if variant.name == OURS)
    return run.sections(ROOM, parts)


def idle(run):
    count = 1_000 if run.is_quick else 10_000
    return [idle_section(run, f"`idle`: {count:,} connections", count)]


def idle_section(run, title, count, certificate="", context=None):
    """Memory of idle connections: what each of them adds to programs that are warm."""
    programs = run.servers.all(run.servers.setup(certificate=certificate))
    sides = []
    for program in programs:
        wrk(program.port, "/", 1, scheme="https" if certificate else "http")
        time.sleep(1)
        before = program.pss_bytes()
        with open_idle(program.port, count, context):
            time.sleep(1)
            after = program.pss_bytes()
        side = Side(program.name, [(after - before) / count / 1000])
        side.idle_bytes, side.loaded_bytes = before, after
        sides.append(side)
    return Section("Memory", title, sides, unit="KB each", goals=[beside(["nginx"], 1.0)])


def big(run):
    return big_sections(run, "big", ("down", "up"), [beside([], 1.0)])


def big_sections(run, case, directions, goals, certificate="", context=None):
    """What 1 GiB on one connection costs, and what it adds to the peak of memory."""
    count = 1 << (26 if run.is_quick else 30)
    backend = BulkBackend()
    try:
        programs = run.servers.all(run.servers.setup(backend=backend.port, certificate=certificate))
        sections = []
        for direction in directions:
            costs, growth = _transfers(programs, direction, count, context)
            sides = [Side(name, values) for name, values in costs.items()]
            sections.append(Section("Bulk", f"`{case}`: 1 GiB {direction}", sides, unit="ms a GiB", digits=0, goals=goals))
            sides = [Side(name, [value / (1 << 20)]) for name, value in growth.items()]
            sections.append(Section(
                "Bulk", f"`{case}`: growth of the peak RSS, {direction}", sides, unit="MiB",
                goals=[absolute("≤ 8 MiB", 8)]))
        return sections
    finally:
        backend.stop()


def _transfers(programs, direction, count, context):
    growth = {program.name: 0 for program in programs}
    costs = {program.name: [] for program in programs}
    for program in programs:
        transfer(program.port, direction, 1 << 20, context)
    for _ in range(3):
        for program in programs:
            program.reset_peak()
            resident = program.resident_bytes()
            before = sum(program.cpu_seconds())
            transfer(program.port, direction, count, context)
            costs[program.name].append((sum(program.cpu_seconds()) - before) * 1000 * (1 << 30) / count)
            growth[program.name] = max(growth[program.name], program.peak_bytes() - resident)
    return costs, growth


def reload(run):
    """A SIGHUP a second; the file changes each time, upstream pool included, so that every reload does all its work."""
    gateway = run.servers.catraca(run.servers.setup())
    before = gateway.metric("catraca_config_reloads_total")
    seconds = 4 if run.is_quick else 20
    stop = time.monotonic() + seconds - 1
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(wrk, gateway.port, "/", seconds)
        number = 0
        while time.monotonic() < stop and not load.done():
            time.sleep(1)
            number += 1
            gateway.write(upstream=f"backend-{number % 2}")
            gateway.program.signal(signal.SIGHUP)
        requests, failures = load.result()
    reloads = gateway.metric("catraca_config_reloads_total") - before
    refused = gateway.metric("catraca_config_reloads_total", result="error")
    if reloads < number / 2 or refused:
        raise LoadError(f"{number} SIGHUPs, {reloads:.0f} reloads, {refused:.0f} refused")
    title = f"`reload`: {reloads:.0f} reloads in {seconds} s under load, {requests:,} requests"
    return [Section("Reload", title, [Side(OURS, [failures])], unit="failed", digits=0, goals=[absolute("0 failed", 0)])]


CASES = {
    "plain": (plain, "a small GET, nothing to check"),
    "64k": (answers_64k, "answers of 64 KiB"),
    "1m": (answers_1m, "answers of 1 MiB"),
    "upload": (upload, "bodies of 1 MiB"),
    "browser": (browser, "a browser's 20 header fields"),
    "connections": (connections, "a new connection for every request"),
    "single": (single, "one connection only"),
    "access-log": (access_log, "plain with an access log"),
    "gzip": (gzip, "10 KiB of JSON, compressed"),
    "routes": (routes, "10, 1,000 and 10,000 routes"),
    "servers": (servers, "one server and 1,000 in turns"),
    "idle": (idle, "memory of 10,000 idle connections"),
    "big": (big, "1 GiB bodies, down and up"),
    "reload": (reload, "a reload a second under load"),
}
