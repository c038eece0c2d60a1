"""`waybill apply`: shows first, changes all or nothing, twice is once, and
gives everything back."""

import re
import secrets

import pytest

from mailsite import Site, route, rule


def snapshot(directory):
    """{path: (octets, mode)} of every file below directory. Sendmail's .cf
    says by whom and when it was built, and so may its databases."""
    return {str(p.relative_to(directory)):
            (re.sub(rb"(?m)^##### .*built .*$", b"", p.read_bytes()), p.stat().st_mode & 0o7777)
            for p in sorted(directory.rglob("*")) if p.is_file() and p.suffix != ".db"}


@pytest.fixture
def fresh(way, programs, sendmail_here):
    """A site to which nothing has been applied yet."""
    site = Site(way)
    try:
        if site.mx.kind == "postfix":
            # Comments, odd spacing and a continued line: bytes that matter to
            # their owner and that a careless rewrite would lose.
            main = site.mx.etc / "main.cf"
            main.write_text("# our own main.cf\n\n" + main.read_text()
                            + "\n# the end\nheader_size_limit =\n    102400\n")
            site.mx.reload()
        site.waybill.start()
        yield site
    finally:
        site.close()


def test_undo_gives_back_every_octet(fresh):
    before = snapshot(fresh.mx.etc)
    fresh.waybill.apply()
    assert snapshot(fresh.mx.etc) != before
    fresh.waybill.apply("--undo")
    after = snapshot(fresh.mx.etc)
    names = {"postfix": ("main.cf", "master.cf"), "sendmail": ("sendmail.mc", "sendmail.cf")}
    for name in names[fresh.mx.kind]:
        assert after[name] == before[name], name
    assert after == before
    assert fresh.outcome("info@example.com", ["d@remote.test"]) == {"default": ["d@remote.test"]}


def test_the_second_apply_changes_nothing(fresh):
    fresh.waybill.apply()
    before = snapshot(fresh.mx.etc)
    pid = fresh.mx.master_pid()
    reloads = fresh.mx.reloads()
    done = fresh.waybill.apply()
    assert snapshot(fresh.mx.etc) == before
    assert "+" not in [line[:1] for line in done.stdout.splitlines()], done.stdout
    assert fresh.mx.master_pid() == pid
    assert fresh.mx.reloads() == reloads
    fresh.waybill.apply("--undo")


@pytest.mark.parametrize("option", ["--dry-run", "--print"])
def test_showing_changes_nothing(fresh, option):
    before = snapshot(fresh.mx.etc)
    done = fresh.waybill.apply(option)
    assert snapshot(fresh.mx.etc) == before
    assert "waybill" in done.stdout
    assert fresh.outcome("info@example.com", ["d@remote.test"]) == {"default": ["d@remote.test"]}


@pytest.mark.only_postfix("in Sendmail waybill has files of its own, and no other is changed")
def test_undo_refuses_what_was_edited_since(fresh):
    fresh.waybill.apply()
    main = fresh.mx.etc / "main.cf"
    edited = main.read_text().replace("waybill", "WAYBILL", 1) + "# a later thought\n"
    main.write_text(edited)
    before = snapshot(fresh.mx.etc)
    done = fresh.waybill.apply("--undo", ok=None)
    assert done.returncode != 0
    assert "main.cf" in done.stderr
    assert snapshot(fresh.mx.etc) == before


def test_a_bad_configuration_changes_nothing(fresh):
    before = snapshot(fresh.mx.etc)
    fresh.waybill.configure(fresh.waybill.text + "rule broken { route = nowhere }\n")
    done = fresh.waybill.apply(ok=None)
    assert done.returncode == 78
    assert f"{fresh.waybill.conf}:" in done.stderr
    assert snapshot(fresh.mx.etc) == before


def test_undo_without_apply_says_so(fresh):
    before = snapshot(fresh.mx.etc)
    done = fresh.waybill.apply("--undo", ok=None)
    assert done.stdout + done.stderr
    assert snapshot(fresh.mx.etc) == before


def test_changed_routes_are_applied_over_the_old_ones(fresh):
    """A second apply with another configuration, then undo: the first state."""
    before = snapshot(fresh.mx.etc)
    fresh.waybill.apply()
    more = route("new", fresh.own) + rule("new", "new.test", "new")
    fresh.waybill.configure(fresh.waybill.text + more)
    fresh.waybill.apply()
    fresh.waybill.reload()
    assert fresh.outcome("a@keep.test", ["x@new.test"]) == {"own": ["x@new.test"]}
    fresh.waybill.apply("--undo")
    assert snapshot(fresh.mx.etc) == before


def test_queued_mail_survives_a_new_secret(fresh):
    """Two keys are valid while a secret rotates: what was marked under the
    old one still finds its route, and new mail is marked under the new."""
    old, new = secrets.token_hex(32), secrets.token_hex(32)
    fresh.waybill.write_secret(old)
    fresh.waybill.apply()
    fresh.waybill.reload()
    fresh.docomo.refuse("450 4.2.0 later")
    fresh.send("a@keep.test", ["old@docomo.ne.jp"])
    fresh.mx.wait_for_deferred()
    fresh.waybill.write_secret(new, old)
    fresh.waybill.apply()
    fresh.waybill.reload()
    fresh.send("a@keep.test", ["new@docomo.ne.jp"])
    fresh.mx.wait_for_deferred(2)
    marks = {m["recipients"][0]["address"].split(".")[-3] for m in fresh.mx.queued()}
    assert len(marks) == 2
    fresh.docomo.accept()
    fresh.mx.flush()
    fresh.settle()
    assert fresh.arrived() == {"docomo": ["new@docomo.ne.jp", "old@docomo.ne.jp"]}
