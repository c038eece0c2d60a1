"""What the daemons can no longer do once they serve: tried from inside them."""

import ctypes
import pathlib
import re
import signal

import pytest

from lmtp import mark, webhook
from milter import CONTINUE, Milter
from waybill_daemon import wait_for

CREATE_RULESET, VERSION = 444, 1


def landlock():
    """The kernel's version of it, 0 without."""
    libc = ctypes.CDLL(None)
    return max(0, libc.syscall(CREATE_RULESET, None, 0, VERSION))


needs_landlock = pytest.mark.skipif(landlock() < 6, reason="needs Linux 6.12 with Landlock")

# What must fail in both, and why: Landlock (EACCES, EXDEV; EPERM for processes)
# or seccomp (EPERM, EAFNOSUPPORT).
REFUSED = {
    "write": "EACCES", "truncate": "EACCES", "make": "EACCES", "tmpfile": "EACCES",
    "mkdir": "EACCES", "symlink": "EACCES", "link": "EACCES", "rename": "EACCES",
    "unlink": "EACCES", "mkfifo": "EPERM", "chmod": "EPERM", "chown": "EPERM",
    "fchmodat2": "EPERM", "bind": "EPERM", "listen": "EPERM", "netlink": "EAFNOSUPPORT",
    "packet": "EAFNOSUPPORT", "cut": "EAFNOSUPPORT", "kill": "EPERM", "ptrace": "EPERM",
    "setuid": "EPERM", "unshare": "EPERM",
    "mount": "EPERM", "exec": "EPERM",
}


@pytest.fixture
def with_probe(probe, tmp_path):
    """The environment that puts the probe into a daemon, and the folder it
    attacks, which is not one of the daemon's."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "victim").write_text("precious")
    return folder, probe


def answers(daemon):
    wait_for("the probe", lambda: "probe end ok" in daemon.text())
    lines = re.findall(r"^probe (\w+)(?:: | )(\w+)$", daemon.text(), re.M)
    return dict(lines)


def status(process):
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return dict(re.findall(r"^(\w+):\s+(.*)$", text, re.M))


def untouched(folder):
    assert [p.name for p in folder.iterdir()] == ["victim"]
    assert (folder / "victim").read_text() == "precious"
    return True


def is_confined(process):
    seen = status(process)
    return (seen["NoNewPrivs"], seen["Seccomp"]) == ("1", "2") and all(
        int(seen[name], 16) == 0 for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"))


@needs_landlock
def test_the_milter_is_confined(make_daemon, with_probe):
    folder, environment = with_probe
    daemon = make_daemon().start(PROBE_FOLDER=str(folder), **environment)
    got = answers(daemon)
    assert {name: got[name] for name in REFUSED} == REFUSED
    assert (got["read"], got["unix"]) == ("ok", "ok")
    assert (got["inet"], got["inet6"]) == ("EAFNOSUPPORT", "EAFNOSUPPORT")
    assert untouched(folder) and is_confined(daemon.process)
    with Milter(daemon.socket) as m:
        assert m.greet().message("<info@example.com>", ["<a@docomo.ne.jp>"])[1] == CONTINUE
    assert daemon.reload() == ["ok"]


@needs_landlock
def test_waybill_lmtp_is_confined_but_may_call_others(make_lmtp, receiver, with_probe,
                                                      monkeypatch):
    folder, environment = with_probe
    daemon = make_lmtp(webhook("crm", receiver.url()))
    with monkeypatch.context() as m:
        for name, value in environment.items():
            m.setenv(name, value)
        m.setenv("PROBE_FOLDER", str(folder))
        daemon.start()
    with daemon.connect() as client:
        assert client.send([mark("info@form.test")])[0].startswith("250 ")
    got = answers(daemon)
    assert {name: got[name] for name in REFUSED} == REFUSED
    assert (got["read"], got["inet"], got["inet6"]) == ("ok", "ok", "ok")
    assert untouched(folder) and is_confined(daemon.process)


def test_a_kernel_that_has_neither(make_daemon, with_probe):
    daemon = make_daemon().start(PROBE_KERNEL="old", **with_probe[1])
    assert "no Landlock (" in daemon.text() and "no seccomp (" in daemon.text()
    seen = status(daemon.process)
    assert (seen["NoNewPrivs"], seen["Seccomp"]) == ("1", "0")
    assert int(seen["CapEff"], 16) == 0
    with Milter(daemon.socket) as m:
        assert m.greet().message("<info@example.com>", ["<a@docomo.ne.jp>"])[1] == CONTINUE
    assert daemon.reload() == ["ok"]
    daemon.stop()
    assert not daemon.socket.exists() and not daemon.pid_file.exists()


@pytest.mark.parametrize("version", range(1, 8))
def test_older_versions_of_landlock(make_daemon, with_probe, version):
    """What they do not know is not asked of them; what they know holds."""
    if version > landlock():
        pytest.skip(f"needs Landlock {version}")
    folder, environment = with_probe
    daemon = make_daemon().start(PROBE_KERNEL=str(version), PROBE_FOLDER=str(folder),
                                 **environment)
    got = answers(daemon)
    since = {"truncate": 3, "kill": 6, "link": 2, "rename": 2}
    for name, why in REFUSED.items():
        if version >= since.get(name, 1):
            assert got[name] == why, name
        else:
            assert name in ("truncate", "kill") or got[name] != "ok", name
    with Milter(daemon.socket) as m:
        assert m.greet().message("<info@example.com>", ["<a@docomo.ne.jp>"])[1] == CONTINUE
    daemon.stop()
    assert not daemon.socket.exists() and not daemon.pid_file.exists()


@needs_landlock
@pytest.mark.parametrize("host, family", [("127.0.0.1", "inet"), ("::1", "inet6")])
def test_an_inet_socket_is_confined_as_well(make_daemon, free_port, with_probe, host, family):
    folder, environment = with_probe
    daemon = make_daemon(socket=f'"{family}:{free_port}@{host}"')
    daemon.start(PROBE_FOLDER=str(folder), **environment)
    got = answers(daemon)
    assert (got["inet"], got["inet6"]) == ("EAFNOSUPPORT", "EAFNOSUPPORT")
    with Milter((host, free_port)) as m:
        assert m.greet().message("<info@example.com>", ["<a@docomo.ne.jp>"])[1] == CONTINUE
        daemon.process.terminate()
        assert daemon.process.wait(4) == 0, "it wakes libmilter by a socket opened before"


@pytest.mark.parametrize("option", ["spool_directory", "log_file"])
def test_a_reload_that_would_need_another_folder_is_refused(make_lmtp, receiver, option):
    """Rather than have messages fail after it. Another name in the same folder
    is no trouble."""
    def bounces(path):
        return (webhook("crm", receiver.url()) + 'bounces { domains = { "return.test" }'
                f' webhook = crm report = both log_file = "{path}" }}\n')
    daemon = make_lmtp("")
    other = daemon.dir / "other"
    other.mkdir()
    daemon.configure(bounces(daemon.dir / "one.log"))
    daemon.start()
    daemon.configure(bounces(daemon.dir / "two.log"))
    daemon.process.send_signal(signal.SIGHUP)
    wait_for("the reload", lambda: "configuration reloaded" in daemon.text())
    if option == "log_file":
        daemon.configure(bounces(other / "two.log"))
    else:
        daemon.configure(bounces(daemon.dir / "two.log"), spool_directory=f'"{other}"')
    daemon.process.send_signal(signal.SIGHUP)
    wait_for("the answer", lambda: "reload refused" in daemon.text())
    assert f"{option}: another folder than at the start" in daemon.text()
    with daemon.connect() as client:
        assert client.send([mark("info@form.test")])[0].startswith("250 ")
