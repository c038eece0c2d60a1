"""`waybill return-path rotate`: what it says, what it leaves alone, and that no
order of steps on several hosts makes one refuse what another signed.
tests/unit/test_rotate.c has the file's content, by a clock of its own."""

import fcntl
import os
import re
import shutil
import subprocess

import pytest
from golden_bench import SECRET

CONF = """
return_path main { senders = { "example.com" }  mode = srs  domain = "return.example.com" }
webhook crm { url = "https://app.example.com/hook" }
bounces { domains = { "return.example.com" }  webhook = crm }
"""
DATE = r"\d{4}-\d\d-\d\d"
TO_DO = ("Before the next rotate, on this host and on every other that shares the file "
         "(copy it there first): waybill apply, waybill reload.")


@pytest.fixture
def ready(bench):
    bench.configure(CONF)
    return bench


def rotate(bench, *more, **options):
    return bench.run("return-path", "-c", bench.conf / "waybill.conf", "rotate", *more, **options)


def secret(bench):
    return (bench.conf / "secret").read_text()


def said(done):
    """The lines, dates taken out."""
    return re.sub(DATE, "DATE", done.stdout).splitlines()


def keys(bench):
    return [line for line in secret(bench).splitlines() if not line.startswith("#")]


def test_it_says_what_was_done_and_what_is_next(ready):
    path = ready.conf / "secret"
    assert said(rotate(ready)) == [
        f"{path}: a key was prepared, which only verifies; the next rotate makes it sign.", TO_DO]
    first, prepared = keys(ready)
    assert first + "\n" == SECRET
    assert said(rotate(ready)) == [
        f"{path}: the key prepared on DATE signs; the one before it verifies for 60 days more; "
        "the next one was prepared.", TO_DO]
    assert keys(ready)[:2] == [prepared, first]
    text = re.sub(rf"signed until {DATE}", "signed until 2020-01-01", secret(ready))
    ready.put(path, text)
    assert said(rotate(ready))[1:] == [
        "1 key that signed until more than 60 days ago was dropped.", TO_DO]
    assert first not in secret(ready)


def test_the_longest_max_age_decides(ready):
    ready.configure(CONF.replace("mode = srs", 'mode = srs  max_age = "365d"'))
    rotate(ready)
    assert "verifies for 395 days more" in rotate(ready).stdout


def test_no_key_is_ever_shown(ready):
    for _ in range(3):
        done = rotate(ready)
        for key in keys(ready):
            assert key not in done.stdout + done.stderr


def test_looking_changes_nothing(ready):
    before = (ready.conf / "secret").stat()
    assert said(rotate(ready, "--dry-run"))[-1] == "Nothing was written (--dry-run)."
    assert (ready.conf / "secret").stat() == before
    assert sorted(p.name for p in ready.conf.iterdir()) == ["ca.pem", "secret", "secrets",
                                                            "waybill.conf"]


def test_the_option_may_stand_in_front_or_behind(ready):
    conf = ready.conf / "waybill.conf"
    ready.run("return-path", "rotate", "-c", conf)
    ready.run("return-path", "rotate", "--dry-run", "--config", conf)


def test_a_key_that_the_tables_do_not_know_may_not_sign(ready):
    ready.apply()
    rotate(ready)
    before = secret(ready)
    for option in ([], ["--dry-run"]):
        done = rotate(ready, *option, ok=75)
        assert "waybill apply, then rotate" in done.stderr
        assert secret(ready) == before
    ready.apply()
    rotate(ready)


def test_only_one_at_a_time(ready):
    folder = os.open(ready.conf, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    assert "another rotation is at work" in rotate(ready, ok=75).stderr
    os.close(folder)
    rotate(ready)


@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_a_secret_that_others_can_touch_is_refused(ready, mode):
    (ready.conf / "secret").chmod(mode)
    assert "chmod 640" in rotate(ready, ok=78).stderr
    assert secret(ready) == SECRET


@pytest.mark.parametrize("words, why", [
    (["rotate", "a@b.test"], "rotate takes no address"),
    (["rotate", "--recipient", "a@b.test"], "rotate takes no address"),
    (["encode", "a@b.test", "--dry-run"], "--dry-run goes with rotate"),
    (["turn", "a@b.test"], '"turn" is not encode, decode, verify or rotate'),
    (["turn"], "encode, decode or verify and one ADDRESS are needed, or rotate"),
    ([], "encode, decode or verify and one ADDRESS are needed, or rotate"),
])
def test_usage(ready, words, why):
    done = ready.run("return-path", "-c", ready.conf / "waybill.conf", *words, ok=64)
    assert done.stderr == f"waybill return-path: {why}; try waybill return-path --help\n"
    assert secret(ready) == SECRET


class Host:
    """One of several that share a secret; which copy of it is the milter's is
    told apart from which is the file's, as a reload is."""

    def __init__(self, bench, name):
        self.folder = bench.tmp / name
        shutil.copytree(bench.conf, self.folder)
        self.build = bench.build

    def tool(self, *words):
        return subprocess.run([self.build / "waybill", "return-path", "-c",
                               self.folder / "waybill.conf", *words],
                              capture_output=True, text=True, timeout=60)

    def sign(self):
        return self.tool("encode", "info@example.com").stdout.strip()

    def takes(self, address):
        return self.tool("verify", address).returncode == 0


def test_hosts_that_lag_a_rotation_understand_each_other(ready):
    """The file reaches b only right before the next rotation."""
    a, b = Host(ready, "a"), Host(ready, "b")
    signed = []
    for _ in range(6):
        shutil.copy(a.folder / "secret", b.folder / "secret")
        assert a.tool("rotate").returncode == 0
        signed += [a.sign(), b.sign()]
        assert all(host.takes(address) for host in (a, b) for address in signed)
    assert len(set(signed)) == 6
