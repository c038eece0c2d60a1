"""waybill-lmtp at work for one Waybill of the lab."""

import re
import shutil
import subprocess

from .basics import (LabError, build_directory, kill_process, stop_process, wait_for)

SOCKET = "unix:waybill-lmtp/lmtp.sock"


class WaybillLmtp:
    """Uses the configuration of a Waybill that was made with
    lmtp_socket = SOCKET. options() stands in its text."""

    def __init__(self, directory):
        self.dir = directory
        self.log = directory / "lmtp.log"
        self._process = None

    def options(self, **more):
        """Its options outside of sections."""
        spool = self.dir / "spool"
        spool.mkdir(mode=0o700, exist_ok=True)
        shutil.chown(spool, "nobody", "nogroup")
        text = {"lmtp_user": '"nobody"', "lmtp_pid_file": f'"{self.dir}/lmtp-run/pid"',
                "spool_directory": f'"{spool}"', **more}
        return "".join(f"{name} = {value}\n" for name, value in text.items())

    def key(self, name, *lines):
        """Write a key file, as its user may read it; returns what an option
        says of it."""
        path = self.dir / name
        path.write_text("".join(line + "\n" for line in lines))
        path.chmod(0o640)
        shutil.chown(path, "root", "nogroup")
        return f'"{path}"'

    def start(self, waybill):
        before = self.log_text().count(" ready\n")
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [build_directory() / "waybill-lmtp", "-f", "-c", waybill.conf],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)

        def is_ready():
            if self._process.poll() is not None:
                raise LabError(f"waybill-lmtp ended with {self._process.returncode}:\n"
                               + self.log_text())
            return self.log_text().count(" ready\n") > before
        wait_for("waybill-lmtp", is_ready, log=self.log)
        return self

    def stop(self):
        stop_process(self._process, timeout=40)
        self._process = None

    def kill(self):
        """End it as a crash would."""
        kill_process(self._process)
        self._process = None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_lines(self, *wanted):
        return [line for line in self.log_text().splitlines()
                if all(word in line for word in wanted)]

    def most_memory_kb(self):
        """The most that was resident so far (VmHWM)."""
        with open(f"/proc/{self._process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"^VmHWM:\s+(\d+) kB$", status.read(), re.M).group(1))

    def forget_most_memory(self):
        """What was most so far does not count any more."""
        with open(f"/proc/{self._process.pid}/clear_refs", "w", encoding="ascii") as refs:
            refs.write("5")
