"""`waybill apply` and --undo with a real Sendmail: all or nothing, through the
site's own make, and the site's own rules go on working."""

import os
import signal
import sys

import pytest

from lab import Lab
from lab.basics import listens, wait_for

CONF = """
route docomo {{ host = "127.0.0.1" port = {docomo} }}
route bulk   {{ host = "127.0.0.1" port = {bulk} }}
rule mobile {{ recipients = "docomo.test" route = docomo }}
rule literal {{ recipients = '/@\\[/' route = docomo }}
rule rest {{ priority = 200 route = bulk }}
"""

# What an admin may have of his own.
OWN_RULES = """\
LOCAL_CONFIG
Kown dequote
LOCAL_RULE_0
R$+ < @ own-rule.test . > $*\t$#error $@ 5.7.7 $: "550 the own rule was here"
LOCAL_RULESETS
SLocal_check_rcpt
R$*\t$: $1 $| $>canonify $1
R$* $| nobody < @ $* > $*\t$#error $@ 5.7.8 $: "550 the own check was here"
R$* $| $*\t$: $1
LOCAL_TRY_TLS
R$*\t$: $1
LOCAL_TLS_SERVER
R$*\t$: $1
"""


@pytest.fixture(name="site")
def a_site(sendmail_here):
    with Lab() as lab:
        docomo, bulk, default = lab.sink("docomo"), lab.sink("bulk"), lab.sink("default")
        mx = lab.sendmail("mx", relay=default.nexthop, mc_end=OWN_RULES)
        waybill = lab.waybill(mx, CONF.format(docomo=docomo.port, bulk=bulk.port),
                              relayhosts=[default.nexthop])
        waybill.start()
        yield lab, mx, waybill, docomo, bulk, default


def test_routes_and_way_back(site):
    _, mx, waybill, docomo, bulk, default = site
    before = (mx.etc / "sendmail.cf").read_text()
    text = waybill.apply().stdout
    assert "waybill.m4 (new)" in text
    label = (mx.etc / "waybill/tables-1/mailertable").read_text().split(".docomo.")[1][:8]
    assert label not in text
    reply = mx.send("info@example.com", ["a@docomo.test", "b@other.test", "games@mx.test"])
    assert reply.code == 250, reply
    assert [m.rcpt_to for m in docomo.wait_for(1)] == [["a@docomo.test"]]
    assert [m.rcpt_to for m in bulk.wait_for(1)] == [["b@other.test"]]
    assert "waybill.invalid" not in docomo.messages[0].text
    assert docomo.messages[0].header("X-Waybill-Route") == "docomo, bulk"

    # the site's own rules are where they were
    assert "the own rule" in str(mx.send("i@example.com", ["a@own-rule.test"]))
    assert "the own check" in str(mx.send("i@example.com", ["nobody@other.test"]))

    waybill.undo()
    assert not (mx.etc / "waybill").exists()
    strip = [line for line in before.splitlines() if not line.startswith("#")]
    after = (mx.etc / "sendmail.cf").read_text().splitlines()
    assert [line for line in after if not line.startswith("#")] == strip
    assert mx.send("info@example.com", ["a@docomo.test"]).code == 250
    assert default.wait_for(1)[0].rcpt_to == ["a@docomo.test"]


def test_default_way_by_mx_is_no_own_route(site):
    """Without a smart host Sendmail tells the recipient's domain as the next
    hop: a rule for all mail takes it."""
    _, mx, waybill, docomo, bulk, _ = site
    mx.mc = mx.mc[:0]
    mx.write_mc()
    mx.make()
    waybill.apply()
    mx.send("info@example.com", ["b@other.test"])
    assert bulk.wait_for(1, log=mx.log)[0].rcpt_to == ["b@other.test"]


def state(mx):
    """What an apply that fails leaves as it was, but for the time of building."""
    files = {path.relative_to(mx.etc): path.read_bytes()
             for path in sorted(mx.etc.rglob("*")) if path.is_file()}
    return {name: b"\n".join(line for line in text.splitlines() if not line.startswith(b"#"))
            if name.suffix == ".cf" else text
            for name, text in files.items() if name.suffix != ".db"}


def refused(waybill, *words, code=78):
    done = waybill.apply(ok=None)
    assert done.returncode == code, done.stderr
    for word in words:
        assert word in done.stderr
    return done


def test_modes_and_no_change_the_second_time(site):
    _, mx, waybill, *_ = site
    waybill.apply()
    folder = mx.etc / "waybill/tables-1"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in folder.iterdir()} == {0o600}
    assert {p.stat().st_uid for p in folder.iterdir()} == {0}
    before, starts = state(mx), mx.reloads()
    assert waybill.apply().stdout == ""
    assert state(mx) == before and mx.reloads() == starts
    assert not list(mx.etc.glob(".waybill-*"))


def test_dry_run_and_print_change_nothing(site):
    _, mx, waybill, *_ = site
    before = state(mx)
    assert "+Kwbmail" in waybill.apply("--dry-run").stdout
    text = waybill.apply("--print").stdout
    assert f"makemap hash {mx.etc}/waybill/mailertable" in text
    assert state(mx) == before


def test_tables_change_place(site):
    """Old processes go on with the old tables; a third apply takes the first
    folder again."""
    _, mx, waybill, docomo, *_ = site
    waybill.apply()
    for folder in ("tables-2", "tables-1"):
        waybill.configure(waybill.text + f"route {folder} {{ host = \"127.0.0.1\" "
                          f"port = {docomo.port} max_recipients = 3 }}\n"
                          f"rule {folder} {{ recipients = \"{folder}.test\" "
                          f"route = {folder} }}\n")
        waybill.apply()
        waybill.reload()
        assert f"/waybill/{folder}/mailertable" in (mx.etc / "waybill/waybill.m4").read_text()
        mx.send("info@example.com", [f"a@{folder}.test"])
        assert docomo.wait_for(1, log=mx.log)[0].rcpt_to == [f"a@{folder}.test"]
        docomo.clear()


def test_include_line_is_told(site):
    _, mx, waybill, *_ = site
    mc = mx.etc / "sendmail.mc"
    line = f"sinclude(`{mx.etc}/waybill/waybill.m4')dnl"
    mc.write_text(mc.read_text().replace(line, "dnl " + line))
    mx.make()
    before = state(mx)
    refused(waybill, "does not include", line)
    assert state(mx) == before


def test_edited_cf_is_not_lost(site):
    _, mx, waybill, *_ = site
    with (mx.etc / "sendmail.cf").open("a") as cf:
        cf.write("Down edit\n")
    before = state(mx)
    refused(waybill, "would lose")
    assert state(mx) == before


@pytest.mark.parametrize("own, word", [
    ("MAILER_DEFINITIONS\nSWbEnvTo\nR$*\t$@ $1\n", "with waybill's mark"),
    ("define(`confAUTH_OPTIONS'\n", "m4: ")])
def test_what_cannot_work_is_refused(site, own, word):
    _, mx, waybill, *_ = site
    mx.mc_end = own
    mx.write_mc()
    mx.make(ok=None)
    before = state(mx)
    refused(waybill, word)
    assert state(mx) == before


def test_own_rules_for_all_mail_leave_the_marked_alone(site):
    """waybill's stand before them, wherever its line stands."""
    _, mx, waybill, docomo, *_ = site
    mx.mc_end = ("LOCAL_RULE_0\nRspecial < @ $+ > $*\t$#error $@ 5.7.7 $: \"550 the own rule\"\n"
                 "LOCAL_RULESETS\nSLocal_check_rcpt\nR$*\t$# OK\n")
    mx.write_mc()
    mx.make()
    waybill.apply()
    label = (mx.etc / "waybill/tables-1/mailertable").read_text().split(".docomo.")[1][:8]
    forged = f"a@docomo.test.docomo.{label}.waybill.invalid"
    assert mx.send("i@example.com", [forged]).recipients[forged][0] == 550
    assert docomo.messages == []
    assert "the own rule" in str(mx.send("i@example.com", ["special@else.test"]))
    mx.send("i@example.com", ["a@docomo.test"])
    assert docomo.wait_for(1, log=mx.log)[0].rcpt_to == ["a@docomo.test"]


def test_failing_build_is_taken_back(site):
    _, mx, waybill, _, _, default = site
    make = mx.etc / "Makefile"
    make.write_text(make.read_text().replace("all: ", "all: never-made "))
    before = state(mx)
    refused(waybill, "never-made", "everything was put back", code=69)
    assert state(mx) == before and not list(mx.etc.glob("waybill/tables-*"))
    mx.send("info@example.com", ["a@docomo.test"])
    assert default.wait_for(1, log=mx.log)


def test_daemon_that_cannot_start_anew_is_taken_back(site):
    """Another program takes the port between the check and the restart."""
    _, mx, waybill, _, _, default = site
    before = state(mx)
    taker = mx.etc.parent / "taker.py"
    taker.write_text("import os, socket, sys, time\n"
                     "s = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
                     "if os.fork(): os._exit(0)\n"
                     "os.closerange(0, 3)\n"
                     "open(sys.argv[2], 'w').write(str(os.getpid()))\n"
                     "time.sleep(120)\n")
    make, pid = mx.etc / "Makefile", mx.etc.parent / "taker.pid"
    own = make.read_text()
    make.write_text(own.replace("all: ", "all: take-port ")
                    + f"\ntake-port:\n\ttest -e {pid} || {sys.executable} {taker} "
                    f"{waybill.loopback_port} {pid}\n")
    try:
        done = waybill.tool("apply", "--mta-config", mx.etc, ok=None)
    finally:
        if pid.exists():
            os.kill(int(pid.read_text()), signal.SIGKILL)
    make.write_text(own)
    assert done.returncode == 69, done.stderr
    assert "does not answer" in done.stderr and "everything was put back" in done.stderr
    after = {name: text for name, text in state(mx).items() if "tables-" not in str(name)}
    assert after == before
    wait_for("the old daemon", lambda: listens(("127.0.0.1", mx.port)), timeout=60, log=mx.log)
    mx.send("info@example.com", ["a@docomo.test"])
    assert default.wait_for(1, log=mx.log)


def test_taken_port_is_refused(site):
    _, mx, waybill, _, bulk, _ = site
    before, text = state(mx), waybill.conf.read_text()
    waybill.conf.write_text(text.replace(f"127.0.0.1:{waybill.loopback_port}",
                                         f"127.0.0.1:{bulk.port}"))
    refused(waybill, "loopback_listener", "another program listens")
    assert state(mx) == before
