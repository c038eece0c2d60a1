"""A POP3 server: a real Dovecot with accounts of its own, and nothing of the
system's but its programs."""

import os
import shutil
import subprocess
from pathlib import Path

from .basics import free_port, listens, stop_process, wait_for

DOVECOT_CONF = """\
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
protocols = pop3
listen = 127.0.0.1
ssl = {ssl}
{certificate}
disable_plaintext_auth = {secure}
auth_mechanisms = plain
auth_failure_delay = 0
mail_location = maildir:~/Maildir
passdb {{
    driver = passwd-file
    args = scheme=PLAIN {dir}/users
}}
userdb {{
    driver = static
    args = uid=nobody gid=nogroup home={dir}/home/%u
}}
service anvil {{
    unix_listener anvil-auth-penalty {{
        mode = 0
    }}
}}
service pop3-login {{
    inet_listener pop3 {{
        port = {port}
    }}
    inet_listener pop3s {{
        port = {tls_port}
        ssl = {ssl}
    }}
}}
service pop3 {{
    executable = pop3 pop3-postlogin
}}
service pop3-postlogin {{
    executable = script-login {dir}/postlogin
    user = root
    unix_listener pop3-postlogin {{
    }}
}}
"""


class Pop3:
    """One instance below directory. It offers STLS on port, and TLS from the
    first octet on tls_port; without tls, neither.

    accounts: {"name": "password"}, without a colon in either
    tls:      Certificates, of which the good one is shown, or None
    on_login: a shell command that is run at each login, with the client's
              address in $IP, before the server says that the login is good
    """

    def __init__(self, directory, accounts, tls=None, on_login=":"):
        self.dir, self.tls, self.on_login = Path(directory), tls, on_login
        self.accounts = dict(accounts)
        self.port, self.tls_port = free_port(), free_port()
        self._process = None

    @staticmethod
    def missing():
        """Why it cannot run here; None if it can."""
        if os.geteuid() != 0:
            return "Dovecot can only be started by root"
        if not Path("/usr/lib/dovecot/pop3").exists():
            return "Dovecot's POP3 server is not installed (Debian: dovecot-pop3d)"
        return None

    def start(self):
        for path in (self.dir, self.dir / "state"):
            path.mkdir(mode=0o755, exist_ok=True)
        home = self.dir / "home"
        if not home.exists():
            home.mkdir(mode=0o755)
            shutil.chown(home, "nobody", "nogroup")
        self.write_accounts()
        script = self.dir / "postlogin"
        script.write_text(f'#!/bin/sh\n{self.on_login}\nexec "$@"\n')
        script.chmod(0o755)
        certificate = self.tls and (f"ssl_cert = <{self.tls.cert_file('good')}\n"
                                    f"ssl_key = <{self.tls.key_file('good')}")
        (self.dir / "dovecot.conf").write_text(DOVECOT_CONF.format(
            dir=self.dir, port=self.port, tls_port=self.tls_port,
            ssl="yes" if self.tls else "no", certificate=certificate or "",
            secure="yes" if self.tls else "no"))
        self._process = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", self.dir / "dovecot.conf"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for port in (self.port, self.tls_port):
            wait_for(f"POP3 on port {port}", lambda p=port: listens(("127.0.0.1", p)),
                     log=self.dir / "log")
        return self

    def write_accounts(self):
        """Dovecot reads this anew when it has changed."""
        path = self.dir / "users"
        path.write_text("".join(f"{name}:{password}::::::\n"
                                for name, password in self.accounts.items()))
        shutil.chown(path, "dovecot")

    def stop(self):
        stop_process(self._process)
        self._process = None

    def logins(self):
        """How often somebody has logged in so far."""
        return self.log_text().count("Login: user=<")

    def log_text(self):
        path = self.dir / "log"
        return path.read_text(errors="replace") if path.exists() else ""
