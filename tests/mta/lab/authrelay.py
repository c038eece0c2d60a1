"""A provider's submission server: a real Postfix with SASL and TLS.

It takes mail only from those who log in, and writes the login into the
message, so that a test can tell which account a route used.
"""

import re
from pathlib import Path

from .basics import free_port, listens, wait_for
from .certificates import KINDS, Certificates
from .cyrus import CyrusSasl
from .dovecot import DovecotSasl
from .postfix import Postfix

TLS = {
    "none": ("smtpd_tls_security_level=none",),
    "starttls": ("smtpd_tls_security_level=encrypt", "smtpd_tls_auth_only=yes"),
    "tls": ("smtpd_tls_wrappermode=yes", "smtpd_tls_security_level=encrypt"),
}


class AuthRelay:
    """One host with several accounts, on a port for each kind of TLS:
    STARTTLS, TLS from the first octet, and none at all. What it accepts goes
    to sink.

    accounts:   {"name": "password"}
    sasl:       who is asked: "cyrus" or "dovecot"
    mechanisms: what is offered

    More ports differ in one thing: see port().
    """

    def __init__(self, directory, name, accounts, sink, *, sasl="cyrus",
                 mechanisms="PLAIN LOGIN"):
        self.dir, self.name, self.sink = Path(directory), name, sink
        self.certificates = Certificates(self.dir / "tls")
        self.sasl = (CyrusSasl(self.dir / "mta" / "etc" / "sasl", name, accounts, mechanisms)
                     if sasl == "cyrus" else
                     DovecotSasl(self.dir / "dovecot", accounts, mechanisms))
        self._ports = {kind: free_port() for kind in (
            *((tls, None, login) for tls in TLS for login in (True, False)),
            *((tls, wrong, True) for tls in ("starttls", "tls") for wrong in KINDS[1:]))}
        self.postfix = Postfix(self.dir / "mta", name, main=self._main(), chroot="n",
                               services=self._services(), domain=f"{name}.invalid")

    @staticmethod
    def missing(sasl="cyrus"):
        """Why it cannot run here; None if it can."""
        kind = CyrusSasl if sasl == "cyrus" else DovecotSasl
        return kind.missing() or Certificates.missing()

    @property
    def ca_file(self):
        return self.certificates.ca_file

    @property
    def starttls_port(self):
        return self.port("starttls")

    @property
    def tls_port(self):
        return self.port("tls")

    @property
    def plain_port(self):
        return self.port("none")

    def port(self, tls, certificate="good", *, login=True):
        """tls: "none", "starttls" or "tls". certificate: a kind of
        Certificates; without login, which is then not offered, only "good"."""
        return self._ports[tls, None if certificate == "good" else certificate, login]

    def _main(self):
        return {
            "default_transport": f"smtp:{self.sink.nexthop}",
            "mydestination": "", "mynetworks": "",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
            "smtpd_sasl_authenticated_header": "yes",
            **self.sasl.main(),
        }

    def _services(self):
        def smtpd(port, options):
            return f"127.0.0.1:{port} inet n - n - - smtpd " + " ".join(f"-o {o}" for o in options)

        def options(tls, certificate, login):
            files = self.certificates
            kind = certificate or "good"
            return (*TLS[tls], f"smtpd_sasl_auth_enable={'yes' if login else 'no'}",
                    f"mynetworks={'' if login else '127.0.0.0/8'}",
                    f"smtpd_relay_restrictions=permit_{'sasl_authenticated' if login else 'mynetworks'},reject",
                    f"smtpd_tls_cert_file={files.cert_file(kind)}",
                    f"smtpd_tls_key_file={files.key_file(kind)}")
        return [smtpd(port, options(*kind)) for kind, port in self._ports.items()]

    def start(self):
        self.dir.mkdir(mode=0o755)
        self.certificates.make()
        self.sasl.start()
        self.postfix.start()
        for port in self._ports.values():
            wait_for(f"submission on port {port}", lambda p=port: listens(("127.0.0.1", p)),
                     log=self.postfix.log)
        return self

    def stop(self):
        try:
            self.postfix.stop()
        finally:
            self.sasl.stop()

    def login_of(self, message):
        """The account that a message came in under; None if nobody logged in."""
        for received in message.headers("Received"):
            if found := re.search(r"\(Authenticated sender: ([^)]+)\)", received):
                return self._without_realm(found.group(1))
        return None

    def _without_realm(self, login):
        """Cyrus SASL calls the account one of its own realm one@realm."""
        return login.removesuffix(f"@{self.name}")

    def methods(self):
        """{account: mechanism} of every login so far, the last one of each."""
        found = re.findall(r"sasl_method=([\w-]+), sasl_username=(\S+)",
                           self.postfix.log_text())
        return {self._without_realm(account): method for method, account in found}
