"""Starting and ending what is measured, and reading what it cost from /proc. Only processes started here are ended."""

import os
import signal
import socket
import subprocess
import time

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def free_port():
    """A port that was free a moment ago; the program that gets it binds it at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port, context=None, timeout=60.0, session=None):
    """A connection to a port of this machine; with TLS where a context is given, and its session where that is."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    return context.wrap_socket(connection, server_hostname="localhost", session=session) if context else connection


def receive_answer(connection):
    """Reads the backend's small answer, whose body ends in x and a line feed, to its end; any but a 200 is an error."""
    answer = b""
    while not answer.endswith(b"x\n"):
        chunk = connection.recv(4096)
        if not chunk:
            raise ConnectionError(f"closed after {answer!r}")
        answer += chunk
    if not answer.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(f"{answer[:200]!r}")


def fetch(port, path="/", timeout=5.0, method="GET", context=None):
    """The whole response to one request on a connection of its own, head and body as they came."""
    with connect(port, context, timeout) as connection:
        request = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


class Program:
    """A server and the children that it has: what they cost together."""

    def __init__(self, name, command, port, log, context=None, asks=True, environment=None):
        """It is ready when a GET is answered, over TLS with a context; where it is not asked, when it accepts."""
        self.name = name
        self.port = port
        self.log = log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment)
        self._wait_until_ready(context, asks)

    def _wait_until_ready(self, context, asks, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.log_text()}")
            try:
                if not asks:
                    connect(self.port).close()
                    return
                if fetch(self.port, context=context).startswith(b"HTTP/1.1 200"):
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self.name} does not answer on port {self.port}:\n{self.log_text()}")
            time.sleep(0.05)

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as text:
            return text.read()[-2000:]

    def pids(self):
        """The process and its children (nginx's worker); they live as long as it does."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            return [pid] + [int(child) for child in children.read().split()]

    def cpu_seconds(self):
        """(user, system). The kernel counts their sum in nanoseconds, for each thread, and only how it is shared out in
        ticks."""
        user = system = nanoseconds = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                fields = stat.read().rpartition(")")[2].split()
            user += int(fields[11])
            system += int(fields[12])
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as times:
                    nanoseconds += int(times.read().split()[0])
        share = user / max(1, user + system)
        return nanoseconds / 1e9 * share, nanoseconds / 1e9 * (1 - share)

    def pss_bytes(self):
        """Memory that would be free again without it; shared pages count by share."""
        return sum(self._kilobytes(pid, "smaps_rollup", "Pss:") for pid in self.pids()) * 1024

    def reset_peak(self):
        for pid in self.pids():
            with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as refs:
                refs.write("5")

    def resident_bytes(self):
        return sum(self._kilobytes(pid, "status", "VmRSS:") for pid in self.pids()) * 1024

    def peak_bytes(self):
        """The most that was resident since `reset_peak`."""
        return sum(self._kilobytes(pid, "status", "VmHWM:") for pid in self.pids()) * 1024

    @staticmethod
    def _kilobytes(pid, file, key):
        with open(f"/proc/{pid}/{file}", encoding="ascii", errors="replace") as lines:
            for line in lines:
                if line.startswith(key):
                    return int(line.split()[1])
        return 0

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
