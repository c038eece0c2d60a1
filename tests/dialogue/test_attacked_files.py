"""A daemon started by root, in directories where its user, or somebody else, had
a hand before or has one at that very moment."""

import os
import pwd
import stat
import subprocess
import sys

import pytest

from lmtp import LETTER, mark, webhook
from waybill_daemon import ROUTES

NOBODY = pwd.getpwnam("nobody")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has anything to lose here")


@pytest.fixture
def victim(directory):
    path = directory / "victim"
    path.write_text("precious")
    path.chmod(0o600)
    return path


def is_untouched(victim):
    st = victim.stat()
    return (victim.read_text() == "precious" and (st.st_uid, st.st_gid) == (0, 0)
            and stat.S_IMODE(st.st_mode) == 0o600)


def theirs(directory):
    """A directory of the daemon's user."""
    path = directory / "theirs"
    path.mkdir()
    os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    return path


def as_nobody(make_daemon, folder, **options):
    daemon = make_daemon()
    daemon.configure(ROUTES, **{
        "user": '"nobody"', "socket_group": '"daemon"',
        "socket": f'"unix:{folder}/milter.sock"', "pid_file": f'"{folder}/pid"',
        "control_socket": f'"{folder}/control"', **options})
    os.chown(daemon.dir / "secret", 0, NOBODY.pw_gid)
    daemon.socket, daemon.control = folder / "milter.sock", folder / "control"
    daemon.pid_file = folder / "pid"
    return daemon


@pytest.mark.parametrize("name", ["pid", "milter.sock", "control"])
@pytest.mark.parametrize("way", ["symlink", "dangling", "hard link", "FIFO", "directory"])
def test_what_lies_in_the_place_of_a_file_of_ours(make_daemon, directory, victim, name, way):
    folder = theirs(directory)
    place = folder / name
    elsewhere = directory / "elsewhere"
    if way == "symlink":
        place.symlink_to(victim)
    elif way == "dangling":
        place.symlink_to(elsewhere)
    elif way == "hard link":
        os.link(victim, place)
    elif way == "FIFO":
        os.mkfifo(place)
    else:
        place.mkdir()
    done = as_nobody(make_daemon, folder).run("-f")
    assert done.returncode in (73, 77), done.stderr
    assert str(place) in done.stderr
    assert is_untouched(victim) and not elsewhere.exists()
    left = place.lstat()
    assert left.st_uid == 0, "nothing of root's is given away"


@pytest.mark.parametrize("name", ["milter.sock", "control"])
def test_a_socket_that_is_swapped_while_it_is_made(make_daemon, directory, victim, probe, name):
    """Between bind and the handing over, a hard link takes its place: nothing
    but a socket is given to the daemon's user."""
    folder = theirs(directory)
    decoy, place = directory / "decoy", folder / name
    os.link(victim, decoy)
    daemon = as_nobody(make_daemon, folder).spawn(PROBE_DECOY=str(decoy), PROBE_PLACE=str(place),
                                                  **probe)
    assert daemon.process.wait(20) == 71, daemon.text()
    assert not decoy.exists() and place.samefile(victim), "it was not swapped"
    assert "cannot be handed over" in daemon.text() and is_untouched(victim)


def test_secrets_that_are_no_plain_files(make_daemon):
    daemon = make_daemon()
    secret = daemon.dir / "secret"
    secret.unlink()
    os.mkfifo(secret, 0o640)
    assert "not a regular file" in daemon.run("-f").stderr
    secret.unlink()
    secret.symlink_to("/dev/zero")
    assert daemon.run("-f").returncode == 78


def test_a_secret_that_others_can_read_is_refused_at_a_reload(daemon):
    (daemon.dir / "secret").chmod(0o644)
    answer = daemon.reload()
    assert answer[0] == "error" and "secret" in answer[1]


def test_the_spool_of_waybill_lmtp_has_no_names(make_lmtp, receiver, directory):
    """What has no name, nobody can have put something in the place of."""
    spool = directory / "spool"
    spool.mkdir()
    daemon = make_lmtp("")
    daemon.configure(webhook("crm", receiver.url()), spool_directory=f'"{spool}"')
    daemon.start()
    receiver.hold()
    with daemon.connect() as client:
        client.envelope("a@b.test", [mark("info@form.test")])
        client.content(LETTER)
        receiver.wait_for_waiting(1, log=daemon.text)
        assert list(spool.iterdir()) == []
        receiver.release()
        assert client.reply().startswith("250 ")
    assert list(spool.iterdir()) == []


@pytest.mark.parametrize("name", ["milter.sock", "lmtp.sock"])
def test_only_the_group_of_the_mta_connects(make_daemon, make_lmtp, receiver, directory, name):
    """Tried by a process of another user and group, and by one of the group."""
    folder = directory / "run"
    if name == "lmtp.sock":
        daemon = make_lmtp("")
        daemon.configure(webhook("crm", receiver.url()) + 'socket_group = "daemon"\n',
                         lmtp_socket=f'"unix:{folder}/lmtp.sock"')
        conf = daemon.dir / "waybill.conf"
        conf.write_text(conf.read_text().replace('socket_group    = ""\n', ""))
    else:
        daemon = make_daemon(socket=f'"unix:{folder}/milter.sock"', socket_group='"daemon"')
    daemon.socket = folder / name
    daemon.start()
    program = f"import socket; socket.socket(socket.AF_UNIX).connect({str(daemon.socket)!r})"

    def connects(gid):
        return subprocess.run([sys.executable, "-c", program], user=65534, group=gid,
                              extra_groups=[], capture_output=True, check=False, cwd="/",
                              timeout=60).returncode == 0
    assert not connects(65534)
    assert connects(1)
