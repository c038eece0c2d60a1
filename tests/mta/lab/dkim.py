"""OpenDKIM as a signing milter, and as the judge of its signatures."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from .basics import free_port, kill_process, listens, run, wait_for


class OpenDKIM:
    """Signs mail from domain, with a throwaway key, for clients on loopback."""

    SELECTOR = "lab"

    def __init__(self, directory, domain):
        self.dir, self.domain = Path(directory), domain
        self.port = free_port()
        self._process = None

    @staticmethod
    def missing():
        """Why it cannot run here; None if it can."""
        return None if shutil.which("opendkim", path="/usr/sbin") else \
            "OpenDKIM is not installed (Debian: opendkim)"

    @property
    def milter(self):
        return f"inet:127.0.0.1:{self.port}"

    def start(self):
        self.dir.mkdir(mode=0o755)
        key = self.dir / "key.pem"
        run(["openssl", "genrsa", "-traditional", "-out", key, "2048"])
        key.chmod(0o600)
        public = run(["openssl", "rsa", "-in", key, "-pubout"]).stdout
        record = "v=DKIM1; k=rsa; p=" + "".join(public.splitlines()[1:-1])
        (self.dir / "keys").write_text(
            f"{self.SELECTOR}._domainkey.{self.domain} {record}\n")
        self._write("signer.conf",
                    f"Mode s\nDomain {self.domain}\nSelector {self.SELECTOR}\n"
                    f"KeyFile {key}\nInternalHosts 127.0.0.0/8\n")
        self._write("judge.conf", f"Mode v\nTestPublicKeys {self.dir}/keys\n")
        log = (self.dir / "log").open("w")
        self._process = subprocess.Popen(
            ["/usr/sbin/opendkim", "-f", "-x", self.dir / "signer.conf",
             "-p", f"inet:{self.port}@127.0.0.1"],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        wait_for(f"OpenDKIM on port {self.port}",
                 lambda: listens(("127.0.0.1", self.port)), log=self.dir / "log")
        return self

    def _write(self, name, text):
        # UserID: as started. No log but ours, no look at the system's files.
        (self.dir / name).write_text(
            text + "Syslog no\nCanonicalization relaxed/simple\nUMask 022\n"
            "RequireSafeKeys no\nOversignHeaders From\n")

    def stop(self):
        kill_process(self._process)   # it takes five seconds over a SIGTERM

    def judge(self, message):
        """Does the signature of this message (as bytes) hold? True or False."""
        with tempfile.NamedTemporaryFile(dir=self.dir) as file:
            file.write(message)
            file.flush()
            done = run(["/usr/sbin/opendkim", "-x", self.dir / "judge.conf",
                        "-vv", "-t", file.name], ok=None)
        return bool(re.search(r"verification .*succeeded", done.stdout + done.stderr))
