"""A provider's submission server: a real Postfix with Cyrus SASL and TLS.

It takes mail only from those who log in, and writes the login into the
message, so that a test can tell which account a route used.
"""

import re
import shutil
from pathlib import Path

from .basics import free_port, listens, run, wait_for
from .postfix import Postfix


class AuthRelay:
    """One host with several accounts, on three ports: STARTTLS, TLS from the
    first octet, and no TLS at all. What it accepts goes to sink.

    accounts: {"name": "password"}; mechanisms: what it offers.
    """

    def __init__(self, directory, name, accounts, sink, *, mechanisms="PLAIN LOGIN"):
        self.mechanisms = mechanisms
        self.dir, self.name, self.accounts, self.sink = Path(directory), name, accounts, sink
        self.starttls_port, self.tls_port, self.plain_port = (free_port() for _ in range(3))
        self.ca_file = self.dir / "tls" / "ca.pem"
        self.postfix = Postfix(self.dir / "mta", name, main=self._main(), chroot="n",
                               services=self._services(), domain=f"{name}.invalid")

    @staticmethod
    def missing():
        """Why it cannot run here; None if it can."""
        if not shutil.which("saslpasswd2", path="/usr/sbin:/usr/bin"):
            return "saslpasswd2 is not installed (Debian: sasl2-bin)"
        if not list(Path("/usr/lib").glob("*/sasl2/libplain.so*")):
            return "Cyrus SASL has no PLAIN (Debian: libsasl2-modules)"
        if not shutil.which("openssl"):
            return "openssl is not installed"
        return None

    def _main(self):
        tls = self.dir / "tls"
        return {
            "default_transport": f"smtp:{self.sink.nexthop}",
            "mydestination": "", "mynetworks": "",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
            "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "cyrus",
            "smtpd_sasl_path": "smtpd", "smtpd_sasl_local_domain": self.name,
            "smtpd_sasl_authenticated_header": "yes",
            # Debian's Postfix looks here whatever this says, others because of it.
            "cyrus_sasl_config_path": self._sasl_dir(),
            "smtpd_tls_cert_file": tls / "cert.pem", "smtpd_tls_key_file": tls / "key.pem",
        }

    def _services(self):
        def smtpd(port, *options):
            return f"127.0.0.1:{port} inet n - n - - smtpd " + " ".join(f"-o {o}" for o in options)
        return [
            smtpd(self.starttls_port, "smtpd_tls_security_level=encrypt",
                  "smtpd_tls_auth_only=yes"),
            smtpd(self.tls_port, "smtpd_tls_wrappermode=yes",
                  "smtpd_tls_security_level=encrypt"),
            smtpd(self.plain_port, "smtpd_tls_security_level=none"),
        ]

    def start(self):
        self.dir.mkdir(mode=0o755)
        self._make_certificate()
        self._make_accounts()
        self.postfix.start()
        for port in (self.starttls_port, self.tls_port, self.plain_port):
            wait_for(f"submission on port {port}", lambda p=port: listens(("127.0.0.1", p)),
                     log=self.postfix.log)
        return self

    def stop(self):
        self.postfix.stop()

    def _make_certificate(self):
        """A CA, and a certificate of it for localhost and 127.0.0.1."""
        tls = self.dir / "tls"
        tls.mkdir(mode=0o755)
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", "2"]
        run(["openssl", "req", "-x509", *key, "-subj", "/CN=Throwaway CA of the lab",
             "-keyout", tls / "ca.key", "-out", self.ca_file])
        run(["openssl", "req", "-x509", *key, "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-addext", "basicConstraints=critical,CA:FALSE",
             "-CA", self.ca_file, "-CAkey", tls / "ca.key",
             "-keyout", tls / "key.pem", "-out", tls / "cert.pem"])

    def _sasl_dir(self):
        return self.dir / "mta" / "etc" / "sasl"

    def _make_accounts(self):
        sasl = self._sasl_dir()
        sasl.mkdir(mode=0o755, parents=True)
        db = sasl / "sasldb2"
        (sasl / "smtpd.conf").write_text(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
            f"sasldb_path: {db}\nmech_list: {self.mechanisms}\nlog_level: 0\n")
        for account, password in self.accounts.items():
            run(["saslpasswd2", "-c", "-p", "-f", db, "-u", self.name, account],
                stdin=password)
        shutil.chown(db, "postfix")

    def methods(self):
        """{account: mechanism} of every login so far."""
        found = re.findall(r"sasl_method=([\w-]+), sasl_username=([^\s@]+)",
                           self.postfix.log_text())
        return {account: method for method, account in found}

    @staticmethod
    def login_of(message):
        """The account, without its realm, that a message came in under."""
        for received in message.headers("Received"):
            if found := re.search(r"\(Authenticated sender: ([^)@]+)", received):
                return found.group(1)
        return None
