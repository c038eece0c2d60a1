"""Cyrus SASL as what Postfix asks of a client's login."""

import shutil
from pathlib import Path

from .basics import run


class CyrusSasl:
    """Accounts in a sasldb of its own.

    accounts: {"name": "password"}; mechanisms: "PLAIN LOGIN"; program: what
    the server calls itself to Cyrus SASL.
    """

    def __init__(self, directory, name, accounts, mechanisms, program="smtpd"):
        self.dir, self.name, self.program = Path(directory), name, program
        self.accounts, self.mechanisms = accounts, mechanisms

    @staticmethod
    def missing():
        """Why it cannot run here; None if it can."""
        if not shutil.which("saslpasswd2", path="/usr/sbin:/usr/bin"):
            return "saslpasswd2 is not installed (Debian: sasl2-bin)"
        if not list(Path("/usr/lib").glob("*/sasl2/libplain.so*")):
            return "Cyrus SASL has no PLAIN (Debian: libsasl2-modules)"
        return None

    def main(self):
        """What main.cf says of it. Debian's Postfix looks for its file in
        sasl/ below the configuration, others because of it."""
        return {"smtpd_sasl_type": "cyrus", "smtpd_sasl_path": "smtpd",
                "smtpd_sasl_local_domain": self.name, "cyrus_sasl_config_path": self.dir}

    def start(self):
        self.dir.mkdir(mode=0o755, parents=True)
        db = self.dir / "sasldb2"
        (self.dir / f"{self.program}.conf").write_text(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
            f"sasldb_path: {db}\nmech_list: {self.mechanisms}\nlog_level: 0\n")
        for account, password in self.accounts.items():
            run(["saslpasswd2", "-c", "-p", "-f", db, "-u", self.name, account],
                stdin=password)
        if self.program == "smtpd":
            shutil.chown(db, "postfix")
        return self

    def stop(self):
        """It has no process."""
