"""Certificates for a run, each with its key in one file, as all of the servers take it."""

import os
import subprocess

KEYS = {
    "ECDSA P-256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "RSA-2048": ["-newkey", "rsa:2048"],
}


def make_certificate(folder, kind="ECDSA P-256"):
    """The path of a self-made certificate for localhost."""
    path = os.path.join(folder, f"{kind.replace(' ', '-')}.pem")
    if os.path.exists(path):
        return path
    command = [
        "openssl", "req", "-x509", "-nodes", *KEYS[kind], "-days", "2", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", f"{path}.key", "-out", f"{path}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    with open(path, "w", encoding="ascii") as whole:
        for part in (f"{path}.crt", f"{path}.key"):
            with open(part, encoding="ascii") as text:
                whole.write(text.read())
    return path
