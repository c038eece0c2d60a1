"""Start, reload and stop; sockets, files and users."""

import os
import shutil
import pwd
import re
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from milter import ALL_STEPS, CONTINUE, STEPS, Closed, Milter, strings
from waybill_daemon import ROUTES, Daemon, listens, read_all, routed, wait_for

SENDER, RECIPIENT = "<info@example.com>", "<a@docomo.ne.jp>"
BROKEN = ROUTES + "route broken { host = \"[127.0.0.1]\" port = 70000 }\n"
OTHER = ROUTES.replace('"docomo.ne.jp" } route = docomo', '"docomo.ne.jp" } route = bulk')
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def route_of(m):
    wanted, verdict = m.message(SENDER, [RECIPIENT])
    assert verdict == CONTINUE
    return next(p[2] for p in wanted if p[0] == "h")


# sockets

def test_a_clean_stop_leaves_nothing(daemon):
    with Milter(daemon.socket) as m:
        assert route_of(m.greet()) == "docomo"
    assert daemon.socket.exists() and daemon.control.exists()
    assert int(daemon.pid_file.read_text()) == daemon.process.pid
    daemon.stop()
    for path in (daemon.socket, daemon.control, daemon.pid_file):
        assert not path.exists(), path


@pytest.mark.alone
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_stop_it_at_once(daemon, number):
    """libmilter alone would take up to 5 s."""
    with Milter(daemon.socket) as m:
        m.greet()
        m.mail(SENDER)
        daemon.process.send_signal(number)
        assert daemon.process.wait(4) == 0
        assert m.is_closed()


@pytest.mark.parametrize("host, family", [("127.0.0.1", "inet"), ("::1", "inet6")])
def test_inet_sockets(make_daemon, free_port, host, family):
    daemon = make_daemon(socket=f'"{family}:{free_port}@{host}"').start()
    with Milter((host, free_port)) as m:
        assert route_of(m.greet()) == "docomo"
        assert not m.has("NODATA") and not m.has("NR_DATA"), "see milter/negotiate.c"
        m.mail(SENDER)
        m.rcpt("<a@docomo.ne.jp>")
        assert m.data() == CONTINUE
    daemon.stop()


def system_calls_that_write(daemon):
    text = (Path("/proc") / str(daemon.process.pid) / "io").read_text()
    return int(re.search(r"^syscw: (\d+)$", text, re.M).group(1))


def test_a_message_is_changed_by_one_write(daemon, mta):
    """And logged by one. What is more than milter/gather.c has room for takes
    another; nothing is lost."""
    mta.message(SENDER, [RECIPIENT])
    for recipients, writes in (1, 2), (10, 2), (300, 40):
        before = system_calls_that_write(daemon)
        wanted, verdict = mta.message(SENDER, [f"<u{i}@docomo.ne.jp>" for i in range(recipients)])
        assert system_calls_that_write(daemon) - before <= writes
        assert verdict == CONTINUE and len(wanted) == 2 + 2 * recipients
        assert [packet[1] for packet in wanted if packet[0] == "-"] == \
            [f"<u{i}@docomo.ne.jp>" for i in range(recipients)]


def test_a_change_that_does_not_fit_into_the_gathered_ones(daemon, mta):
    """Notify of the longest that Postfix takes, with one recipient each."""
    argument = "ORCPT=rfc822;" + "x" * 20000
    mta.mail(SENDER)
    for i in range(3):
        mta.event("R", strings(f"<u{i}@docomo.ne.jp>", argument), {
            "i": "4F2A", "{rcpt_mailer}": "smtp", "{rcpt_host}": "docomo.ne.jp",
            "{rcpt_addr}": f"u{i}@docomo.ne.jp"})
    wanted, verdict = mta.end()
    assert verdict == CONTINUE
    assert [packet[2] for packet in wanted if packet[0] == "2"] == [argument] * 3


def test_the_socket_has_its_mode(make_daemon):
    daemon = make_daemon(socket='"unix:sub/milter.sock"', socket_mode='"0600"').start()
    path = daemon.dir / "sub" / "milter.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750
    assert stat.S_IMODE(daemon.control.stat().st_mode) == 0o600


def test_a_directory_that_others_may_write_to_is_refused(make_daemon):
    daemon = make_daemon(socket='"unix:sub/milter.sock"')
    (daemon.dir / "sub").mkdir()
    (daemon.dir / "sub").chmod(0o777)
    done = daemon.run("-f")
    assert done.returncode == 77 and "others may write" in done.stderr


def test_a_directory_that_is_a_link_is_refused(make_daemon):
    daemon = make_daemon(socket='"unix:sub/milter.sock"')
    (daemon.dir / "real").mkdir()
    (daemon.dir / "sub").symlink_to(daemon.dir / "real")
    assert daemon.run("-f").returncode == 77


def test_a_file_in_the_sockets_place_is_left_alone(make_daemon):
    daemon = make_daemon()
    daemon.socket.write_text("precious")
    done = daemon.run("-f")
    assert done.returncode == 73 and "no socket" in done.stderr
    assert daemon.socket.read_text() == "precious"


def test_too_long_a_path(make_daemon):
    done = make_daemon(socket='"unix:%s"' % ("x" * 120)).run("-f")
    assert done.returncode == 78


def test_a_port_in_use(make_daemon):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        daemon = make_daemon(socket=f'"inet:{s.getsockname()[1]}@127.0.0.1"')
        assert daemon.run("-f").returncode in (69, 71)
    assert not daemon.pid_file.exists()


# two daemons, and one that was killed

def test_a_second_daemon_is_refused(daemon):
    done = daemon.run("-f")
    assert done.returncode == 69 and "already running" in done.stderr
    assert daemon.ping() and daemon.socket.exists()
    assert int(daemon.pid_file.read_text()) == daemon.process.pid


def test_a_second_daemon_without_a_pid_file_is_refused(make_daemon):
    daemon = make_daemon(pid_file='""').start()
    done = daemon.run("-f")
    assert done.returncode == 69 and "already running" in done.stderr
    assert daemon.ping() and daemon.socket.exists()


def test_killed_in_the_middle_and_taken_over(daemon):
    with Milter(daemon.socket) as m:
        m.greet()
        m.mail(SENDER)
        m.rcpt(RECIPIENT)
        daemon.kill()
        with pytest.raises((Closed, OSError)):
            m.end()
    assert daemon.socket.exists() and daemon.pid_file.exists()
    daemon.start()
    with Milter(daemon.socket) as m:
        assert route_of(m.greet()) == "docomo"


# reload

def test_a_good_reload_leaves_the_message_under_way(daemon):
    with Milter(daemon.socket) as m:
        # A reply to the recipient, so that the message has begun before.
        m.negotiate(steps=ALL_STEPS & ~STEPS["NR_RCPT"])
        m.connect()
        m.mail(SENDER)
        assert m.rcpt(RECIPIENT) == CONTINUE
        daemon.configure(OTHER)
        assert daemon.reload() == ["ok"]
        wanted, _ = m.end()
        assert routed("a@docomo.ne.jp", "docomo", wanted[-1])
        assert route_of(m) == "bulk"


def test_a_bad_reload_changes_nothing(daemon):
    with Milter(daemon.socket) as m:
        m.greet()
        m.mail(SENDER)
        daemon.configure(BROKEN)
        answer = daemon.reload()
        assert answer[0] == "error" and "70000" in answer[1]
        m.rcpt(RECIPIENT)
        assert m.end()[1] == CONTINUE
        assert route_of(m) == "docomo"
    assert "stays in force" in daemon.text() and "70000" in daemon.text()
    daemon.configure(OTHER)
    assert daemon.reload() == ["ok"]


def test_a_reload_says_what_needs_a_restart(daemon):
    daemon.configure(ROUTES, socket='"unix:other.sock"')
    answer = daemon.reload()
    assert answer[0] == "ok"
    assert len(answer) == 2 and "socket: changed" in answer[1] and "restart" in answer[1]


def test_many_reloads_under_mail(daemon):
    with Milter(daemon.socket) as m:
        m.greet()
        for n in range(20):
            m.mail(SENDER)
            assert daemon.reload() == ["ok"]
            m.rcpt(RECIPIENT)
            assert daemon.reload() == ["ok"]
            assert m.end()[1] == CONTINUE
            if n % 5 == 4:
                m.mail(SENDER)
                m.abort()


def test_the_control_socket(daemon):
    assert re.fullmatch(rf"ok {daemon.process.pid} \d+\.\d+\.\d+", daemon.ping()[0])
    for question in ("xyzzy\n", "\n", "reload now\n"):
        assert daemon.ask(question)[0] == "error"
    assert daemon.ask("x" * 64) == []
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(daemon.control))
    assert daemon.ping()


def test_a_silent_peer_holds_the_control_socket_for_a_while_only(daemon):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(daemon.control))
        assert daemon.ask("ping\n")[0].startswith("ok ")
        assert read_all(silent) == b""


def test_a_silent_peer_does_not_hold_a_stop(daemon):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(daemon.control))
        daemon.process.send_signal(signal.SIGTERM)
        # The peer would be waited for 10 s; libmilter itself, on a busy
        # machine, may take 5 s.
        assert daemon.process.wait(8) == 0


def reload_tool(build, daemon):
    return subprocess.run([build / "waybill", "reload", "-c", daemon.conf], text=True,
                          capture_output=True, timeout=60, check=False)


def test_the_reload_command(build, daemon):
    daemon.configure(OTHER)
    done = reload_tool(build, daemon)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with Milter(daemon.socket) as m:
        assert route_of(m.greet()) == "bulk"
    daemon.configure(BROKEN)
    done = reload_tool(build, daemon)
    assert done.returncode == 78 and "70000" in done.stderr
    assert "error\n" not in done.stderr
    daemon.configure(ROUTES)
    daemon.stop()
    done = reload_tool(build, daemon)
    assert done.returncode == 69 and "no daemon answers" in done.stderr


def test_the_reload_command_shows_what_the_daemon_says(build, daemon):
    other = daemon.dir / "other.conf"
    other.write_text(daemon.conf.read_text())
    daemon.configure(BROKEN)
    done = subprocess.run([build / "waybill", "reload", "-c", other], text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 78
    assert "waybill.conf" in done.stderr and "70000" in done.stderr


# the command line

def test_version_help_usage(make_daemon):
    daemon = make_daemon()
    assert daemon.run("-V").stdout.startswith("waybill-milter ")
    assert daemon.run("-h").stdout.startswith("usage: ")
    assert daemon.run("-x").returncode == 64
    assert daemon.run("more").returncode == 64


def test_the_configuration_test(make_daemon):
    daemon = make_daemon()
    done = daemon.run("-t")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    daemon.configure(BROKEN + "route twice { }\n")
    done = daemon.run("-t")
    assert done.returncode == 78
    assert "70000" in done.stderr and "twice" in done.stderr
    assert daemon.run("-f").returncode == 78
    assert daemon.run().returncode == 78


def test_an_unknown_user(make_daemon):
    done = make_daemon(user='"nobody-of-this-name"').run("-f")
    assert done.returncode == 78 and "nobody-of-this-name" in done.stderr


# the background

def test_the_parent_ends_when_the_socket_is_open(make_daemon):
    daemon = make_daemon()
    done = daemon.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert listens(daemon.socket)
    pid = int(daemon.pid_file.read_text())
    assert daemon.ping()[0].split()[1] == str(pid)
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.readlink(f"/proc/{pid}/fd/2") == "/dev/null"
    assert daemon.reload() == ["ok"]
    os.kill(pid, signal.SIGTERM)
    wait_for("its end", lambda: not daemon.pid_file.exists() and not daemon.socket.exists())


def test_the_parent_hands_on_the_error(make_daemon):
    daemon = make_daemon()
    daemon.socket.write_text("")
    done = daemon.run()
    assert done.returncode == 73 and "no socket" in done.stderr


def test_systemd_is_told(make_daemon):
    daemon = make_daemon()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(daemon.dir / "notify"))
        s.settimeout(20)
        daemon.start(NOTIFY_SOCKET=str(daemon.dir / "notify"))
        assert s.recv(100) == b"READY=1"
        daemon.stop()
        assert s.recv(100) == b"STOPPING=1"


# the user

@needs_root
def test_root_is_given_up(make_daemon):
    nobody = pwd.getpwnam("nobody")
    daemon = make_daemon(user='"nobody"', socket='"unix:sub/milter.sock"',
                         socket_group='"daemon"', pid_file=None, control_socket=None)
    run = daemon.dir / "run"
    daemon.configure(ROUTES, user='"nobody"', socket='"unix:sub/milter.sock"',
                     socket_group='"daemon"', pid_file=f'"{run}/pid"',
                     control_socket=f'"{run}/control"')
    daemon.control, daemon.pid_file = run / "control", run / "pid"
    daemon.socket = daemon.dir / "sub" / "milter.sock"
    os.chown(daemon.dir / "secret", 0, nobody.pw_gid)
    daemon.start()
    status = open(f"/proc/{daemon.process.pid}/status").read()
    assert re.search(rf"^Uid:(\s+{nobody.pw_uid}){{4}}$", status, re.M)
    assert re.search(rf"^Gid:(\s+{nobody.pw_gid}){{4}}$", status, re.M)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    assert re.search(r"^CapEff:\s+0+$", status, re.M)
    st = daemon.socket.stat()
    assert (st.st_uid, st.st_gid) == (nobody.pw_uid, 1) and stat.S_IMODE(st.st_mode) == 0o660
    st = daemon.socket.parent.stat()
    assert (st.st_uid, st.st_gid) == (nobody.pw_uid, 1)
    assert daemon.control.stat().st_uid == nobody.pw_uid
    with Milter(daemon.socket) as m:
        assert route_of(m.greet()) == "docomo"
    daemon.configure(OTHER, user='"nobody"', socket='"unix:sub/milter.sock"',
                     socket_group='"daemon"', pid_file=f'"{run}/pid"',
                     control_socket=f'"{run}/control"')
    assert daemon.reload() == ["ok"]
    os.chown(daemon.dir / "secret", 0, 0)
    answer = daemon.reload()
    assert answer[0] == "error" and "group" in answer[-1]
    daemon.stop()
    for path in (daemon.socket, daemon.control, daemon.pid_file):
        assert not path.exists(), path


@needs_root
def test_another_user_cannot_become_the_user(make_daemon):
    daemon = make_daemon(user='"daemon"')
    os.chown(daemon.dir / "secret", 0, 65534)
    # The build may lie where only its owner can reach it, below /root say.
    program, *arguments = daemon.command("-f")
    copy = shutil.copy(program, daemon.dir / "waybill-milter")
    done = subprocess.run([copy, *arguments], user="nobody", group=65534, extra_groups=[],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 77 and "only root" in done.stderr


@pytest.mark.alone
def test_a_stop_right_after_the_start(make_daemon):
    """Whenever the signal comes, libmilter's own thread for it comes second."""
    for _ in range(20):
        daemon = make_daemon().start()
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(20) == 0, daemon.text()
