"""A waybill-milter of a test's own: its configuration, its process, its end."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time

from milter import Closed, Milter

# of a sanitizer build: what libraries keep for threads that end with the process
ENVIRONMENT = {"LSAN_OPTIONS": "print_suppressions=0:suppressions="
               + str(pathlib.Path(__file__).parent / "lsan.supp")}

CONFIG = """\
socket            = "unix:milter.sock"
socket_group      = ""
queue_directory   = "{dir}"
user              = ""
pid_file          = "{dir}/milter.pid"
control_socket    = "{dir}/control.sock"
secret_file       = "secret"
networks          = {{ "127.0.0.0/8", "::1/128" }}
"""

ROUTES = """\
route docomo { host = "[127.0.0.1]" port = 2525 }
route bulk   { host = "[127.0.0.1]" port = 2526 }
rule mobile  { priority = 10 recipients = { "docomo.ne.jp" } route = docomo }
rule letters { priority = 20 header = { "X-Scenario", '^welcome' } route = docomo }
rule other   { priority = 90 route = bulk }
return_path main { senders = { "example.com" } mode = domain domain = "return.example.com" }
"""

LABEL = r"[a-z2-7]{8}"


def routed(address, route, packet):
    """Is packet the addition of address on its way to route?"""
    pattern = rf"<{re.escape(address)}\.{route}\.{LABEL}\.waybill\.invalid>"
    return packet[0] == "2" and re.fullmatch(pattern, packet[1]) is not None


def wait_for(what, probe, timeout=20):
    deadline = time.monotonic() + timeout
    while not probe():
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        time.sleep(0.005)


class Daemon:
    def __init__(self, build, directory, text=ROUTES, **options):
        self.build, self.dir = build, directory
        self.conf = directory / "waybill.conf"
        self.log = directory / "log"
        self.socket = directory / "milter.sock"
        self.control = directory / "control.sock"
        self.pid_file = directory / "milter.pid"
        self.process = None
        secret = directory / "secret"
        secret.write_text("0123456789abcdef0123456789abcdef\n")
        secret.chmod(0o640)
        self.configure(text, **options)

    def configure(self, text=ROUTES, **options):
        """options replace those of CONFIG; a value of None drops one."""
        lines = CONFIG.format(dir=self.dir)
        for name, value in options.items():
            line = "" if value is None else f"{name} = {value}\n"
            lines = re.sub(rf"^{name} .*\n", "", lines, flags=re.M) + line
        self.conf.write_text(lines + text)

    def command(self, *options):
        return [str(self.build / "waybill-milter"), "-c", str(self.conf), *options]

    def spawn(self, **environment):
        """Start it in the foreground; it may not be ready yet."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command("-f"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **ENVIRONMENT, **environment})
        return self

    def start(self, **environment):
        self.spawn(**environment)
        wait_for("the daemon", self._is_ready)
        return self

    def _is_ready(self):
        assert self.process.poll() is None, f"ended with {self.process.returncode}\n{self.text()}"
        return self.ping() is not None

    def run(self, *options, timeout=30):
        """Run to the end, as with -t or in the background."""
        return subprocess.run(self.command(*options), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=timeout, check=False)

    def ask(self, question, timeout=30):
        """The control socket's answer, as lines."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(timeout)
            s.connect(str(self.control))
            s.sendall(question.encode())
            return read_all(s).decode().splitlines()

    def ping(self):
        try:
            return self.ask("ping\n")
        except OSError:
            return None

    def reload(self):
        return self.ask("reload\n")

    def text(self):
        return self.log.read_text(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait(20)

    def stop(self):
        """A clean stop. Sanitizers report at the end, so the status counts."""
        if self.process is None or self.process.poll() is not None:
            return
        self.wait_for_libmilter()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        assert code == 0, (code, self.text())

    def wait_for_libmilter(self):
        """ThreadSanitizer may hand a signal to libmilter while that begins,
        which libmilter takes amiss: until it has answered an MTA."""
        try:
            with Milter(self.socket) as m:
                m.negotiate()
        except (OSError, Closed):
            pass

    def end(self):
        """At the end of a test, whatever happened in it."""
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            finally:
                if self.process.poll() is None:
                    self.kill()
        if self.log.exists():
            text = self.text()
            assert "Sanitizer" not in text and "runtime error" not in text, text


def listens(address):
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family) as s:
        try:
            s.connect(address if isinstance(address, tuple) else str(address))
        except OSError:
            return False
        return True


def read_all(s):
    octets = b""
    while more := s.recv(4096):
        octets += more
    return octets
