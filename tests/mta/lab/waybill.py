"""waybill at work in one mail server: its files, the daemon and the tool."""

import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path

from .basics import (LabError, build_directory, free_port, kill_process,
                     listens, run, stop_process, wait_for)


class Waybill:
    """waybill.conf for one MTA; start() and apply() put it to work.

    text: the configuration but for the places of this lab's own, which come
    first: sockets, pid file, the instance, the secret.
    """

    def __init__(self, directory, mta, text, *, attach="before_queue",
                 lmtp_socket="unix:waybill/lmtp.sock", relayhosts=()):
        self.dir, self.mta = Path(directory), mta
        self.attach = attach
        self.conf = self.dir / "waybill.conf"
        self.log = self.dir / "log"
        self.socket = mta.sockets / "waybill" / "milter.sock"
        self.lmtp_socket = mta.sockets / lmtp_socket.removeprefix("unix:")
        self.loopback_port, self.again_port = free_port(), free_port()
        self._relayhosts = list(relayhosts)
        self._lmtp_socket = lmtp_socket
        self._process = None
        self._make(text)

    @staticmethod
    def missing():
        """Why it cannot run here; None if it can."""
        absent = [p for p in ("waybill-milter", "waybill")
                  if not os.access(build_directory() / p, os.X_OK)]
        return f"{', '.join(absent)} not built in {build_directory()}" if absent else None

    def _make(self, text):
        self.dir.mkdir(mode=0o755)
        (self.dir / "secrets").mkdir(mode=0o755)
        meeting = self.mta.sockets / "waybill"
        meeting.mkdir(parents=True, mode=0o750)    # as the daemon makes it,
        shutil.chown(meeting, "nobody", self.mta.group)  # but lmtp_socket comes first
        self.write_secret(secrets.token_hex(32))
        self.configure(text)

    def preamble(self):
        hosts = ", ".join(f'"{host}"' for host in self._relayhosts)
        return f"""\
mta               = {self.mta.kind}
attach            = {self.attach}
mta_config        = "{self.mta.etc}"
socket            = "{self.mta.written("unix:waybill/milter.sock")}"
socket_group      = "{self.mta.group}"
lmtp_socket       = "{self.mta.written(self._lmtp_socket)}"
loopback_listener = "127.0.0.1:{self.loopback_port}"
again_listener    = "127.0.0.1:{self.again_port}"
user              = "nobody"
pid_file          = "{self.dir}/run/milter.pid"
control_socket    = "{self.dir}/run/control"
secret_file       = "secret"
relayhosts        = {{ {hosts} }}
""" + self.mta.options()

    def configure(self, text):
        """Write waybill.conf; a running daemon learns of it by reload()."""
        self.text = text
        self.conf.write_text(self.preamble() + "\n" + text)

    def write_secret(self, *keys):
        """One key a line; root's, readable by the group of the daemon."""
        path = self.dir / "secret"
        path.write_text("".join(key + "\n" for key in keys))
        path.chmod(0o640)
        shutil.chown(path, "root", "nogroup")

    def password(self, name, password):
        """Write a password file; returns what password_file says."""
        path = self.dir / "secrets" / name
        path.write_text(password + "\n")
        path.chmod(0o600)
        return f"secrets/{name}"

    # the daemon

    def start(self):
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [build_directory() / "waybill-milter", "-f", "-c", self.conf],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self._wait_until_ready()
        return self

    def _wait_until_ready(self):
        def probe():
            if self._process.poll() is not None:
                raise LabError(f"waybill-milter ended with {self._process.returncode}:\n"
                               + self.log_text())
            return listens(self.socket)
        wait_for(f"waybill-milter on {self.socket}", probe, log=self.log)

    @property
    def pid(self):
        return self._process.pid if self._process else None

    def stop(self):
        stop_process(self._process)
        self._process = None

    def kill(self):
        """End the daemon as a crash would."""
        kill_process(self._process)
        self._process = None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_lines(self, *wanted):
        return [line for line in self.log_text().splitlines()
                if all(word in line for word in wanted)]

    # the tool

    def tool(self, command, *arguments, **options):
        """Run `waybill COMMAND -c CONF ARGUMENTS`."""
        return run([build_directory() / "waybill", command, "-c", self.conf, *arguments],
                   env=self.mta.environment(), **options)

    def apply(self, *arguments, **options):
        """Install into the MTA; returns when no process works by the old
        files any more."""
        with self.mta.being_installed_into():
            return self.tool("apply", "--mta-config", self.mta.etc, *arguments, **options)

    def undo(self, **options):
        return self.apply("--undo", **options)

    def reload(self, **options):
        return self.tool("reload", **options)

    def explain(self, sender, recipients, *more):
        """The decision, as the dictionary of --json."""
        words = ["--json", "--sender", sender or "<>"]
        for recipient in recipients:
            words += ["--recipient", recipient]
        return json.loads(self.tool("explain", *words, *more).stdout)
