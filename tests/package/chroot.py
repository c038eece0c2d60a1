"""A clean Debian in a folder, with processes of its own that end with it."""

import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

from lab import run, wait_for


def mirror():
    """(address, code name) of the release that this machine's own apt uses."""
    rows = run(["apt-get", "indextargets", "--format",
                "$(LABEL)|$(COMPONENT)|$(REPO_URI)|$(CODENAME)", "Created-By: Packages"])
    for row in sorted(set(rows.stdout.splitlines())):
        label, component, address, name = row.split("|")
        if label == "Debian" and component == "main" and "-" not in name:
            return address, name
    raise AssertionError("apt-get indextargets names no Debian release; run apt-get update")


def make_base(folder, cache):
    """debootstrap into folder; what it downloads stays in cache."""
    address, name = mirror()
    cache.mkdir(parents=True, exist_ok=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    run(["debootstrap", "--variant=minbase", f"--cache-dir={cache.resolve()}", name, folder,
         address], timeout=1800)
    settings = [line for line in run(["apt-config", "dump"]).stdout.splitlines()
                if line.startswith(("Acquire::http", "Acquire::https"))]
    (folder / "etc/apt/apt.conf.d/90here").write_text(
        "\n".join([*settings, 'APT::Install-Recommends "false";', 'Dpkg::Use-Pty "false";', ""]))
    policy = folder / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")      # no package starts a service
    policy.chmod(0o755)


class Chroot:
    """A copy of base. Its processes see one another only, and end with it."""

    def __init__(self, base, folder):
        self.root = Path(folder)
        run(["cp", "-a", base, folder], timeout=600)
        self.holder = self.pid = None

    def start(self):
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child",
             f"--mount-proc={self.root}/proc", "chroot", self.root,
             "sh", "-c", "sleep infinity & wait"],      # as init it buries what ends
            stdin=subprocess.DEVNULL)
        children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children")

        def is_up():
            pids = children.read_text().split()
            if not pids or Path(f"/proc/{pids[0]}/comm").read_text() != "sh\n":
                return None
            return pids[0]
        self.pid = wait_for("the chroot", is_up)
        return self

    def run(self, *command, ok=(0,), stdin=None, timeout=600):
        """Run a command in it; a single word is for the shell."""
        words = ["sh", "-ec", command[0]] if len(command) == 1 else command
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--root"]
        clean = ["env", "-C", "/", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
                 "LC_ALL=C.UTF-8",
                 "DEBIAN_FRONTEND=noninteractive",
                 *(f"{k}={v}" for k, v in os.environ.items() if k.endswith("_proxy"))]
        return run([*enter, *clean, *words], ok=ok, stdin=stdin, timeout=timeout)

    def out(self, *command):
        return self.run(*command).stdout.strip()

    def path(self, name):
        return self.root / name.lstrip("/")

    def stop(self):
        if self.holder is not None:
            self.holder.send_signal(signal.SIGKILL)
            self.holder.wait(20)
        # what was mounted went with the processes; should that not be so, stop here
        mounts = Path("/proc/mounts").read_text()
        assert f" {self.root.resolve()}/" not in mounts, "something is still mounted there"
        shutil.rmtree(self.root)


class Syslog:
    """The chroot's /dev/log: what its daemons say, as logcheck would read it."""

    def __init__(self, chroot):
        self.path = chroot.path("dev/log")
        self.lines = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(os.path.relpath(self.path))
        self.path.chmod(0o666)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while octets := self.socket.recv(65536):
            text = octets.rstrip(b"\0\n").decode(errors="replace").partition(">")[2]
            stamp, rest = text[:15], text[16:]
            self.lines.append(f"{stamp} mx {rest}")

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.path.unlink(missing_ok=True)
