"""waybill-lmtp: start, reload and stop; socket, files and user."""

import grp
import os
import pwd
import re
import signal
import socket
import stat

import pytest

from lmtp import LETTER, Lmtp, mark, wait_for, webhook
from waybill_daemon import listens

TO = mark("info@form.test")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def posts(daemon):
    with daemon.connect() as client:
        return client.send([TO])[0].startswith("250 2.0.0 ")


# start and stop

def test_a_clean_stop_leaves_nothing(lmtpd):
    assert posts(lmtpd)
    assert int(lmtpd.pid_file.read_text()) == lmtpd.process.pid
    lmtpd.stop()
    assert not lmtpd.socket.exists() and not lmtpd.pid_file.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_it(lmtpd, number):
    with lmtpd.connect() as client:
        client.envelope("a@b.test", [TO])
        lmtpd.process.send_signal(number)
        assert client.reply().startswith("421 4.3.2 ")
        assert lmtpd.process.wait(20) == 0


def test_a_post_under_way_is_finished(lmtpd, receiver):
    receiver.hold()
    with lmtpd.connect() as client:
        client.envelope("a@b.test", [TO])
        client.content(LETTER)
        receiver.wait_for_waiting(1, log=lmtpd.text)
        lmtpd.process.send_signal(signal.SIGTERM)
        receiver.release()
        assert client.reply().startswith("250 2.0.0 ")
        assert lmtpd.process.wait(20) == 0


def test_killed_in_the_middle_and_taken_over(lmtpd, receiver):
    receiver.hold()
    with lmtpd.connect() as client:
        client.envelope("a@b.test", [TO])
        client.content(LETTER)
        receiver.wait_for_waiting(1, log=lmtpd.text)
        lmtpd.kill()
        assert client.line() is None
    assert lmtpd.socket.exists() and lmtpd.pid_file.exists()
    receiver.release()
    lmtpd.start()
    with lmtpd.connect() as client:
        client.send([TO], sender="a@b.test")
    assert list(receiver.ids.values()) == [2], "the receiver can tell that it is the same"


def test_a_second_one_is_refused(lmtpd):
    done = lmtpd.run("-f")
    assert done.returncode == 69 and "already running" in done.stderr
    assert posts(lmtpd)


def test_a_second_one_without_a_pid_file_is_refused(make_lmtp, receiver):
    daemon = make_lmtp("")
    daemon.configure(webhook("crm", receiver.url()), lmtp_pid_file='""')
    daemon.start()
    done = daemon.run("-f")
    assert done.returncode == 69 and "already running" in done.stderr
    assert posts(daemon)


# sockets and files

def test_the_socket_has_its_mode(make_lmtp, receiver):
    daemon = make_lmtp("")
    daemon.configure(webhook("crm", receiver.url()) + 'socket_mode = "0600"\n',
                     lmtp_socket='"unix:sub/lmtp.sock"')
    daemon.socket = daemon.dir / "sub" / "lmtp.sock"
    daemon.start()
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(daemon.socket.parent.stat().st_mode) == 0o750
    assert posts(daemon)


def test_a_directory_that_others_may_write_to_is_refused(make_lmtp, receiver):
    daemon = make_lmtp("")
    daemon.configure(webhook("crm", receiver.url()), lmtp_socket='"unix:sub/lmtp.sock"')
    (daemon.dir / "sub").mkdir()
    (daemon.dir / "sub").chmod(0o777)
    done = daemon.run("-f")
    assert done.returncode == 77 and "others may write" in done.stderr


def test_a_file_in_the_sockets_place_is_left_alone(make_lmtp, receiver):
    daemon = make_lmtp(webhook("crm", receiver.url()))
    daemon.socket.write_text("precious")
    done = daemon.run("-f")
    assert done.returncode == 73 and "no socket" in done.stderr
    assert daemon.socket.read_text() == "precious"


def test_a_spool_that_is_missing(make_lmtp, receiver):
    daemon = make_lmtp("")
    daemon.configure(webhook("crm", receiver.url()), spool_directory='"/no/such/folder"')
    done = daemon.run("-f")
    assert done.returncode == 73 and "spool_directory: /no/such/folder" in done.stderr
    assert not daemon.socket.exists() and not daemon.pid_file.exists()


def test_connections_are_bounded(make_lmtp, receiver):
    daemon = make_lmtp("lmtp_max_connections = 2\n" + webhook("crm", receiver.url())).start()
    with daemon.connect(), daemon.connect():
        with Lmtp(daemon.socket) as third:
            assert third.greeting.startswith("421 4.3.2 ")
            assert third.line() is None

    def has_room():
        with Lmtp(daemon.socket) as client:
            return client.greeting.startswith("220 ")
    wait_for("room after two have left", has_room)
    assert "more than 2 connections" in daemon.text()


# the command line

def test_version_help_usage(make_lmtp):
    daemon = make_lmtp("")
    assert daemon.run("-V").stdout.startswith("waybill-lmtp ")
    assert daemon.run("-h").stdout.startswith("usage: waybill-lmtp ")
    assert daemon.run("-x").returncode == 64
    assert daemon.run("more").returncode == 64


@pytest.mark.parametrize("text, told", [
    ('webhook crm { url = "https://app.example.com/" format = raw token_file = "no-such" }\n',
     "no-such cannot be read"),
    ('lmtp_socket = "inet:24@127.0.0.1"\n', "unix:PATH"),
])
def test_configurations_that_are_refused(make_lmtp, text, told):
    daemon = make_lmtp(text)
    if "lmtp_socket" in text:
        daemon.configure("", lmtp_socket='"inet:24@127.0.0.1"')
    for options in (("-t",), ("-f",), ()):
        done = daemon.run(*options)
        assert done.returncode == 78 and told in done.stderr, done.stderr


def test_the_configuration_test(make_lmtp, receiver):
    daemon = make_lmtp(webhook("crm", receiver.url())
                       + 'bounces { domains = "b.test" webhook = crm }\n')
    done = daemon.run("-t")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not daemon.socket.exists()


# reload

def test_a_good_reload_leaves_the_message_under_way(lmtpd, receiver):
    with lmtpd.connect() as client:
        client.envelope("a@b.test", [TO])
        lmtpd.configure(webhook("crm", receiver.url("/new")))
        lmtpd.reload()
        assert "configuration reloaded" in lmtpd.text()
        client.content(LETTER)
        assert client.reply().startswith("250")
        assert client.send([TO])[0].startswith("250")
    assert [request.path for request in receiver.requests] == ["/hook", "/new"]


@pytest.mark.parametrize("change, told", [
    (lambda d: d.configure('webhook crm { url = "ftp://x/" }\n'), "is not a web address"),
    (lambda d: d.write("keys", "short\n"), "has 5 octets"),
    (lambda d: d.write("keys", "x" * 20, 0o644), "chmod 640"),
    (lambda d: d.conf.unlink(), "No such file"),
])
def test_a_bad_reload_changes_nothing(lmtpd, receiver, change, told):
    change(lmtpd)
    lmtpd.reload()
    lmtpd.wait_for_log("reload refused, the old configuration stays in force")
    assert told in lmtpd.text()
    assert posts(lmtpd)
    assert receiver.requests[0].path == "/hook"


def test_a_reload_says_what_needs_a_restart(lmtpd, receiver):
    lmtpd.configure(webhook("crm", receiver.url()), lmtp_socket='"unix:other.sock"')
    lmtpd.reload()
    lmtpd.wait_for_log("lmtp_socket: changed, and in force only after a restart")
    assert posts(lmtpd)


def test_many_reloads_under_mail(lmtpd):
    for _ in range(10):
        with lmtpd.connect() as client:
            client.envelope("a@b.test", [TO])
            lmtpd.process.send_signal(signal.SIGHUP)
            client.content(LETTER)
            assert client.reply().startswith("250")
    assert posts(lmtpd)


# the background

def test_the_parent_ends_when_the_socket_is_open(make_lmtp, receiver):
    daemon = make_lmtp(webhook("crm", receiver.url())
                       + 'bounces { domains = "b.test" webhook = crm }\n')
    done = daemon.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert listens(daemon.socket)
    pid = int(daemon.pid_file.read_text())
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.readlink(f"/proc/{pid}/fd/2") == "/dev/null"
    assert posts(daemon)
    os.kill(pid, signal.SIGHUP)
    assert posts(daemon)
    os.kill(pid, signal.SIGTERM)
    wait_for("its end", lambda: not daemon.pid_file.exists() and not daemon.socket.exists())


def test_the_parent_hands_on_the_error(make_lmtp, receiver):
    daemon = make_lmtp(webhook("crm", receiver.url()))
    daemon.socket.write_text("")
    done = daemon.run()
    assert done.returncode == 73 and "no socket" in done.stderr


def test_systemd_is_told(make_lmtp, receiver):
    daemon = make_lmtp(webhook("crm", receiver.url()))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(daemon.dir / "notify"))
        s.settimeout(20)
        daemon.start(NOTIFY_SOCKET=str(daemon.dir / "notify"))
        assert s.recv(100) == b"READY=1"
        daemon.stop()
        assert s.recv(100) == b"STOPPING=1"


# the user

def as_nobody(make_lmtp, receiver):
    daemon = make_lmtp("")
    daemon.socket, daemon.pid_file = daemon.dir / "sub" / "lmtp.sock", daemon.dir / "run" / "pid"
    daemon.configure(webhook("crm", receiver.url(), 'signing_key_file = "keys"'),
                     lmtp_user='"nobody"', socket_group='"daemon"',
                     lmtp_socket='"unix:sub/lmtp.sock"', lmtp_pid_file=f'"{daemon.pid_file}"',
                     spool_directory='"/var/tmp"')
    for name in ("secret", "keys"):
        os.chown(daemon.dir / name, 0, pwd.getpwnam("nobody").pw_gid)
    return daemon


@needs_root
def test_root_is_given_up(make_lmtp, receiver):
    daemon, nobody = as_nobody(make_lmtp, receiver), pwd.getpwnam("nobody")
    daemon.start()
    status = open(f"/proc/{daemon.process.pid}/status").read()
    assert re.search(rf"^Uid:(\s+{nobody.pw_uid}){{4}}$", status, re.M)
    assert re.search(rf"^Gid:(\s+{nobody.pw_gid}){{4}}$", status, re.M)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    assert re.search(r"^CapEff:\s+0+$", status, re.M)
    st = daemon.socket.stat()
    assert (st.st_uid, st.st_gid) == (nobody.pw_uid, grp.getgrnam("daemon").gr_gid)
    assert stat.S_IMODE(st.st_mode) == 0o660
    assert stat.S_IMODE(daemon.socket.parent.stat().st_mode) == 0o750
    assert posts(daemon)
    daemon.reload()
    daemon.wait_for_log("configuration reloaded")
    os.chown(daemon.dir / "keys", 0, 0)
    daemon.reload()
    daemon.wait_for_log("reload refused")
    assert posts(daemon)
    daemon.stop()
    assert not daemon.socket.exists() and not daemon.pid_file.exists()


@needs_root
@pytest.mark.parametrize("name", ["keys", "secret"])
def test_what_its_user_cannot_read_is_told_at_the_start(make_lmtp, receiver, name):
    """Root could read it now; the reload could not later."""
    daemon = as_nobody(make_lmtp, receiver)
    os.chown(daemon.dir / name, 0, 0)
    done = daemon.run("-f")
    assert done.returncode == 78
    assert name in done.stderr and "it is read as uid" in done.stderr
    assert not daemon.socket.exists()


@needs_root
def test_an_unknown_user(make_lmtp, receiver):
    daemon = make_lmtp("")
    daemon.configure(webhook("crm", receiver.url()), lmtp_user='"nobody-of-this-name"')
    done = daemon.run("-f")
    assert done.returncode == 78 and "lmtp_user: there is no user" in done.stderr
