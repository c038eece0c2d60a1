"""The MTA's side of LMTP, line by line, and a waybill-lmtp of a test's own."""

import base64
import hashlib
import hmac
import os
import re
import signal
import socket
import subprocess

from waybill_daemon import ENVIRONMENT, wait_for

SECRET = "0123456789abcdef0123456789abcdef"
SIGNING_KEYS = ("the new key of the webhook", "the old key of the webhook")

CONFIG = """\
lmtp_socket     = "unix:lmtp.sock"
socket_group    = ""
queue_directory = "{dir}"
lmtp_user       = ""
lmtp_pid_file   = "{dir}/lmtp.pid"
spool_directory = "{dir}"
secret_file     = "secret"
"""

LETTER = b"From: a@remote.test\r\nTo: info@form.test\r\nSubject: x\r\n\r\nText.\r\n"


def hmac_base32(key, octets, *parts):
    text = b"".join(part.encode() + b"\0" for part in parts)
    made = hmac.new(key.encode(), text, hashlib.sha256).digest()[:octets]
    return base64.b32encode(made).decode().lower().rstrip("=")


def mark(address, webhook="crm", filter_="mailform", key=SECRET):
    """The recipient that waybill makes of address (DESIGN: decision 12)."""
    mac = hmac_base32(key, 16, "hook", webhook, filter_, address.lower())
    label = hmac_base32(key, 5, "label")
    return f"{address}.{webhook}.{filter_}.{mac}.hook.{label}.waybill.invalid"


def webhook(name, url, *options):
    more = "  ".join(("format = raw", "allow_private = yes", *options))
    return f'webhook {name} {{ url = "{url}"  {more} }}\n'


class Lmtp:
    """One connection."""

    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.octets = b""
        self.greeting = self.reply()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def raw(self, octets):
        self.socket.sendall(octets)

    def line(self):
        """One line without its CRLF; None when the server has closed."""
        while b"\r\n" not in self.octets:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                assert self.octets == b"", self.octets
                return None
            self.octets += more
        line, _, self.octets = self.octets.partition(b"\r\n")
        return line.decode()

    def reply(self):
        """The last line of one reply."""
        while (line := self.line()) is not None and line[3:4] == "-":
            pass
        return line

    def replies(self, count):
        return [self.reply() for _ in range(count)]

    def say(self, text):
        self.raw(text.encode() + b"\r\n")
        return self.reply()

    def lhlo(self):
        """The keywords that the server knows."""
        self.raw(b"LHLO mx.test\r\n")
        lines = [self.line()]
        while lines[-1][3] == "-":
            lines.append(self.line())
        assert all(line[:3] == "250" for line in lines), lines
        return [line[4:] for line in lines[1:]]

    def envelope(self, sender, recipients):
        """The replies to all recipients; MAIL must be taken."""
        reply = self.say(f"MAIL FROM:<{sender}>")
        assert reply.startswith("250"), reply
        return [self.say(f"RCPT TO:<{recipient}>") for recipient in recipients]

    def content(self, octets):
        """DATA, dots stuffed, without waiting for what comes of it."""
        assert self.say("DATA").startswith("354")
        self.raw(re.sub(rb"(?m)^\.", b"..", octets) + b".\r\n")

    def send(self, recipients, octets=LETTER, sender="a@remote.test"):
        """A whole message. The reply of each recipient, those of RCPT for the
        ones that were refused there."""
        found = self.envelope(sender, recipients)
        taken = [i for i, reply in enumerate(found) if reply.startswith("250")]
        if taken:
            self.content(octets)
            for i in taken:
                found[i] = self.reply()
        return found


class LmtpDaemon:
    """waybill-lmtp in the foreground."""

    def __init__(self, build, directory, text):
        self.build, self.dir = build, directory
        self.conf, self.log = directory / "waybill.conf", directory / "lmtp.log"
        self.socket, self.pid_file = directory / "lmtp.sock", directory / "lmtp.pid"
        self.process = None
        self.write("secret", SECRET + "\n")
        self.write("keys", "".join(key + "\n" for key in SIGNING_KEYS))
        self.configure(text)

    def write(self, name, text, mode=0o640):
        path = self.dir / name
        path.write_text(text)
        path.chmod(mode)

    def configure(self, text, **options):
        """options replace those of CONFIG."""
        lines = CONFIG.format(dir=self.dir)
        for name, value in options.items():
            lines = re.sub(rf"^{name} .*\n", "", lines, flags=re.M) + f"{name} = {value}\n"
        self.conf.write_text(lines + text)

    def command(self, *options):
        return [str(self.build / "waybill-lmtp"), "-c", str(self.conf), *options]

    def run(self, *options, timeout=30):
        """Run to the end, as with -t or in the background."""
        return subprocess.run(self.command(*options), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=timeout, check=False)

    def start(self, **environment):
        before = self.ready_lines()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command("-f"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **ENVIRONMENT, **environment})
        wait_for("waybill-lmtp", lambda: self._is_ready(before))
        return self

    def ready_lines(self):
        return self.text().count(" ready\n")

    def _is_ready(self, before):
        assert self.process.poll() is None, f"ended with {self.process.returncode}\n{self.text()}"
        return self.ready_lines() > before

    def connect(self):
        """Past LHLO."""
        client = Lmtp(self.socket)
        client.lhlo()
        return client

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_for_log(self, *words, timeout=20):
        wait_for(f"a log line with {words}",
                 lambda: any(all(word in line for word in words)
                             for line in self.text().splitlines()), timeout)

    def reload(self):
        before = self.text().count("reload")
        self.process.send_signal(signal.SIGHUP)
        wait_for("a reload", lambda: self.text().count("reload") > before)

    def kill(self):
        self.process.kill()
        self.process.wait(20)

    def stop(self):
        """A clean stop. Sanitizers report at the end, so the status counts."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(40)
        assert status == 0, f"ended with {status}\n{self.text()}"

    def end(self):
        """At the end of a test, whatever happened in it."""
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            finally:
                if self.process.poll() is None:
                    self.kill()
        assert "Sanitizer" not in self.text() and "runtime error" not in self.text(), self.text()


__all__ = ["LETTER", "Lmtp", "LmtpDaemon", "SECRET", "SIGNING_KEYS", "mark",
           "wait_for", "webhook"]
