"""maps and apply as root, where somebody else had a hand in the directories."""

import os
import pathlib
import pwd
import stat
import threading

import pytest

NOBODY = pwd.getpwnam("nobody").pw_uid
ROUTES = """
route docomo { host = "smtp.docomo.example" port = 587 tls = starttls
               username = "shop" password_file = "secrets/docomo" }
rule mobile { recipients = { "docomo.ne.jp" } route = docomo }
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has anything to lose here")


@pytest.fixture
def attacked(bench):
    bench.configure(ROUTES)
    bench.out = bench.tmp / "out"
    bench.victim = bench.tmp / "victim"
    bench.put(bench.victim, "precious", 0o644)
    return bench


def is_untouched(bench):
    st = bench.victim.stat()
    return (bench.victim.read_text() == "precious" and st.st_uid == 0
            and stat.S_IMODE(st.st_mode) == 0o644)


# the directory

def test_a_link_in_the_directorys_place(attacked):
    real = attacked.tmp / "real"
    real.mkdir(mode=0o700)
    attacked.out.symlink_to(real)
    for name in (attacked.out, f"{attacked.out}/"):
        assert "symbolic link" in attacked.maps(name, ok=73).stderr
    assert list(real.iterdir()) == []


def test_a_directory_of_somebody_else(attacked):
    attacked.out.mkdir(mode=0o755)
    os.chown(attacked.out, NOBODY, NOBODY)
    assert "belongs to uid" in attacked.maps(attacked.out, ok=77).stderr
    assert list(attacked.out.iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
def test_a_directory_that_others_can_write_to(attacked, mode):
    attacked.out.mkdir()
    attacked.out.chmod(mode)
    assert "others can write there" in attacked.maps(attacked.out, ok=77).stderr
    assert list(attacked.out.iterdir()) == []


def test_a_directory_that_is_swapped_all_the_time(attacked):
    """Its parent is somebody else's: maps writes into a directory of its own
    or into none, wherever the name leads."""
    theirs = attacked.tmp / "theirs"
    trap = attacked.tmp / "trap"     # root's own, as /etc/postfix/waybill is
    theirs.mkdir()
    trap.mkdir(mode=0o700)
    os.chown(theirs, NOBODY, NOBODY)
    out, aside, link = theirs / "out", theirs / "aside", theirs / "link"
    link.symlink_to(trap)
    ends = threading.Event()

    def swap():
        while not ends.is_set():
            for one, other in ((out, aside), (link, out), (out, link), (aside, out)):
                try:
                    os.rename(one, other)
                except OSError:
                    pass
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        codes = {attacked.maps(out, ok=None).returncode for _ in range(40)}
    finally:
        ends.set()
        thread.join()
    assert codes <= {0, 73}, codes
    assert list(trap.iterdir()) == []


# what lies in it

def test_links_in_the_tables_places(attacked):
    attacked.out.mkdir(mode=0o700)
    (attacked.out / "transport.pcre").symlink_to(attacked.victim)
    os.link(attacked.victim, attacked.out / "strip.pcre")
    attacked.maps(attacked.out)
    assert is_untouched(attacked)
    for name in ("transport.pcre", "strip.pcre"):
        st = (attacked.out / name).lstat()
        assert stat.S_ISREG(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o600 and st.st_nlink == 1


def test_a_table_that_somebody_else_has_put_there(attacked):
    """It is not he who gets the passwords."""
    attacked.maps(attacked.out)
    name = next(p for p in attacked.out.iterdir() if p.name.startswith("sasl-"))
    name.write_text("something\n")
    name.chmod(0o666)
    os.chown(name, NOBODY, NOBODY)
    attacked.maps(attacked.out)
    st = name.stat()
    assert (st.st_uid, stat.S_IMODE(st.st_mode)) == (0, 0o600)
    assert "se:kr=it" in name.read_text()


@pytest.mark.parametrize("name", ["transport.pcre", "left.pcre"])
def test_a_fifo_does_not_hold_it(attacked, name):
    attacked.out.mkdir(mode=0o700)
    os.mkfifo(attacked.out / name)
    done = attacked.maps(attacked.out, ok=None)
    assert done.returncode in (0, 66)


# what is read

@pytest.mark.parametrize("name", ["secret", "secrets/docomo"])
def test_a_fifo_in_the_place_of_what_is_read(attacked, name):
    path = attacked.conf / name
    path.unlink()
    os.mkfifo(path, 0o600)
    done = attacked.run("check", "-c", attacked.conf / "waybill.conf", ok=78)
    assert "not a regular file" in done.stderr


# apply

def test_apply_and_a_link_in_the_place_of_its_directory(attacked):
    real = attacked.tmp / "real"
    real.mkdir(mode=0o700)
    (attacked.etc / "waybill").symlink_to(real)
    before = attacked.main.read_bytes()
    assert "symbolic link" in attacked.apply(ok=73).stderr
    assert list(real.iterdir()) == [] and attacked.main.read_bytes() == before


def test_apply_and_a_directory_of_somebody_else(attacked):
    maps = attacked.etc / "waybill"
    maps.mkdir()
    os.chown(maps, NOBODY, NOBODY)
    before = attacked.main.read_bytes()
    assert "belongs to uid" in attacked.apply(ok=77).stderr
    assert not list(maps.glob("*")) and attacked.main.read_bytes() == before


@pytest.mark.parametrize("spoil", [lambda etc: etc.chmod(0o757),
                                   lambda etc: os.chown(etc, NOBODY, NOBODY)])
def test_apply_and_a_postfix_that_somebody_else_configures(attacked, spoil):
    """Its tools would run what he says."""
    spoil(attacked.etc)
    before = attacked.main.read_bytes()
    assert "others can write there" in attacked.apply(ok=77).stderr
    assert attacked.main.read_bytes() == before and not (attacked.etc / "waybill").exists()


def test_apply_and_a_fifo_for_main_cf(attacked):
    attacked.main.unlink()
    os.mkfifo(attacked.main)
    assert "not a regular file" in attacked.apply(ok=66).stderr


def test_undo_replaces_links_that_were_put_into_its_directory(attacked):
    attacked.apply()
    wrote = attacked.etc / "waybill/undo/main.cf.wrote"
    text = wrote.read_text()
    wrote.unlink()
    attacked.victim.write_text("precious")
    wrote.symlink_to(attacked.victim)
    attacked.apply()
    assert is_untouched(attacked) and not wrote.is_symlink()
    assert wrote.read_text() == text
    attacked.apply("--undo")
    assert not pathlib.Path(attacked.etc / "waybill").exists()
