"""Passes that are no plain JWT: opaque tokens, API keys, and tokens that are bound to a key with proofs for them."""

import base64
import concurrent.futures
import hashlib
import json
import os
import secrets
import time

from tokens import AUDIENCE, LIFETIME_SECONDS, SCOPE, Signer, base64url, public_key

# As long as the path of a JWT.
OPAQUE = "/opaque/1"
# Tokens and users that a denylist names.
LISTED = 100_000

CLAIMS = {
    "sub": "user-00000000", "scope": f"{SCOPE} orders:write", "email": "user-00000000@example.com",
    "org": {"id": "org-0", "tier": "gold"}}


def introspection_answer():
    """What the backend says of every opaque token: it is somebody's, with as many claims as a token has."""
    return json.dumps({
        "active": True, "aud": [AUDIENCE], "exp": int(time.time()) + LIFETIME_SECONDS, "client_id": "web-shop", **CLAIMS},
        separators=(",", ":"))


def opaque_tokens(path, count):
    """A file of so many random tokens, one a line."""
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"{secrets.token_urlsafe(32)}\n" for _ in range(count))
    return path


def api_keys(path, count):
    """Two files: so many keys, one a line, and the entries that the gateway reads."""
    entries = f"{path}.yaml"
    with open(path, "w", encoding="ascii") as keys, open(entries, "w", encoding="ascii") as file:
        for number in range(count):
            key = "ck_" + secrets.token_urlsafe(36)
            keys.write(key + "\n")
            digest = base64.b16encode(hashlib.sha256(key.encode()).digest()).decode().lower()
            file.write(
                f'- {{ id: "user-{number:08d}", hash: "sha256:{digest}", scopes: ["{SCOPE}", "orders:write"], '
                f'claims: {{ email: "user-{number:08d}@example.com", org: {{ id: "org-{number % 97}" }} }} }}\n')
    return path, entries


def denylist(path, count):
    """A file that names so many tokens and users, none of them those of a run."""
    with open(path, "w", encoding="ascii") as file:
        for number in range(count):
            file.write(f'{{"{"jti" if number % 2 else "sub"}":"gone-{number:08d}"}}\n')
    return path


class Sender:
    """A client with a key of its own (RFC 9449): a token that is bound to it, and a fresh proof for each request."""

    def __init__(self, store):
        self.pem = store.key("ES256", name="sender")[1]
        self.jwk = public_key(store.key("ES256", name="sender")[0], "ES256")
        members = {name: self.jwk[name] for name in sorted(self.jwk)}
        thumbprint = hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest()
        self.token = Signer("ES256", store.key("ES256")[1]).token(
            0, int(time.time()) + LIFETIME_SECONDS, more={"cnf": {"jkt": base64url(thumbprint)}})

    @property
    def field(self):
        """What stands before a proof in a head."""
        return f"Authorization: DPoP {self.token}\r\nDPoP: "

    def proofs(self, path, url, count):
        """A file of so many proofs for a GET, one a line. All are of this second."""
        workers = os.cpu_count() or 1
        job = (self.pem, self.jwk, self.token, url, -(-count // workers))
        with concurrent.futures.ProcessPoolExecutor(workers) as pool, open(path, "w", encoding="ascii") as file:
            for part in pool.map(_prove, [job] * workers):
                file.writelines(proof + "\n" for proof in part)
        return path


def _prove(job):
    pem, jwk, token, url, count = job
    signer = Signer("ES256", pem)
    head = base64url(json.dumps({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}, separators=(",", ":")).encode())
    about = {
        "htm": "GET", "htu": url, "iat": int(time.time()),
        "ath": base64url(hashlib.sha256(token.encode()).digest())}
    made = []
    for _ in range(count):
        payload = json.dumps({"jti": secrets.token_urlsafe(16), **about}, separators=(",", ":"))
        signed = f"{head}.{base64url(payload.encode())}"
        made.append(f"{signed}.{base64url(signer.sign(signed.encode()))}")
    return made
