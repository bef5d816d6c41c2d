"""People who sign in at a proxy that is the client of an OpenID provider: the provider, and the cookies of browsers."""

import http.client
import http.server
import json
import threading
from urllib.parse import parse_qs, urlsplit

from load import LoadError
from tokens import LIFETIME_SECONDS


class Provider:
    """Answers each code with the next token of a file. Nobody is asked who they are."""

    def __init__(self, tokens):
        with open(tokens, encoding="ascii") as lines:
            answers = iter(lines.read().split())

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                body = json.dumps({
                    "access_token": next(answers), "token_type": "bearer", "expires_in": LIFETIME_SECONDS}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Says nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def signed_in(path, port, page, count):
    """A file of what so many browsers send as Cookie, each after a sign-in that began with this page."""
    with open(path, "w", encoding="ascii") as file:
        for _ in range(count):
            jar = {}
            place = _visit(port, page, jar)
            state = parse_qs(urlsplit(place).query)["state"][0]
            _visit(port, f"/callback?code=any&state={state}", jar)
            file.write("; ".join(f"{name}={value}" for name, value in jar.items()) + "\n")
    return path


def _visit(port, target, jar):
    """Where the answer sends the browser, which takes its cookies."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())} if jar else {}
    connection.request("GET", target, headers=cookies)
    answer = connection.getresponse()
    answer.read()
    for line in answer.headers.get_all("Set-Cookie", []):
        name, _, value = line.partition(";")[0].partition("=")
        if value == "deleted":
            jar.pop(name, None)
        else:
            jar[name] = value
    connection.close()
    if answer.status != 302:
        raise LoadError(f"{target.partition('?')[0]} of a sign-in was answered {answer.status}")
    return answer.headers["Location"]
