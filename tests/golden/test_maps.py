"""`waybill maps`: what it writes is compared octet for octet, and then Postfix
itself is asked what the tables say.

After a wanted change of the texts:

    UPDATE_GOLDEN=1 /usr/bin/python3 -m pytest tests/golden/test_maps.py

rewrites tests/golden/expected; read the difference before you keep it."""

import os
import pathlib
import re
import stat
import subprocess

import pytest
from golden_bench import HERE, OLD_SECRET, SECRET

SAMPLES = sorted(p.name for p in (HERE / "samples").iterdir())


def texts(folder, bench):
    """{name: text} with the place of this test's files taken out, also out of
    the mark that the path of a ca_file gets."""
    def still(text):
        return re.sub(r"-ca[0-9a-f]{8}\b", "-caMARK", text).replace(str(bench.tmp), "/TMP")
    return {still(p.name): still(p.read_text()) for p in sorted(folder.iterdir())}


@pytest.mark.parametrize("name", SAMPLES)
def test_files_are_as_expected(bench, name):
    bench.sample(name)
    out = bench.tmp / "out"
    bench.maps(out)
    got = texts(out, bench)
    expected = HERE / "expected" / name
    if os.environ.get("UPDATE_GOLDEN"):
        expected.mkdir(exist_ok=True)
        for old in expected.iterdir():
            old.unlink()
        for file, text in got.items():
            (expected / file).write_text(text)
    assert got == {p.name: p.read_text() for p in sorted(expected.iterdir())}


def test_many_routes_each_have_their_own_way(bench):
    """From 64 routes on, rows stand behind guards."""
    names = ["a", "b", "ab", "ba", "a-b", *(f"r{i}" for i in range(1, 120))]
    bench.configure("".join(f'route {n} {{ host = "{n}.example" port = 25 tls = none }}\n' for n in names))
    bench.apply()
    table = f"pcre:{bench.etc}/waybill/transport.pcre"
    for name in [*names[:8], *names[-3:]]:
        answer = bench.answer(table, f"u@d.test.{name}.{bench.label()}.waybill.invalid")
        assert answer == f"waybill-none-none:[{name}.example]:25"
    assert bench.answer(table, f"u@d.test.r120.{bench.label()}.waybill.invalid") == GONE


def test_signers_stand_behind_waybill(bench):
    bench.configure('loopback_milters = { "inet:8891@127.0.0.1", "inet:8892@::1",'
                    ' "unix:opendkim/opendkim.sock" }\n')
    out = bench.tmp / "out"
    bench.maps(out)
    assert ("  -o smtpd_milters=$waybill_milters,inet:127.0.0.1:8891,inet:[::1]:8892,"
            "unix:opendkim/opendkim.sock\n") in (out / "master.cf.add").read_text()


def test_modes_keep_the_label_from_local_users(bench):
    bench.sample("carriers")
    out = bench.tmp / "out"
    bench.maps(out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in out.iterdir()} == {0o600}


def test_only_what_changed_is_written(bench):
    bench.sample("carriers")
    out = bench.tmp / "out"
    first = bench.maps(out)
    assert "new      transport.pcre" in first.stdout
    before = {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in out.iterdir()}
    assert bench.maps(out).stdout == ""
    assert before == {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in out.iterdir()}
    bench.put(bench.conf / "secrets/au", "changed\n")
    assert sorted(bench.maps(out).stdout.split()[1::2]) == ["sasl-none-plain", "sasl-tls-login-" + [
        p.name for p in out.iterdir() if "-ca" in p.name][0].split("-")[-1]]


def test_files_of_a_route_that_is_gone_go_too(bench):
    bench.sample("carriers")
    out = bench.tmp / "out"
    bench.maps(out)
    (out / "notes.txt").write_text("the admin's own\n")
    bench.sample("bare")
    assert "removed  sasl-starttls-plain" in bench.maps(out).stdout
    assert {p.name for p in out.iterdir()} == {
        "transport.pcre", "strip.pcre", "loopback.pcre", "unseen.pcre", "refuse.pcre", "dsn.pcre",
        "again.pcre", "hop.pcre", "master.cf.add", "notes.txt"}


@pytest.mark.parametrize("password", ["", " x\n", "a\tb\n", "x" * 300 + "\n"])
def test_passwords_that_a_table_cannot_hold_are_refused(bench, password):
    bench.sample("carriers")
    bench.put(bench.conf / "secrets/docomo", password)
    done = bench.maps(bench.tmp / "out", ok=78)
    assert "secrets/docomo" in done.stderr
    assert not (bench.tmp / "out").exists()
    assert len(password) < 100 or password.strip() not in done.stderr


def test_others_may_not_write_where_the_files_go(bench):
    bench.sample("carriers")
    out = bench.tmp / "out"
    out.mkdir()
    out.chmod(0o777)
    assert "0700" in bench.maps(out, ok=77).stderr


# What Postfix says of the tables.

def ask(table, key, kind="pcre"):
    """Of this machine's Postfix only the programs are used: it need not be
    configured, so the folder of the table gets a main.cf for the look-up."""
    main = pathlib.Path(table).parent / "main.cf"
    main.write_text("compatibility_level = 3.6\n")
    os.utime(main, (1, 1))  # else Postfix waits until it is two seconds old
    done = subprocess.run(["postmap", "-c", main.parent, "-q", key, f"{kind}:{table}"],
                          capture_output=True, text=True, timeout=60)
    assert not done.stderr, done.stderr
    return done.stdout.rstrip("\n") or None


@pytest.fixture(scope="module")
def tables(tmp_path_factory, build):
    """The tables of two samples, with a key being rotated, and the labels."""
    from golden_bench import Bench
    out = {}
    for name in ("carriers", "inbound"):
        bench = Bench(tmp_path_factory.mktemp(name), build)
        bench.put(bench.conf / "secret", SECRET + OLD_SECRET)
        bench.sample(name)
        bench.maps(bench.tmp / "out")
        out[name] = bench.tmp / "out"
        bench.etc.joinpath("waybill").mkdir()
        bench.etc.joinpath("waybill/strip.pcre").write_text((out[name] / "strip.pcre").read_text())
        out["new"], out["old"] = bench.label(0), bench.label(1)
    return out


STARTTLS = "waybill-starttls-plain:[smtp.docomo.example]:587"
GONE = "retry:4.3.5 this route is not configured any more"
FORGED = "error:5.1.2 no such route"
AGAIN = "waybill-again:[127.0.0.1]:10029"
MAC = "abcdefghijklmnopqrstuvwx27"

TRANSPORT = [
    ("plain", "u@d.test.docomo.{new}", STARTTLS),
    ("the label being rotated out", "u@d.test.docomo.{old}", STARTTLS),
    ("mixed case", "U@D.test.DoCoMo.{NEW}", STARTTLS),
    ("quoted local part", '"a b"@d.test.docomo.{new}', STARTTLS),
    ("an @ in the local part", '"a@b"@d.test.docomo.{new}', STARTTLS),
    ("an address literal", '"u@[192.0.2.1]"@x.docomo.{new}', STARTTLS),
    ("an IDN", "u@bücher.test.docomo.{new}", STARTTLS),
    ("an A-label IDN", "u@xn--bcher-kva.test.docomo.{new}", STARTTLS),
    ("a route's own literal", "u@d.test.softbank.{new}", "waybill-none-none:[192.0.2.1]:25"),
    ("a second pass", f"u@d.test.docomo.{MAC}.again.{{new}}", AGAIN),
    ("a second pass of direct mail", f"u@d.test.direct.{MAC}.again.{{old}}", AGAIN),
    ("an address literal's second pass", f'"u@[192.0.2.1]"@x.docomo.{MAC}.again.{{new}}', AGAIN),
    ("a second pass with a forged label", f"u@d.test.docomo.{MAC}.again.aaaaaaaa", FORGED),
    ("a route that is gone", "u@d.test.nosuch.{new}", GONE),
    ("no route at all", "u@{new}", FORGED),
    ("a name that ends like a route", "u@d.test.xdocomo.{new}", GONE),
    ("a forged label", "u@d.test.docomo.aaaaaaaa", FORGED),
    ("the label in the wrong place", "u@d.test.docomo.{new}.x", FORGED),
    ("a route without domain", "u@docomo.{new}", GONE),
    ("another domain", "u@docomo.ne.jp", None),
    ("hooks without webhook", "u@d.test.crm.mailform.aaaa.hook.{new}", GONE),
]


@pytest.mark.parametrize("why, key, answer", TRANSPORT, ids=[row[0] for row in TRANSPORT])
def test_transport(tables, why, key, answer):
    suffix = "" if why == "another domain" else ".waybill.invalid"
    key = key.format(new=tables["new"], old=tables["old"], NEW=tables["new"].upper()) + suffix
    assert ask(tables["carriers"] / "transport.pcre", key) == answer


@pytest.mark.parametrize("key", ["d.test.docomo.{new}.waybill.invalid", ".docomo.{new}.waybill.invalid"])
def test_a_domain_alone_leads_to_no_route(tables, key):
    """Postfix does not ask pcre tables for domains, and this one would not tell."""
    assert ask(tables["carriers"] / "transport.pcre", key.format(new=tables["new"])) == FORGED


UNSEEN = "waybill-in:[127.0.0.1]:10040"

INBOUND = [
    ("info@mailform.example.com", UNSEEN),
    ("Info@Mailform.Example.COM", UNSEEN),
    ("x@return.example.com", UNSEEN),
    ("x@sub.return.example.com", None),
    ("x@returnxexample.com", None),
    ("x@return.example.com.test", None),
    ("info@mailform.example.com.crm.mailform.aaaa.hook.{new}.waybill.invalid",
     "waybill-lmtp:unix:waybill-lmtp/lmtp.sock"),
    ("info@mailform.example.com.crm.mailform.aaaa.hook.bbbbbbbb.waybill.invalid", FORGED),
    ("x@waybill.invalid", FORGED),
]


@pytest.mark.parametrize("key, answer", INBOUND)
def test_inbound_transport(tables, key, answer):
    assert ask(tables["inbound"] / "transport.pcre", key.format(new=tables["new"])) == answer


STRIP = [
    ("u@d.test.docomo.{new}", "u@d.test"),
    ("u@d.test.docomo.{old}", "u@d.test"),
    ("u+x@d.test.gone-route.{new}", "u+x@d.test"),
    ('"a b"@d.test.docomo.{new}', '"a b"@d.test'),
    ('"a@b"@d.test.docomo.{new}', '"a@b"@d.test'),
    ('"u@[192.0.2.1]"@x.docomo.{new}', "u@[192.0.2.1]"),
    ('"u@[IPv6:2001:db8::1]"@x.docomo.{new}', "u@[IPv6:2001:db8::1]"),
    ("U@D.Test.Docomo.{NEW}", "U@D.Test"),
    ("u@bücher.test.docomo.{new}", "u@bücher.test"),
    ("@d.test.docomo.{new}", "@d.test"),
    ("u@d.test.docomo.aaaaaaaa", None),
    ("d.test.docomo.{new}", None),
    ("u@d.test.crm.mailform.aaaa.hook.{new}", None),
    (f"u@d.test.docomo.{MAC}.again.{{new}}", "u@d.test"),
    (f"u@d.test.docomo.{MAC}.again.{{old}}", "u@d.test"),
    (f'"u@[192.0.2.1]"@x.docomo.{MAC}.again.{{new}}', "u@[192.0.2.1]"),
    (f"u@d.test.docomo.{MAC}.again.aaaaaaaa", None),
    ("u@d.test.docomo.short.again.{new}", None),
    ("u@d.test.again.{new}", None),
    ("u@{new}", None),
    ("u@docomo.{new}", None),
]


@pytest.mark.parametrize("key, answer", STRIP)
def test_strip(tables, key, answer):
    key = key.format(new=tables["new"], old=tables["old"], NEW=tables["new"].upper())
    assert ask(tables["carriers"] / "strip.pcre", key + ".waybill.invalid") == answer


@pytest.mark.parametrize("key, answer", [
    ("owner+u=d.test.docomo.{new}.waybill.invalid@list.test", "owner+u=d.test@list.test"),
    (f"owner+u=d.test.docomo.{MAC}.again.{{new}}.waybill.invalid@list.test", "owner+u=d.test@list.test"),
    ("owner+u=d.test.docomo.aaaaaaaa.waybill.invalid@list.test", None)])
def test_a_verp_sender_is_stripped(tables, key, answer):
    assert ask(tables["carriers"] / "strip.pcre", key.format(new=tables["new"])) == answer


@pytest.mark.parametrize("key, answer", [
    ("u@d.test.docomo.{new}.waybill.invalid", "DUNNO"),
    ("u@d.test.docomo.{old}.waybill.invalid", "DUNNO"),
    ("u@d.test.docomo.aaaaaaaa.waybill.invalid", "REJECT"),
    ("u@waybill.invalid", "REJECT"),
    ("u@d.test", None)])
def test_requeued_mail_keeps_its_mark(tables, key, answer):
    got = ask(tables["carriers"] / "loopback.pcre", key.format(new=tables["new"], old=tables["old"]))
    assert got == answer or got.split()[0] == answer


@pytest.mark.parametrize("key", [
    "u@d.test.docomo.aaaaaaaa.waybill.invalid", "u@waybill.invalid", "U@X.WAYBILL.INVALID",
    "u@x.waybill.invalid.", '"u@d"@x.waybill.invalid', "<u@x.waybill.invalid>"])
def test_clients_may_not_name_a_route(tables, key):
    assert ask(tables["carriers"] / "refuse.pcre", key).startswith("REJECT 5.1.2 ")


@pytest.mark.parametrize("key", ["u@waybill.invalid.test", "u@notwaybill.invalid", "waybill.invalid@d.test"])
def test_other_recipients_pass(tables, key):
    assert ask(tables["carriers"] / "refuse.pcre", key) is None


HOOK = "crm.mailform." + "a" * 26 + ".hook"

SECOND = f"docomo.{MAC}.again"

DSN = [
    ("Final-Recipient: rfc822; u@d.test." + SECOND + ".{new}", "Final-Recipient: rfc822; u@d.test"),
    ('Final-Recipient: rfc822; "u@[192.0.2.1]"@x.' + SECOND + ".{new}", "Final-Recipient: rfc822; u@[192.0.2.1]"),
    ("<u@d.test." + SECOND + ".{new}>: no", "<u@d.test>: no"),
    ("to u@d.test." + SECOND + ".{new} in vain", "to u@d.test in vain"),
    ("Final-Recipient: rfc822; u@d.test.docomo.{new}", "Final-Recipient: rfc822; u@d.test"),
    ("Final-Recipient: utf-8; u@bücher.test.docomo.{new}", "Final-Recipient: utf-8; u@bücher.test"),
    ("Final-Recipient: rfc822; u@d.test." + HOOK + ".{new}", "Final-Recipient: rfc822; u@d.test"),
    ('Final-Recipient: rfc822; "u@[192.0.2.1]"@x.docomo.{new}', "Final-Recipient: rfc822; u@[192.0.2.1]"),
    ("<u@d.test.docomo.{new}>: host h[192.0.2.1] said: no", "<u@d.test>: host h[192.0.2.1] said: no"),
    ("<u@d.test.docomo.{new}> (expanded from", "<u@d.test> (expanded from"),
    ("    <u@d.test.docomo.{new}>: no", "    <u@d.test>: no"),
    ('<"u@[192.0.2.1]"@x.docomo.{new}>: no', "<u@[192.0.2.1]>: no"),
    ("to u@d.test.docomo.{new} in vain", "to u@d.test in vain"),
]


@pytest.mark.parametrize("mark", ["docomo", SECOND])
def test_received_headers_are_clean(tables, mark):
    end = f"{mark}.{tables['new']}.waybill.invalid"
    for marked, clean in ((f"u@d.test.{end}", "u@d.test"), (f'"u@[192.0.2.1]"@x.{end}', "u@[192.0.2.1]")):
        line = "Received: from a (b [127.0.0.1])\n\tby c (Postfix) with ESMTP id 1\n\tfor <%s>; now"
        assert ask(tables["carriers"] / "hop.pcre", (line % marked).replace("\n", "")) == \
            "REPLACE " + (line % clean).replace("\n", "")


AGAIN_LISTENER = [
    (f"u@d.test.docomo.{MAC}.again.{{new}}.waybill.invalid", "DUNNO"),
    (f"u@d.test.docomo.{MAC}.again.{{old}}.waybill.invalid", "DUNNO"),
    (f"u@[192.0.2.1]@x.direct.{MAC}.again.{{new}}.waybill.invalid", "DUNNO"),
    (f"u@d.test.docomo.{MAC}.again.aaaaaaaa.waybill.invalid", None),
    ("u@d.test.docomo.{new}.waybill.invalid", None),
    ("u@d.test.crm.mailform.aaaa.hook.{new}.waybill.invalid", None),
    (f"u@d.test.docomo.{MAC}.again.{{new}}.waybill.invalid.test", None),
    ("u@d.test", None),
    ("postmaster", None),
]


@pytest.mark.parametrize("key, answer", AGAIN_LISTENER)
def test_the_listener_for_second_passes(tables, key, answer):
    key = key.format(new=tables["new"], old=tables["old"])
    got = ask(tables["carriers"] / "again.pcre", key)
    assert got == answer if answer else got.startswith("550 5.1.2 ")


@pytest.mark.parametrize("line, clean", DSN)
def test_bounces_are_clean(tables, line, clean):
    line = line.replace("{new}", tables["new"] + ".waybill.invalid")
    assert ask(tables["carriers"] / "dsn.pcre", line) == "REPLACE " + clean


def test_other_lines_of_bounces_stay(tables):
    assert ask(tables["carriers"] / "dsn.pcre", "Final-Recipient: rfc822; u@d.test") is None


@pytest.mark.parametrize("key, answer", [
    ("[smtp.docomo.example]:587", "shop:se:kr=it #1"), ("[smtp.docomo.example]:0587", None)])
def test_passwords_arrive_whole(tables, key, answer):
    table = pathlib.Path(tables["carriers"]) / "sasl-starttls-plain"
    assert ask(table, key, "texthash") == answer
