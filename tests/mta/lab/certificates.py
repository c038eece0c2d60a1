"""Certificates of a lab's own: right ones, and each kind of wrong one."""

import shutil
from pathlib import Path

from .basics import run

KINDS = ("good", "expired", "wrong-name", "other-ca")


class Certificates:
    """A CA, and of each kind a certificate with its key:

    good        for localhost and 127.0.0.1, by the CA
    expired     the same, but of the past
    wrong-name  valid, by the CA, for another host
    other-ca    for localhost, by a CA that nobody trusts
    """

    def __init__(self, directory):
        self.dir = Path(directory)
        self.ca_file = self.dir / "ca.pem"
        self.other_ca_file = self.dir / "stranger.pem"

    @staticmethod
    def missing():
        """Why none can be made here; None if they can."""
        return None if shutil.which("openssl") else "openssl is not installed"

    def cert_file(self, kind):
        return self.dir / f"{kind}.pem"

    def key_file(self, kind):
        return self.dir / f"{kind}.key"

    def make(self):
        self.dir.mkdir(mode=0o755)
        for ca in (self.ca_file, self.other_ca_file):
            self._openssl("req", "-x509", *self._new_key(ca.with_suffix(".key")), "-days", 2,
                          "-subj", f"/CN=Throwaway CA of the lab ({ca.stem})", "-out", ca)
        ours = "DNS:localhost,IP:127.0.0.1"
        self._sign("good", self.ca_file, ours)
        self._sign("expired", self.ca_file, ours, days=-1)
        self._sign("wrong-name", self.ca_file, "DNS:elsewhere.invalid")
        self._sign("other-ca", self.other_ca_file, ours)
        return self

    def _sign(self, kind, ca, names, days=2):
        request, extensions = self.dir / f"{kind}.csr", self.dir / f"{kind}.ext"
        self._openssl("req", *self._new_key(self.key_file(kind)), "-subj", "/CN=lab",
                      "-out", request)
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\n")
        self._openssl("x509", "-req", "-in", request, "-extfile", extensions, "-CA", ca,
                      "-CAkey", ca.with_suffix(".key"), "-days", days,
                      "-out", self.cert_file(kind))

    @staticmethod
    def _new_key(path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", path]

    @staticmethod
    def _openssl(*words):
        run(["openssl", *words])
