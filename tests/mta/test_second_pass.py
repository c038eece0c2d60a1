"""Messages whose recipients need different senders: each outbound recipient
comes back as a message of its own."""

import re
import smtplib
import threading
from collections import Counter
from contextlib import contextmanager

import pytest

from lab import letter
from mailsite import Site, route, rule, send_many
from test_outbound import NO_SMTPUTF8

SENDER = "info@example.com"
BOX = "box@virtual.test"
PATHS = {"first": "docomo", "second": "au", "third": "softbank"}   # route: sink
WANTED = {    # recipient: (sink, sender, tag)
    "a@first.test": ("docomo", "info@first.example.com", "first"),
    "b+tag@second.test": ("au", "info@second.example.com", "second"),
    "c@third.test": ("softbank", "info@third.example.com", "third"),
    "d@plain.test": ("default", "info@return.example.com", "direct"),
}
LOCAL = "news@mx.test"
MAC = "a" * 26
TOO_LONG = pytest.mark.only_postfix("an address has 256 octets at most in Sendmail, mark and all")


def configuration(site):
    """Three routes with return paths of their own, and one that is direct."""
    text = rule("plain", "plain.test", "direct")
    for name, sink in PATHS.items():
        text += route(name, site.sinks[sink], f"return_path = {name}")
        text += rule(name, f"{name}.test", name)
        text += f'return_path {name} {{ senders = {{ "example.com", "virtual.test" }}' \
                f'  domain = "{name}.example.com" }}\n'
    return text


def make_site(way, **options):
    site = Site(way, **options)
    site.waybill.configure(site.waybill.text + configuration(site))
    return site


@pytest.fixture(scope="session")
def running_site(way, programs, sendmail_here):
    site = make_site(way, main={"authorized_verp_clients": "127.0.0.0/8"})
    try:
        yield site.go()
    finally:
        site.close()


@pytest.fixture
def fresh(way, programs, sendmail_here):
    """A site that a test may spoil."""
    site = make_site(way)
    try:
        yield site.go()
    finally:
        site.close()


@contextmanager
def between_passes(site, count=1):
    """What is sent before the generator is left waits between the passes:
    count messages. In Postfix the listener for second passes refuses all for
    now, in Sendmail nothing leaves the queue."""
    held = held_by_sendmail if site.way == "sendmail" else held_by_postfix
    with held(site):
        yield
        site.mx.wait_for_deferred(count)
        assert {r["address"].split(".")[-4] for m in site.mx.queued() for r in m["recipients"]} \
            == {"again"}


@contextmanager
def held_by_sendmail(site):
    mc = site.mx.mc
    site.mx.mc += "define(`confDELIVERY_MODE', `queueonly')dnl\n"
    try:
        rebuild(site.mx)
        yield
    finally:
        site.mx.mc = mc
        rebuild(site.mx)


def rebuild(sendmail):
    sendmail.write_mc()
    sendmail.make()
    sendmail.reload()


@contextmanager
def held_by_postfix(site):
    table = site.mx.etc / "waybill" / "again.pcre"
    text = table.read_text()
    table.write_text("/^/  450 4.2.0 not now\n")
    site.mx.reload()
    try:
        yield
    finally:
        table.write_text(text)


def check_arrival(site, to=None):
    """Each place has the one recipient of its own, once."""
    site.settle()
    for recipient, (sink, sender, tag) in WANTED.items():
        message = site.only(sink)
        assert (message.rcpt_to, message.mail_from) == ([recipient], sender)
        assert message.headers("X-Waybill-Route") == [tag]
        assert "waybill.invalid" not in message.text
        if to:
            assert message.header("To") == to
    assert site.mx.queued() == []


def arrivals(site):
    return {sink: [recipient] for recipient, (sink, _, _) in WANTED.items()}


# each its own sender

@pytest.mark.parametrize("by", ["smtp", "sendmail"])
def test_each_recipient_has_its_own_sender(site, by):
    recipients = [*WANTED, LOCAL]
    to = ", ".join(recipients)
    text = letter(SENDER, to, headers=[("X-Waybill-Route", "forged")])
    if by == "smtp":
        assert set(site.send(SENDER, recipients, text).all_codes()) == {250}
    else:
        site.mx.sendmail(text, sender=SENDER)
    check_arrival(site, to)
    box, = site.mx.mailbox("news")
    assert re.search(r"^Return-Path: <info@example\.com>$", box, re.M), box
    assert "X-Waybill-Route" not in box
    assert "waybill.invalid" not in box
    assert site.arrived() == arrivals(site) | {"mailbox news": ["news"]}


def test_dsn_parameters_are_kept(site):
    asked = {"a@first.test": ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;list+2Ba@elsewhere.test"],
             "b+tag@second.test": ["NOTIFY=NEVER"],
             "c@third.test": ["ORCPT=rfc822;C@third.test"],
             "d@plain.test": []}
    reply = site.send(SENDER, list(asked), rcpt_options=asked,
                      mail_options=["ENVID=tag7", "RET=HDRS"])
    assert set(reply.all_codes()) == {250}
    check_arrival(site)
    got = {sink: site.only(sink).recipients[0][1] for sink, _, _ in WANTED.values()}
    assert got["docomo"] == {"NOTIFY": "SUCCESS,DELAY", "ORCPT": "rfc822;list+2Ba@elsewhere.test"}
    assert got["au"].pop("ORCPT", "rfc822;b+2Btag@second.test") == "rfc822;b+2Btag@second.test"
    assert got["au"] == {"NOTIFY": "NEVER"}
    assert got["softbank"] == {"ORCPT": "rfc822;C@third.test"}
    assert got["default"] == {"ORCPT": "rfc822;d@plain.test"}
    for sink in got:
        args = site.only(sink).mail_args
        assert (args["ENVID"], args["RET"]) == ("tag7", "HDRS")


def test_verp_to_several_recipients(site):
    recipients = ["A@docomo.ne.jp", "b@docomo.ne.jp", "c@remote.test", '"d e"@remote.test']
    sender = "Owner@verp.example.com"
    assert site.send(sender, recipients).code == 250
    site.settle()
    messages = site.docomo.messages + site.bulk.messages
    assert sorted(r for m in messages for r in m.rcpt_to) == sorted(recipients)
    assert [len(m.rcpt_to) for m in messages] == [1] * 4
    for message in messages:
        told = site.waybill.tool("return-path", "decode", message.mail_from).stdout
        assert sender in told and message.rcpt_to[0] in told, told
    assert set(site.arrived()) == {"docomo", "bulk"}


def test_a_route_that_keeps_the_sender_beside_one_that_does_not(site):
    site.send(SENDER, ["a@docomo.ne.jp", "old@legacy.test"])
    site.settle()
    assert site.only("docomo").mail_from == "info@return.example.com"
    assert site.only("legacy").mail_from == SENDER
    assert site.only("docomo").rcpt_to + site.only("legacy").rcpt_to == \
        ["a@docomo.ne.jp", "old@legacy.test"]


def test_bounces_and_webhooks_beside_it_stay_as_they_are(site):
    text = letter(SENDER, "info@mailform.example.com")
    site.send(SENDER, ["a@first.test", "old@legacy.test", "info@mailform.example.com"], text)
    site.settle()
    hook = site.only("lmtp")
    assert hook.mail_from == SENDER
    assert hook.headers("X-Waybill-Webhook") == ["crm; filter=mailform"]
    assert ".crm.mailform." in hook.rcpt_to[0]
    assert site.only("docomo").headers("X-Waybill-Webhook") == []
    assert site.only("docomo").mail_from == "info@first.example.com"


def test_an_alias_beside_it_is_expanded_once(site):
    """With a filter in front of the queue such mail is not routed, as ever."""
    site.send(SENDER, ["a@first.test", "known@partner.test"])
    site.settle()
    arrived = site.arrived()
    assert arrived.pop("docomo") == ["a@first.test"]
    assert list(arrived.values()) == [["eve@remote.test"]]


@pytest.mark.parametrize("recipient", [
    "user@[192.0.2.1]",
    '"two words"@remote.test',
    '"needless"@remote.test',
    r'"quote\"and\\slash"@remote.test',
    "User.Name+Tag@Remote.TEST",
    "percent%inside@remote.test",
    pytest.param("ユーザ@例え.test", marks=NO_SMTPUTF8),
    pytest.param("x" * 64 + "@" + ".".join(["a" * 60] * 3) + ".test", marks=TOO_LONG),
    pytest.param("user@" + ".".join(["a" * 60] * 3) + ".test", marks=TOO_LONG),
], ids=["literal", "blank", "needless", "quoted", "case", "percent", "utf8", "longest", "long"])
def test_recipients_that_are_hard_to_write(site, recipient):
    assert site.send(SENDER, [recipient, "old@legacy.test"]).code == 250
    site.settle()
    assert [tidy(r) for r in site.only("bulk").rcpt_to] == [tidy(recipient)]
    assert site.only("bulk").mail_from == "info@return.example.com"
    assert "waybill.invalid" not in site.only("bulk").text
    assert site.only("legacy").rcpt_to == ["old@legacy.test"]


@pytest.mark.only_sendmail("Postfix has no such limit")
def test_a_recipient_that_is_too_long_for_its_mark_is_refused(site):
    """Sendmail itself would answer what no client understands."""
    recipient = "user@" + ".".join(["a" * 60] * 3) + ".test"
    reply = site.send(SENDER, [recipient, "old@legacy.test"])
    assert (reply.code, reply.text[:5]) == (553, "5.1.3"), reply
    site.settle()
    assert site.arrived() == {}


def tidy(address):
    """Some MTAs drop quotes that are not needed; the domain's case may change."""
    local, _, domain = address.rpartition("@")
    local = re.sub(r'^"(\w+)"$', r"\1", local)
    return f"{local}@{domain.lower()}"


@pytest.mark.parametrize("sender, becomes", [
    ("Info+Tag@EXAMPLE.com", "Info+Tag@return.example.com"),
    ('"odd name"@example.com', '"odd name"@return.example.com'),
    ('"needless"@example.com', "needless@return.example.com"),
], ids=["case", "quoted", "needless"])
def test_senders_that_are_hard_to_write(site, sender, becomes):
    site.send(sender, ["a@docomo.ne.jp", "old@legacy.test"])
    site.settle()
    assert tidy(site.only("docomo").mail_from) == becomes
    assert [tidy(site.only("legacy").mail_from)] == [tidy(sender)]


def test_the_log_tells_both_passes(site):
    site.send(SENDER, ["a@first.test", "old@legacy.test"])
    site.settle()
    first, = site.waybill.log_lines("to=<a@first.test>", "passes=2")[-1:]
    second, = site.waybill.log_lines("to=<a@first.test>", "sender=<info@first.example.com>")[-1:]
    assert "route=first" in first and "sender=" not in first
    assert "route=first" in second and "passes=" not in second
    assert "waybill.invalid" not in first + second


# what must not get in

@pytest.fixture(scope="session")
def label(running_site):
    return running_site.label()


@contextmanager
def at_the_listener(site):
    smtp = smtplib.SMTP("127.0.0.1", site.waybill.again_port, timeout=30)
    try:
        smtp.ehlo()
        assert smtp.docmd("MAIL", f"FROM:<{SENDER}>")[0] == 250
        yield smtp
    finally:
        smtp.close()


@pytest.mark.parametrize("recipient", [
    "a@first.test", "news@mx.test", "postmaster",
    "a@first.test.first.{label}.waybill.invalid",
    f"a@first.test.first.{MAC}.again.aaaaaaaa.waybill.invalid",
    f"info@mailform.example.com.crm.mailform.{MAC}.hook.{{label}}.waybill.invalid",
    f"a%first.test.first.{MAC}.again.{{label}}.waybill.invalid@mx.test"])
def test_its_listener_takes_second_passes_only(site, label, recipient):
    with at_the_listener(site) as smtp:
        code, text = smtp.docmd("RCPT", f"TO:<{recipient.format(label=label)}>")
        assert (code, text[:5]) == (550, b"5.1.2")
    assert site.arrived() == {}


def test_a_made_up_mark_is_not_sent_on(site, label):
    """Ours by its label, so it is not refused for good; but it stays out."""
    with at_the_listener(site) as smtp:
        mark = f"a@first.test.first.{MAC}.again.{label}.waybill.invalid"
        assert smtp.docmd("RCPT", f"TO:<{mark}>")[0] in (250, 451)
        code, text = smtp.docmd("RCPT", f"TO:<{mark}>")
        assert (code, text[:5]) == (452, b"4.5.3")
        with pytest.raises(smtplib.SMTPDataError) as refused:
            if smtp.data(b"Subject: x\r\n\r\nx\r\n")[0] != 250:
                code, text = smtp.data(b"")
                raise smtplib.SMTPDataError(code, text)
            pytest.fail("taken")
    site.settle()
    assert site.arrived() == {}
    assert refused


@pytest.mark.parametrize("its", ["aaaaaaaa", "{label}"], ids=["unknown-label", "known-label"])
def test_sendmail_cannot_forge_a_mark(site, label, its):
    forged = f"a@first.test.first.{MAC}.again.{its.format(label=label)}.waybill.invalid"
    site.mx.sendmail(letter(BOX, forged), sender=BOX)
    if its == "aaaaaaaa" or site.way == "sendmail":    # whose sendmail(1) asks check_rcpt
        report = site.mx.wait_for_mailbox("virtual.test/box")[0]
        assert "5.1.2" in report
        site.settle()
        site.mx.empty_mailboxes()
    else:
        reason = site.mx.wait_for_deferred()[0]["recipients"][0]["delay_reason"]
        assert "451 4.3.0" in reason
    assert site.arrived() == {}


@pytest.mark.parametrize("client", [None, "192.0.2.7"], ids=["own-client", "stranger"])
def test_a_mark_that_is_good_is_not_taken_elsewhere(site, client):
    with between_passes(site):
        site.send(SENDER, ["a@first.test", "old@legacy.test"])
    marks = [r["address"] for m in site.mx.queued() for r in m["recipients"]]
    site.clear()
    for mark in marks:
        reply = site.send(SENDER, [mark], client=client)
        assert reply.code >= (400 if client else 500), reply
    site.settle()
    site.mx.reload()
    assert site.arrived() == {}


# reports

def test_a_bounce_after_the_second_pass_is_clean(site):
    site.legacy.refuse("550 5.1.1 no such user here")
    site.send(BOX, ["a@first.test", "bad@legacy.test"])
    report = site.mx.wait_for_mailbox("virtual.test/box")[0]
    check_report(site, report, "bad@legacy.test")
    site.settle()
    assert site.only("docomo").mail_from == "box@first.example.com"


def test_a_bounce_between_the_passes_is_clean(site):
    with between_passes(site):
        site.send(BOX, ["bad@first.test", "user@[192.0.2.1]", "old@legacy.test"])
    give_up(site)
    report = site.mx.wait_for_mailbox("virtual.test/box")[0]
    for recipient in ("bad@first.test", "user@[192.0.2.1]", "old@legacy.test"):
        check_report(site, report, recipient)
    site.settle()
    site.mx.reload()
    assert set(site.arrived()) == {"mailbox virtual.test/box"}


def give_up(site):
    """Whatever is queued is returned, after a last try that fails: in Postfix
    the listener for second passes refuses all, in Sendmail it is not there."""
    if site.mx.kind == "postfix":
        site.mx.expire()
        return
    site.mx.stop()
    site.mx.expire()
    site.mx.start()
    site.mx.flush()


def check_report(site, report, recipient):
    assert "waybill.invalid" not in site.told_by(report)
    assert re.search(r"^Final-Recipient: rfc822; ?" + re.escape(recipient) + "$", report,
                     re.M | re.I), report
    if site.way != "sendmail":    # its text for people names the marked one
        assert f"<{recipient}>" in report.replace("\n    ", "")


# nothing lost, nothing doubled

def test_a_milter_killed_between_the_passes(site):
    with between_passes(site):
        site.send(SENDER, list(WANTED))
    site.waybill.kill()
    try:
        site.mx.reload()
        site.mx.flush()
        site.mx.wait_for_log(*{"postfix": ("waybill-again/smtp", "4.7.1"),
                               "sendmail": ("mailer=wb-again", "4.3.2")}[site.mx.kind])
        assert len(site.mx.wait_for_deferred()[0]["recipients"]) == len(WANTED)
        assert site.arrived() == {}
    finally:
        site.waybill.start()
    site.mx.retry_until_empty()
    check_arrival(site)
    assert site.arrived() == arrivals(site)


def test_the_mta_stopped_between_the_passes(site):
    with between_passes(site):
        site.send(SENDER, list(WANTED))
    site.mx.stop()
    site.mx.start()
    site.mx.retry_until_empty()
    check_arrival(site)
    assert site.arrived() == arrivals(site)


def test_requeued_between_the_passes(site):
    with between_passes(site):
        site.send(SENDER, list(WANTED))
    site.mx.reload()
    site.mx.requeue()
    site.mx.retry_until_empty()
    check_arrival(site)
    assert site.arrived() == arrivals(site)


def test_requeued_after_the_second_pass(site):
    for sink in PATHS.values():
        site.sinks[sink].refuse("450 4.2.0 later")
    site.send(SENDER, list(WANTED))
    site.mx.wait_for_deferred(3)
    for sink in PATHS.values():
        site.sinks[sink].accept()
    site.mx.requeue()
    site.mx.retry_until_empty()
    check_arrival(site)


@pytest.mark.only_postfix("in Sendmail waybill writes the listener and its milter in one line")
def test_without_its_milter_the_listener_takes_nothing(site):
    """What it took would come back for ever."""
    main = site.mx.etc / "main.cf"
    text = main.read_text()
    main.write_text(re.sub(r"^waybill_again_milters = .*$", "waybill_again_milters =", text,
                           flags=re.M))
    site.mx.reload()
    try:
        site.send(SENDER, list(WANTED))
        site.mx.wait_for_deferred()
        assert site.arrived() == {}
        assert len(site.mx.queued()) == 1
    finally:
        main.write_text(text)
        site.mx.reload()
    site.mx.retry_until_empty()
    check_arrival(site)


def test_a_milter_killed_under_load(site):
    """What was answered by 250 arrives once; the rest was told 4xx."""
    stop = threading.Event()

    def crash():
        while not stop.wait(0.2):
            site.waybill.kill()
            site.waybill.start()

    def make(i):
        to = [f"n{i}@{name}.test" for name in PATHS]
        return SENDER, to, letter(SENDER, ", ".join(to))
    thread = threading.Thread(target=crash)
    thread.start()
    try:
        replies = send_many(site.mx, 60, 6, make)
    finally:
        stop.set()
        thread.join()
    taken = [i for i, reply in enumerate(replies) if reply.code == 250]
    assert {reply.code // 100 for reply in replies} <= {2, 4}
    assert taken
    site.mx.retry_until_empty(90)
    for name, sink in PATHS.items():
        assert Counter(site.sinks[sink].rcpt_to) == Counter(f"n{i}@{name}.test" for i in taken)
        assert {m.mail_from for m in site.sinks[sink].messages} == {f"info@{name}.example.com"}


def test_undo_lets_mail_between_the_passes_leave(fresh):
    with between_passes(fresh):
        fresh.send(SENDER, list(WANTED))
    fresh.docomo.refuse("450 4.2.0 later")
    done = fresh.waybill.tool("apply", "--undo", "--wait", "5", ok=None)
    assert done.returncode == 75, done.stderr
    fresh.docomo.accept()
    if fresh.mx.kind == "postfix":
        fresh.mx.age()
    fresh.waybill.undo()
    check_arrival(fresh)
    assert fresh.arrived() == arrivals(fresh)
    file, word = {"postfix": ("main.cf", "waybill_"),
                  "sendmail": ("sendmail.cf", "wb-again")}[fresh.mx.kind]
    assert word not in (fresh.mx.etc / file).read_text()


# what cannot be done is not done wrong

@pytest.mark.only_postfix("XVERP is Postfix's own")
def test_xverp_is_refused_where_it_would_need_a_second_pass(site):
    """Behind the queue Postfix has made a message of each recipient already."""
    reply = site.send("owner@example.com", ["a@first.test", "b@second.test"],
                      mail_options=["XVERP=+="])
    site.settle()
    if site.attach == "before_queue":
        assert (reply.code, reply.text[:5]) == (452, "4.5.3")
        assert site.arrived() == {}
    else:
        assert site.only("docomo").mail_from == "owner+a=first.test@first.example.com"
        assert site.only("au").mail_from == "owner+b=second.test@second.example.com"


def test_a_sender_that_the_mta_changes_waits(attach, programs):
    """Canonical maps between the passes: apply warns, and no mail is lost."""
    site = make_site(attach, main={"sender_canonical_maps": "static:other@example.com"})
    try:
        site.waybill.start()
        warned = "sender_canonical_maps: changes senders" in site.waybill.apply().stderr
        site.send(SENDER, ["a@first.test", "b@second.test"])
        if attach == "after_queue":
            site.settle()
            assert not warned
            assert site.only("docomo").mail_from == "other@first.example.com"
            return
        assert warned
        reasons = [r["delay_reason"] for r in site.mx.wait_for_deferred()[0]["recipients"]]
        assert len(reasons) == 2 and all("451 4.3.0" in reason for reason in reasons)
        assert site.waybill.log_lines('reply="451 4.3.0 ', "the MTA changed the sender")
        assert site.arrived() == {}
    finally:
        site.close()
