"""The systemd units: how much they expose, and that they allow what is needed."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNITS = sorted((ROOT / "contrib").glob("*.service"))
sys.path[:0] = [str(ROOT / "tests/dialogue")]

from milter import CONTINUE, Milter       # noqa: E402
from waybill_daemon import Daemon         # noqa: E402

has_analyze = shutil.which("systemd-analyze") is not None
needs_analyze = pytest.mark.skipif(not has_analyze, reason="systemd-analyze is not installed")


# Times ten. `postfix reload` becomes Postfix's user, and POP servers may be
# anywhere: with the two, no less is to be had.
MOST, EXCEPTIONS = 20, {"waybill-pop": 22}


@needs_analyze
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_the_exposure_is_at_most_two(unit):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                           f"--threshold={EXCEPTIONS.get(unit.stem, MOST)}", unit], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, done.stdout.splitlines()[-1:] + done.stderr.splitlines()


def members(name):
    """The system calls of a set of systemd's, the sets in it opened."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], check=True,
                          capture_output=True, text=True, timeout=60).stdout
    calls = set()
    for word in text.splitlines()[1:]:
        word = word.strip()
        if word.startswith("@"):
            calls |= members(word)
        elif word and not word.startswith("#"):
            calls.add(word)
    return calls


def allowed(unit):
    calls = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(), re.M):
        for word in line.split():
            assert not word.startswith("~"), "here only what is allowed"
            calls |= members(word) if word.startswith("@") else {word}
    return calls


@needs_analyze
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_the_milters_unit_allows_every_call_that_it_makes(build, tmp_path):
    """A start, a message, a reload and a stop, as the unit starts it."""
    folder = pathlib.Path("/tmp") / f"wb-unit-{os.getpid()}"    # a socket's path is short
    folder.mkdir(mode=0o755)
    try:
        daemon = Daemon(build, folder)
        trace = tmp_path / "trace"
        command = daemon.command
        daemon.command = lambda *o: ["strace", "-qq", "-f", "-o", str(trace), *command(*o)]
        daemon.start()
        with Milter(daemon.socket) as m:
            assert m.greet().message("<info@example.com>", ["<a@docomo.ne.jp>"])[1] == CONTINUE
        assert daemon.reload() == ["ok"]
        os.kill(int(daemon.pid_file.read_text()), signal.SIGTERM)
        assert daemon.process.wait(20) == 0
    finally:
        shutil.rmtree(folder)
    made = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.M))
    assert {"capset", "landlock_restrict_self", "seccomp"} <= made
    assert made - allowed(ROOT / "contrib/waybill-milter.service") - {"execve"} == set()


def test_what_reloads_is_not_what_stops():
    """SIGHUP stops libmilter."""
    milter, lmtp = ((ROOT / f"contrib/waybill-{name}.service").read_text()
                    for name in ("milter", "lmtp"))
    assert re.search(r"^ExecReload=\S+/waybill reload -c ", milter, re.M)
    assert re.search(r"^ExecReload=/bin/kill -HUP \$MAINPID$", lmtp, re.M)
    for text in (milter, lmtp):
        assert "\nType=notify\n" in text and "\nCapabilityBoundingSet=\n" in text
