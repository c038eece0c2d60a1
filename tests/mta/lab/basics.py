"""Waiting, ports and commands: what every server of the lab needs."""

import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


class LabError(AssertionError):
    """The lab itself, or a program under test, did not do its part in time."""


def build_directory():
    """Where the programs under test are."""
    return Path(os.environ.get("WAYBILL_BUILD", ROOT / "build")).resolve()


def missing_for_postfix(types=("pcre", "texthash")):
    """Why no throwaway Postfix can run here, as one clause; None if it can.
    types: the table types that it has to have."""
    if os.geteuid() != 0:
        return "Postfix can only be started by root"
    if not shutil.which("postfix", path="/usr/sbin:/sbin"):
        return "Postfix is not installed (Debian: postfix, postfix-pcre)"
    # Of this machine's own Postfix only the programs are used: it need not be
    # configured, and as the packages are installed here it is not.
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "main.cf").write_text("compatibility_level = 3.6\n")
        known = run(["/usr/sbin/postconf", "-c", folder, "-m"]).stdout.split()
    absent = [t for t in types if t not in known]
    if absent:
        return (f"Postfix lacks the table types {', '.join(absent)} (Debian: "
                + ", ".join(f"postfix-{t}" for t in absent) + ")")
    return None


def wait_for(what, probe, timeout=15.0, log=None):
    """Poll probe() until it returns something true, and return that.

    log: a path, or a function that returns text, whose tail explains a
    failure.
    """
    end = time.monotonic() + timeout
    pause = 0.002
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > end:
            raise LabError(f"after {timeout:g} s still no {what}" + tail(log))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def tail(log, lines=25):
    """The end of a log as part of an error text; empty without one."""
    if log is None:
        return ""
    if callable(log):
        text = log()
    else:
        path = Path(log)
        text = path.read_text(errors="replace") if path.exists() else "(no log)"
    return "\n--- log ---\n" + "\n".join(text.splitlines()[-lines:])


_held = []   # sockets whose names say which ports this process has given out


def free_port():
    """A loopback port that nothing listens on, and that no other call was
    given, here or in tests that run at the same time.

    Below the kernel's range for outgoing connections, so that no client gets
    it between this look and the server's own bind.
    """
    for _ in range(1000):
        port = random.randrange(18000, 31000)
        if _is_free(port) and _hold(port):
            return port
    raise LabError("no free port on 127.0.0.1 between 18000 and 31000")


def _is_free(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _hold(port):
    """Take the port's name until this process ends; False if it is taken. A
    name, not the port: the server that will have it must be able to bind."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0waybill-lab-port-{port}")
    except OSError:
        name.close()
        return False
    _held.append(name)
    return True


def listens(address):
    """Does something accept connections there? A (host, port) or a path."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family) as s:
        s.settimeout(1)
        try:
            s.connect(address if isinstance(address, tuple) else str(address))
        except OSError:
            return False
        return True


def run(command, *, stdin=None, ok=(0,), timeout=60, cwd=None, env=None):
    """Run a command to its end; an exit status that is not in ok is an error
    that quotes what the command said. ok=None accepts every status. env: what
    stands in its environment beside ours."""
    command = [str(word) for word in command]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True,
                          timeout=timeout, check=False, cwd=cwd,
                          env={**os.environ, **env} if env else None,
                          stdin=None if stdin is not None else subprocess.DEVNULL)
    if ok is not None and done.returncode not in ok:
        raise LabError(f"{' '.join(command)}: exit status {done.returncode}\n"
                       f"{done.stdout}{done.stderr}".rstrip())
    return done


def stop_process(process, timeout=10):
    """End one process of ours: politely, then not."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout)


def kill_process(process):
    """End one process of ours at once."""
    if process is not None and process.poll() is None:
        process.kill()
        process.wait(10)
