"""Dovecot as what Postfix asks of a client's login: its auth service alone,
with files and sockets of its own.

It has PLAIN, LOGIN, CRAM-MD5, DIGEST-MD5 and SCRAM. An NTLM of its own it had
until 2.3.13; what is left of that asks Samba. So NTLM is for Cyrus SASL.
"""

import base64
import shutil
import socket
import subprocess
from pathlib import Path

from .basics import LabError, stop_process, tail, wait_for

# Plain passwords, from which each mechanism makes what it needs. base64,
# because the file is parted by colons.
CONF = """\
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
protocols =
ssl = no
auth_mechanisms = {mechanisms}
disable_plaintext_auth = no
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = username_format=%u {dir}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service auth {{
  unix_listener {dir}/client {{
    mode = 0660
    user = postfix
  }}
}}
"""


class DovecotSasl:
    """accounts: {"name": "password"}; mechanisms: "PLAIN LOGIN"."""

    def __init__(self, directory, accounts, mechanisms):
        self.dir = Path(directory)
        self.accounts, self.mechanisms = accounts, mechanisms
        self.socket = self.dir / "client"
        self._process = None

    @staticmethod
    def missing():
        """Why it cannot run here; None if it can."""
        if not shutil.which("dovecot", path="/usr/sbin"):
            return "Dovecot is not installed (Debian: dovecot-core)"
        return None

    def main(self):
        """What main.cf says of it."""
        return {"smtpd_sasl_type": "dovecot", "smtpd_sasl_path": self.socket}

    def start(self):
        self.dir.mkdir(mode=0o755)
        (self.dir / "dovecot.conf").write_text(
            CONF.format(dir=self.dir, mechanisms=self.mechanisms.lower()))
        users = self.dir / "users"
        users.write_text("".join(
            f"{name}:{{PLAIN.b64}}{base64.b64encode(password.encode()).decode()}\n"
            for name, password in self.accounts.items()))
        users.chmod(0o640)
        shutil.chown(users, "root", "dovecot")
        with (self.dir / "stderr").open("w") as log:
            self._process = subprocess.Popen(
                ["/usr/sbin/dovecot", "-F", "-c", self.dir / "dovecot.conf"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_for(f"Dovecot on {self.socket}", self._offers_all, log=self.dir / "log")
        return self

    def _offers_all(self):
        """The master listens before its auth service is there, so ask that:
        it begins by naming its mechanisms."""
        if "Unknown authentication mechanism" in tail(self.dir / "log"):
            raise LabError(f"Dovecot has not all of {self.mechanisms}" + tail(self.dir / "log"))
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(1)
            try:
                s.connect(str(self.socket))
                said = s.recv(4096).decode()
            except OSError:
                return False
        return all(f"MECH\t{name.upper()}" in said for name in self.mechanisms.split())

    def stop(self):
        stop_process(self._process)
        self._process = None
