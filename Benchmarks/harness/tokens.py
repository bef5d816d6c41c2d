"""Tokens by the thousand, signed by the system's libcrypto: no package is needed besides openssl itself."""

import base64
import concurrent.futures
import ctypes
import ctypes.util
import json
import os
import re
import subprocess
import time

LIFETIME_SECONDS = 24 * 3600
ISSUER = "https://login.example.com/"
AUDIENCE = "orders-api"
SCOPE = "orders:read"
ALGORITHMS = {
    "RS256": ("RSA", ["-pkeyopt", "rsa_keygen_bits:2048"]),
    "ES256": ("EC", ["-pkeyopt", "ec_paramgen_curve:P-256"]),
    "EdDSA": ("ED25519", []),
}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


class Signer:
    """One private key in libcrypto."""

    def __init__(self, algorithm, pem):
        self.algorithm = algorithm
        crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
        pointer = ctypes.c_void_p
        for name, result, arguments in [
            ("BIO_new_mem_buf", pointer, [ctypes.c_char_p, ctypes.c_int]),
            ("PEM_read_bio_PrivateKey", pointer, [pointer, pointer, pointer, pointer]),
            ("EVP_MD_CTX_new", pointer, []),
            ("EVP_MD_CTX_free", None, [pointer]),
            ("EVP_sha256", pointer, []),
            ("EVP_DigestSignInit", ctypes.c_int, [pointer, pointer, pointer, pointer, pointer]),
            ("EVP_DigestSign", ctypes.c_int, [
                pointer, ctypes.c_char_p, ctypes.POINTER(ctypes.c_size_t), ctypes.c_char_p, ctypes.c_size_t]),
        ]:
            function = getattr(crypto, name)
            function.restype = result
            function.argtypes = arguments
        self.crypto = crypto
        bio = crypto.BIO_new_mem_buf(pem, len(pem))
        self.key = crypto.PEM_read_bio_PrivateKey(bio, None, None, None)
        if not self.key:
            raise RuntimeError("libcrypto does not read the key")
        self.digest = None if algorithm == "EdDSA" else crypto.EVP_sha256()

    def sign(self, message):
        context = self.crypto.EVP_MD_CTX_new()
        try:
            signature = ctypes.create_string_buffer(512)
            length = ctypes.c_size_t(512)
            if (self.crypto.EVP_DigestSignInit(context, None, self.digest, None, self.key) != 1
                    or self.crypto.EVP_DigestSign(
                        context, signature, ctypes.byref(length), message, len(message)) != 1):
                raise RuntimeError("libcrypto does not sign")
            raw = signature.raw[:length.value]
        finally:
            self.crypto.EVP_MD_CTX_free(context)
        return raw_ecdsa(raw) if self.algorithm == "ES256" else raw

    def token(self, number, expires, audience=AUDIENCE, filling=0, more=None):
        header = json.dumps({"alg": self.algorithm, "kid": self.algorithm, "typ": "at+jwt"}, separators=(",", ":"))
        claims = json.dumps({
            "iss": ISSUER, "sub": f"user-{number:08d}", "aud": [audience], "iat": expires - LIFETIME_SECONDS,
            "exp": expires, "jti": f"{number:032x}", "client_id": "web-shop", "scope": "orders:read orders:write",
            "email": f"user-{number:08d}@example.com", "org": {"id": f"org-{number % 97}", "tier": "gold"},
            **({"groups": [f"group-{place:08d}" for place in range(filling // 17)]} if filling else {}),
            **(more or {}),
        }, separators=(",", ":"))
        signed = f"{base64url(header.encode())}.{base64url(claims.encode())}"
        return f"{signed}.{base64url(self.sign(signed.encode()))}"


def raw_ecdsa(der):
    """r and s of a DER signature (SEQUENCE of two INTEGERs, all lengths under 128), 32 bytes each."""
    length = der[3]
    r = der[4:4 + length]
    s = der[6 + length:]
    return b"".join(int.from_bytes(part, "big").to_bytes(32, "big") for part in (r, s))


def _mint(job):
    algorithm, pem, first, count, expires = job
    signer = Signer(algorithm, pem)
    return [signer.token(number, expires) for number in range(first, first + count)]


class TokenStore:
    """Keys and token files in a folder that outlives the run: minting takes a while."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, mode=0o700, exist_ok=True)

    def key(self, algorithm, name=None):
        """(Path of a private key, its PEM): the issuer's for the algorithm, or somebody else's by that name."""
        path = os.path.join(self.folder, f"{name or algorithm}.pem")
        if not os.path.exists(path):
            kind, options = ALGORITHMS[algorithm]
            subprocess.run(
                ["openssl", "genpkey", "-algorithm", kind, *options, "-out", path], check=True, capture_output=True)
        with open(path, "rb") as file:
            return path, file.read()

    def public_key_path(self, algorithm):
        path, _ = self.key(algorithm)
        public = os.path.join(self.folder, f"{algorithm}.public.pem")
        subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-out", public], check=True, capture_output=True)
        return public

    def key_set(self):
        """The public keys of all algorithms, each key named by its algorithm."""
        return {"keys": [self._public(algorithm) for algorithm in ALGORITHMS]}

    def _public(self, algorithm):
        return {"kid": algorithm, "alg": algorithm, "use": "sig", **public_key(self.key(algorithm)[0], algorithm)}

    def tokens(self, algorithm, count):
        """A file of so many different tokens, one a line, good for an hour at least."""
        path = os.path.join(self.folder, f"{algorithm}-{count}.txt")
        key_path, pem = self.key(algorithm)
        if _is_fresh(path, key_path):
            return path
        workers = os.cpu_count() or 1
        share = -(-count // workers)
        expires = int(time.time()) + LIFETIME_SECONDS
        jobs = [(algorithm, pem, first, min(share, count - first), expires) for first in range(0, count, share)]
        # Not multiprocessing.Pool: its way out kills the workers, and one that is killed within a queue's lock hangs
        # the run.
        with (concurrent.futures.ProcessPoolExecutor(workers) as pool,
              open(path + ".new", "w", encoding="ascii") as file):
            for part in pool.map(_mint, jobs):
                file.writelines(token + "\n" for token in part)
        os.rename(path + ".new", path)
        return path

    def large(self, algorithm, byte_count):
        """A token whose payload has about so many bytes."""
        return Signer(algorithm, self.key(algorithm)[1]).token(0, int(time.time()) + LIFETIME_SECONDS, filling=byte_count)

    def mixed(self, algorithm, count, bad_of_ten):
        """A file as that of `tokens`, but so many of ten in turns are expired, for another audience, or have a signature
        that does not fit."""
        path = os.path.join(self.folder, f"{algorithm}-{count}-bad{bad_of_ten}.txt")
        key_path, pem = self.key(algorithm)
        if _is_fresh(path, key_path):
            return path
        signer = Signer(algorithm, pem)
        now = int(time.time())
        with open(path + ".new", "w", encoding="ascii") as file:
            for number in range(count):
                token = signer.token(number, now + LIFETIME_SECONDS)
                if number % 10 < bad_of_ten:
                    token = [
                        signer.token(number, now - 3600), signer.token(number, now + LIFETIME_SECONDS, "payments-api"),
                        token[:-20] + ("A" if token[-20] != "A" else "B") + token[-19:]][number // 10 % 3]
                file.write(token + "\n")
        os.rename(path + ".new", path)
        return path


def public_key(path, algorithm):
    """The public half of a private key's file, as a JWK without names."""
    if algorithm == "RS256":
        text = subprocess.run(
            ["openssl", "rsa", "-in", path, "-noout", "-modulus"], check=True, capture_output=True, text=True).stdout
        modulus = bytes.fromhex(re.search(r"Modulus=([0-9A-F]+)", text).group(1))
        return {"kty": "RSA", "n": base64url(modulus), "e": "AQAB"}
    der = subprocess.run(
        ["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    if algorithm == "ES256":
        return {"kty": "EC", "crv": "P-256", "x": base64url(der[-64:-32]), "y": base64url(der[-32:])}
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url(der[-32:])}


def _is_fresh(path, key_path):
    return (
        os.path.exists(path) and os.path.getmtime(path) > time.time() - LIFETIME_SECONDS + 2 * 3600
        and os.path.getmtime(path) >= os.path.getmtime(key_path))


def verify_microseconds(algorithm):
    """What `openssl speed` says for one verification here."""
    name = {"RS256": "rsa2048", "ES256": "ecdsap256", "EdDSA": "ed25519"}[algorithm]
    command = ["openssl", "speed", "-seconds", "1", name]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return 1e6 / float(output.strip().splitlines()[-1].split()[-1])
