"""Throwaway configuration directories for `waybill maps` and `apply`.

Nothing here starts Postfix: its tools (postconf, postmap) are asked, and
where a test needs a running one, small programs in front of PATH play it.
tests/mta has the real one."""

import os
import pathlib
import re
import shutil
import stat
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
SECRET = "0123456789abcdef0123456789abcdef\n"
OLD_SECRET = "fedcba9876543210fedcba9876543210\n"

MAIN = """\
# our own main.cf
compatibility_level = 3.6
queue_directory = {queue}
mydestination = mx.example, localhost
  # a comment in between
  localhost.localdomain
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions=permit_mynetworks,reject_unauth_destination
"""

MASTER = """\
# our own master.cf
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
#  -o syslog_name=postfix/submission
  -o smtpd_recipient_restrictions=
  -o { smtpd_milters = inet:127.0.0.1:8891 inet:127.0.0.1:8892 }
10025     inet  n       -       n       -       -       smtpd
  -o smtpd_milters=  -o smtpd_recipient_restrictions=permit_mynetworks,reject
pickup    unix  n       -       y       60      1       pickup
  -o receive_override_options=no_header_body_checks
cleanup   unix  n       -       y       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       y       -       -       trivial-rewrite
bounce    unix  -       -       y       -       0       bounce
defer     unix  -       -       y       -       0       bounce
trace     unix  -       -       y       -       0       bounce
smtp      unix  -       -       y       -       -       smtp
error     unix  -       -       y       -       -       error
retry     unix  -       -       y       -       -       error
local     unix  -       n       n       -       -       local
"""


class Bench:
    """A waybill.conf, a Postfix configuration directory, and the tool."""

    def __init__(self, tmp, build):
        self.tmp, self.build = tmp, build
        self.conf, self.etc = tmp / "conf", tmp / "etc"
        self.bin, self.queue = tmp / "bin", tmp / "queue"
        for folder in (self.conf, self.conf / "secrets", self.etc, self.bin, self.queue):
            folder.mkdir()
        self.put(self.conf / "secret", SECRET)
        self.put(self.conf / "secrets/docomo", "se:kr=it #1\n")
        self.put(self.conf / "secrets/au", "other\n")
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", self.conf / "ca.pem")
        self.main = self.etc / "main.cf"
        self.master = self.etc / "master.cf"
        self.main.write_text(MAIN.format(queue=self.queue))
        self.master.write_text(MASTER)

    @staticmethod
    def put(path, text, mode=0o600):
        path.write_text(text)
        path.chmod(mode)

    def sample(self, name):
        shutil.copy(HERE / "samples" / name / "waybill.conf", self.conf / "waybill.conf")

    def configure(self, text):
        own = f'queue_directory = "{self.queue}"\nmta_config = "{self.etc}"\n'
        (self.conf / "waybill.conf").write_text(own + text)

    def program(self, name, text):
        """Put a shell script in front of PATH."""
        self.put(self.bin / name, "#!/bin/sh\n" + text, 0o755)

    def run(self, *arguments, ok=0):
        done = subprocess.run([self.build / "waybill", *map(str, arguments)],
                              capture_output=True, text=True, timeout=120,
                              env=dict(os.environ, PATH=f"{self.bin}:{os.environ['PATH']}"))
        if ok is not None:
            assert done.returncode == ok, (done.returncode, done.stdout, done.stderr)
        return done

    def maps(self, out, **more):
        return self.run("maps", "-c", self.conf / "waybill.conf", "--out", out, **more)

    def apply(self, *arguments, **more):
        # Postfix's tools wait until main.cf is two seconds old.
        os.utime(self.main, (1, 1))
        try:
            return self.run("apply", "-c", self.conf / "waybill.conf", *arguments, **more)
        finally:
            os.utime(self.main, (1, 1))

    def postconf(self, *arguments):
        os.utime(self.main, (1, 1))
        done = subprocess.run(["postconf", "-c", self.etc, *arguments],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return done.stdout

    def value(self, name):
        return self.postconf("-xh", name).rstrip("\n")

    def answer(self, table, key):
        """What a table of the configuration directory answers, or None."""
        done = subprocess.run(["postmap", "-c", self.etc, "-q", key, table],
                              capture_output=True, text=True, timeout=60)
        assert not done.stderr, done.stderr
        return done.stdout.rstrip("\n") if done.returncode == 0 else None

    def label(self, which=0):
        found = re.findall(r"\\\.([a-z2-7]{8})\\\.waybill",
                           (self.etc / "waybill/strip.pcre").read_text())
        return list(dict.fromkeys(found))[which]

    def snapshot(self):
        """Every file below the configuration directory: octets, mode, inode."""
        return {str(p.relative_to(self.etc)):
                (p.read_bytes(), stat.S_IMODE(p.stat().st_mode), p.stat().st_ino)
                for p in sorted(self.etc.rglob("*")) if p.is_file()}


@pytest.fixture
def bench(tmp_path, build):
    return Bench(tmp_path, build)
