"""`waybill explain --queue-id`: why a message went where it went, from the
logs of a real Postfix or Sendmail and of the milter."""

import json
import re
import subprocess

import pytest

from lab import letter
from mailsite import Site, route, rule

SENDER = "info@example.com"
REMOTE = "/lib/systemd/systemd-journal-remote"


@pytest.fixture(scope="module", params=("before_queue", "sendmail"))
def trail_site(request, programs, sendmail_here):
    """One recipient's relay does not answer."""
    site = Site(request.param)
    site.waybill.configure(
        site.waybill.text + rule("dead", "dead.test", "dead")
        + """rule 'a \\\\ "rule" é' { recipients = { "odd.test" }  route = au }\n"""
        + 'route dead { host = "[127.0.0.1]"  port = 9  tls = none }\n'
        + route("kept", site.sinks["legacy"], "return_path = keep") + rule("kept", "kept.test", "kept"))
    try:
        yield site.go()
    finally:
        site.close()


def whole_log(site):
    """The milter in the foreground logs elsewhere; by syslog it would have
    this head."""
    head = "Nov 24 03:19:52 mx waybill-milter[77]: "
    milter = "".join(head + line + "\n" for line in site.waybill.log_text().splitlines())
    path = site.waybill.dir / "mail.log"
    path.write_text(milter + site.mx.log.read_text())
    return path


def explain(site, queue_id, *words, log=None, **kwargs):
    return site.waybill.tool("explain", "--log", log or whole_log(site), "--queue-id", queue_id,
                             *words, **kwargs)


def test_a_message_and_its_delivery(trail_site):
    site = trail_site
    queue_id = site.send(SENDER, ["a@docomo.ne.jp"], letter(SENDER, "a@docomo.ne.jp")).queue_id
    site.settle()
    text = explain(site, queue_id).stdout
    assert f"message {queue_id}\nrecipient <a@docomo.ne.jp>\n" in text
    assert re.search(r"  rule        docomo \(.*waybill.conf:\d+, priority 10\)\n", text)
    assert re.search(r"  route       docomo: \[?127.0.0.1\]? port \d+\n", text)
    assert "  return_path main\n" in text and "  decided     Nov 24 03:19:52 mx\n" in text
    assert re.search("stat=Sent|status=sent", text)
    if site.way != "sendmail":
        assert "queue\n  it is there no more\n" in text
    assert site.label() not in text and "LABEL.waybill.invalid" in text
    assert "has changed since" not in text


@pytest.mark.only_postfix("explain does not read Sendmail's queue")
def test_what_is_still_queued(trail_site):
    site = trail_site
    queue_id = site.send(SENDER, ["a@dead.test"], letter(SENDER, "a@dead.test")).queue_id
    site.mx.wait_for_log(f" {queue_id}: ", "status=deferred")
    site.mx.wait_for_deferred()
    got = json.loads(explain(site, queue_id, "--json").stdout)
    decision, = got["decisions"]
    assert (decision["rule"], decision["route"], decision["class"]) == ("dead", "dead", "outbound")
    queued, = got["queue"]
    assert (queued["queue_id"], queued["queue"]) == (queue_id, "deferred")
    assert queued["recipients"][0]["recipient"] == "a@dead.test.dead.LABEL.waybill.invalid"
    assert "Connection refused" in queued["recipients"][0]["why"]
    assert "status=deferred" in got["deliveries"][0]["text"]
    site.mx.empty_queue()


@pytest.mark.only_sendmail("Postfix has postqueue for it")
def test_what_sendmail_still_has(trail_site):
    """The log tells why it waits; that the queue was not looked at is told."""
    site = trail_site
    queue_id = site.send(SENDER, ["a@dead.test"], letter(SENDER, "a@dead.test")).queue_id
    site.mx.wait_for_log(f" {queue_id}: ", "stat=Deferred")
    got = json.loads(explain(site, queue_id, "--json").stdout)
    assert [d["route"] for d in got["decisions"]] == ["dead"]
    assert "stat=Deferred: Connection refused" in got["deliveries"][0]["text"]
    assert "only Postfix can be asked" in explain(site, queue_id).stdout
    site.mx.empty_queue()


def test_the_second_pass_is_followed(trail_site):
    site = trail_site
    to = ["a@docomo.ne.jp", "b@kept.test"]
    queue_id = site.send(SENDER, to, letter(SENDER, ", ".join(to))).queue_id
    site.settle()
    got = json.loads(explain(site, queue_id, "--json").stdout)
    assert len(got["queue_ids"]) == 3 and got["queue_ids"][0] == queue_id
    second = {d["to"]: d for d in got["decisions"] if d["queue_id"] != queue_id}
    assert {to: d["route"] for to, d in second.items()} == dict(zip(to, ["docomo", "kept"]))
    assert second["a@docomo.ne.jp"]["sender"] == "info@return.example.com"
    assert [d["passes"] for d in got["decisions"] if d["queue_id"] == queue_id] == ["2", "2"]


def test_a_changed_configuration_is_told(trail_site):
    site = trail_site
    queue_id = site.send(SENDER, ["a@ezweb.ne.jp"], letter(SENDER, "a@ezweb.ne.jp")).queue_id
    old = site.waybill.text
    site.waybill.configure(old.replace("rule au ", "rule kddi "))
    try:
        text = explain(site, queue_id).stdout
    finally:
        site.waybill.configure(old)
    assert "rule        au (not configured any more)" in text and "has changed since" in text


def test_a_rule_with_an_odd_name_is_found(trail_site):
    site = trail_site
    queue_id = site.send(SENDER, ["a@odd.test"], letter(SENDER, "a@odd.test")).queue_id
    text = explain(site, queue_id).stdout
    assert re.search(r"  rule        a\\x20\\x5C\\x20\\x22rule\\x22\\x20\\xC3\\xA9 "
                     r"\(.*waybill.conf:\d+, priority 100\)\n", text), text


@pytest.mark.only_postfix("Sendmail refuses it by its own rules, before any milter")
def test_a_refusal_is_explained(trail_site):
    site = trail_site
    before = len(site.waybill.log_lines("reply="))
    assert site.send("x@y.waybill.invalid", ["a@docomo.ne.jp"],
                     letter("a@b.test", "c")).code == 553
    line = site.waybill.log_lines("reply=")[before]
    queue_id = line.partition(":")[0]
    assert "reply       553 5.1.7 " in explain(site, queue_id).stdout


def test_others_cannot_put_words_into_it(trail_site):
    """A line that another program wrote is no decision."""
    path = trail_site.waybill.dir / "forged.log"
    path.write_text("Nov 24 03:19:52 mx evil[1]: 4F2A: from=<a@b> to=<c@d> route=gold\n"
                    "Nov 24 03:19:53 mx waybill-milter[7]: 4F2AA: from=<a@b> to=<c@d> route=gold\n"
                    "Nov 24 03:19:53 mx waybill-milter[7]: 4F2A: from=<a@b> to=<c@d> route=direct "
                    'reply="x route=gold" conf=00000000\n')
    got = json.loads(explain(trail_site, "4F2A", "--json", log=path).stdout)
    decision, = got["decisions"]
    assert decision["route"] == "direct" and decision["reply"] == "x route=gold"


def test_a_relays_words_lead_nowhere(trail_site):
    """Only an id that an MTA on this host gave is followed."""
    path = trail_site.waybill.dir / "forged.log"
    path.write_text(
        "Nov 24 03:19:53 mx sm-mta[7]: 4F2A: to=<c@d>, relay=mx.test. [192.0.2.1], dsn=2.0.0, "
        "stat=Sent (4F2B Message accepted for delivery)\n"
        "Nov 24 03:19:53 mx sm-mta[7]: 4F2A: to=<e@f>, relay=[127.0.0.1] [127.0.0.1], dsn=2.0.0, "
        "stat=Sent (Ok)\n"
        "Nov 24 03:19:53 mx sm-mta[7]: 4F2A: to=<g@h>, relay=mx.test. [192.0.2.1], dsn=2.0.0, "
        "stat=Sent (4F2C Message accepted for delivery) relay=[127.0.0.1]\n"
        "Nov 24 03:19:53 mx sm-mta[7]: 4F2A: to=<i@j>, relay=[127.0.0.1] [127.0.0.1], dsn=2.0.0, "
        "stat=Sent (4F2D Message accepted for delivery)\n"
        "Nov 24 03:19:54 mx waybill-milter[7]: 4F2B: from=<a@b> to=<c@d> route=gold\n"
        "Nov 24 03:19:54 mx waybill-milter[7]: 4F2C: from=<a@b> to=<g@h> route=gold\n"
        "Nov 24 03:19:54 mx waybill-milter[7]: 4F2D: from=<a@b> to=<i@j> route=direct\n")
    got = json.loads(explain(trail_site, "4F2A", "--json", log=path).stdout)
    assert got["queue_ids"] == ["4F2A", "4F2D"] and len(got["deliveries"]) == 4
    assert [d["to"] for d in got["decisions"]] == ["i@j"]


def test_the_journal(trail_site, tmp_path):
    """A real file of journald's, read by journalctl."""
    site = trail_site
    queue_id = site.send(SENDER, ["a@softbank.jp"], letter(SENDER, "a@softbank.jp")).queue_id
    line, = site.waybill.log_lines(f"{queue_id}: ")
    entry = (f"__REALTIME_TIMESTAMP=1795490392000000\n_BOOT_ID={'a' * 32}\n_HOSTNAME=mx\n"
             f"__MONOTONIC_TIMESTAMP=1000000\n"
             f"SYSLOG_IDENTIFIER=waybill-milter\n_PID=77\nMESSAGE={{}}\n\n")
    journal = tmp_path / "mail.journal"
    subprocess.run([REMOTE, "-o", journal, "-"], check=True, timeout=60, text=True,
                   input=entry.format(line) + entry.format("4F2B: something else"))
    got = json.loads(explain(site, queue_id, "--json", log=journal).stdout)
    decision, = got["decisions"]
    assert decision["route"] == "softbank" and decision["logged"].endswith(" mx")
    done = explain(site, "4F2C", log=journal, ok=None)
    assert done.returncode == 65 and "nothing on 4F2C" in done.stderr
