"""Mail that leaves: through which relay, from which sender, how clean."""

import re
import threading
from collections import Counter
from contextlib import contextmanager

import pytest

from lab import letter
from mailsite import CARRIERS, ROUTES, send_many

SENDER = "info@example.com"
RETURN = "info@return.example.com"
NO_SMTPUTF8 = pytest.mark.only_postfix("Debian's Sendmail is built without SMTPUTF8")
FIVE = {"docomo": "a@docomo.ne.jp", "au": "b@ezweb.ne.jp", "softbank": "c@softbank.jp",
        "bulk": "d@remote.test"}
LOCAL = "news@mx.test"


def check_five(site, to):
    """Each relay has the one recipient of its own, as a stranger may see it."""
    site.settle()
    for route, recipient in FIVE.items():
        message = site.only(route)
        assert message.rcpt_to == [recipient]
        assert message.mail_from == RETURN
        assert message.header("To") == to
        assert sorted(message.header("X-Waybill-Route").split(", ")) == sorted(FIVE)
        assert "waybill.invalid" not in message.text
    assert len(site.mx.mailbox("news")) == 1
    assert set(site.arrived()) == {*FIVE, "mailbox news"}


# one message, five recipients

def test_five_recipients_by_smtp(site):
    recipients = [*FIVE.values(), LOCAL]
    to = ", ".join(recipients)
    reply = site.send(SENDER, recipients, letter(SENDER, to))
    assert set(reply.all_codes()) == {250}
    check_five(site, to)


def test_five_recipients_by_sendmail_t(site):
    to = ", ".join([*FIVE.values(), LOCAL])
    assert site.mx.sendmail(letter(SENDER, to), sender=SENDER).returncode == 0
    check_five(site, to)


def test_five_recipients_by_sendmail_with_arguments(site):
    recipients = [*FIVE.values(), LOCAL]
    done = site.mx.sendmail(letter(SENDER, "list:;"), sender=SENDER, recipients=recipients)
    assert done.returncode == 0
    check_five(site, "list:;")


def test_several_recipients_of_one_route_travel_together(site):
    site.send(SENDER, ["a@docomo.ne.jp", "b@docomo.ne.jp", "c@docomo.ne.jp"])
    site.settle()
    message = site.only("docomo")
    assert sorted(message.rcpt_to) == ["a@docomo.ne.jp", "b@docomo.ne.jp", "c@docomo.ne.jp"]
    assert message.header("X-Waybill-Route") == "docomo"


# DSN parameters (RFC 3461)

def test_notify_and_orcpt_arrive(site):
    asked = {"a@docomo.ne.jp": ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;list+2Ba@elsewhere.test"],
             "b@ezweb.ne.jp": ["NOTIFY=NEVER"],
             "c@softbank.jp": ["ORCPT=rfc822;C@softbank.jp"],
             "d+tag@remote.test": []}
    reply = site.send(SENDER, list(asked), rcpt_options=asked,
                      mail_options=["ENVID=tag7", "RET=HDRS"])
    assert set(reply.all_codes()) == {250}
    site.settle()
    assert site.only("docomo").recipients == [
        ("a@docomo.ne.jp", {"NOTIFY": "SUCCESS,DELAY", "ORCPT": "rfc822;list+2Ba@elsewhere.test"})]
    address, args = site.only("au").recipients[0]
    assert (address, args["NOTIFY"]) == ("b@ezweb.ne.jp", "NEVER")
    assert args.get("ORCPT", "rfc822;b@ezweb.ne.jp") == "rfc822;b@ezweb.ne.jp"
    assert site.only("softbank").recipients == [
        ("c@softbank.jp", {"ORCPT": "rfc822;C@softbank.jp"})]
    assert site.only("bulk").recipients == [
        ("d+tag@remote.test", {"ORCPT": "rfc822;d+2Btag@remote.test"})]
    for route in ROUTES:
        args = site.only(route).mail_args
        assert (args["ENVID"], args["RET"]) == ("tag7", "HDRS")


# requeue

def test_requeued_mail_keeps_its_routes(site):
    for route in ROUTES:
        getattr(site, route).refuse("450 4.2.0 later")
    recipients = list(FIVE.values())
    site.send(SENDER, recipients)
    site.mx.wait_for_deferred()
    for route in ROUTES:
        getattr(site, route).accept()
    site.mx.requeue()
    site.settle()
    for route, recipient in FIVE.items():
        message = site.only(route)
        assert (message.rcpt_to, message.mail_from) == ([recipient], RETURN)
    assert set(site.arrived()) == set(FIVE)


def test_requeued_mail_is_not_decided_anew(site):
    """The rule wants a sender in example.com, and by now it is another."""
    site.au.refuse("450 4.2.0 later")
    site.send(SENDER, ["x@vip.test"])
    site.mx.wait_for_deferred()
    site.au.accept()
    site.mx.requeue()
    site.settle()
    assert site.arrived() == {"au": ["x@vip.test"]}
    assert site.only("au").mail_from == RETURN
    assert site.only("au").headers("X-Waybill-Route") == ["au"]


# delivery status notifications

@pytest.mark.parametrize("recipient", [
    "bad@docomo.ne.jp",
    "Very.Long.Local.Part.That.Fills.Up.The.Line.Of.A.Report.To.The.End@docomo.ne.jp",
    '"with space"@docomo.ne.jp',
    pytest.param("悪い@docomo.ne.jp", marks=NO_SMTPUTF8),
], ids=["plain", "long", "quoted", "utf8"])
def test_bounce_names_the_clean_address_only(site, recipient):
    site.docomo.refuse("550 5.1.1 no such user here")
    site.send("box@virtual.test", [recipient])
    report = site.mx.wait_for_mailbox("virtual.test/box")[0]
    assert "waybill.invalid" not in site.told_by(report)
    assert re.search(r"^Final-Recipient: (rfc822|utf-8); ?" + re.escape(recipient) + "$",
                     report, re.M | re.I), report
    if site.way != "sendmail":    # its text for people names the marked one
        assert f"<{recipient}>" in report.replace("\n    ", "")
    site.settle()
    assert set(site.arrived()) == {"mailbox virtual.test/box"}


def test_success_report_names_the_clean_address_only(site):
    site.docomo.extensions = ("8BITMIME", "ENHANCEDSTATUSCODES")    # no DSN: Postfix reports
    try:
        site.send("box@virtual.test", ["good@docomo.ne.jp"], rcpt_options=["NOTIFY=SUCCESS"])
        report = site.mx.wait_for_mailbox("virtual.test/box")[0]
    finally:
        del site.docomo.extensions
    assert "waybill.invalid" not in site.told_by(report)
    assert re.search("^Action: relayed", report, re.M)
    assert re.search("^Final-Recipient: rfc822; ?good@docomo.ne.jp$", report, re.M | re.I)


def test_bounce_of_a_rewritten_sender_reaches_the_webhook(site):
    """The report goes to the return domain, and from there by LMTP."""
    site.docomo.refuse("550 5.1.1 no such user here")
    site.send(SENDER, ["bad@docomo.ne.jp"])
    report = site.lmtp.wait_for(1, log=site.mx.log)[0]
    assert report.mail_from == ""
    assert RETURN.split("@")[0] in report.rcpt_to[0]
    assert "waybill.invalid" not in site.told_by(report.text)
    site.settle()


# the envelope sender

@pytest.mark.parametrize("sender, becomes", [
    ("info@example.com", "info@return.example.com"),
    ("Info+Tag@EXAMPLE.com", "Info+Tag@return.example.com"),
    ('"odd name"@example.com', '"odd name"@return.example.com'),
    ("info@return.example.com", "info@return.example.com"),
    ("info@other.test", "info@other.test"),
    ("info@sub.example.com", "info@sub.example.com"),
    ("", ""),
], ids=["own", "case-and-tag", "quoted", "already", "foreign", "subdomain", "null"])
def test_sender(site, sender, becomes):
    reply = site.send(sender, ["a@docomo.ne.jp"])
    assert reply.code == 250, reply
    site.settle()
    assert site.only("docomo").mail_from == becomes


def test_a_route_that_keeps_the_sender(site):
    site.send(SENDER, ["old@legacy.test"])
    site.settle()
    assert site.only("legacy").mail_from == SENDER


# recipients that are hard to write

@pytest.mark.parametrize("recipient", [
    '"two words"@docomo.ne.jp',
    '"at@sign"@docomo.ne.jp',
    r'"quote\"and\\slash"@docomo.ne.jp',
    '"a..b"@docomo.ne.jp',
    "User.Name+Tag@DoCoMo.NE.jp",
    "percent%inside@docomo.ne.jp",
    "bang!inside@docomo.ne.jp",
    "a=b@docomo.ne.jp",
    "o'neil&sons@docomo.ne.jp",
    "{x}|y~z#$^*/?`_@docomo.ne.jp",
    "x" * 64 + "@docomo.ne.jp",
    pytest.param("田中@docomo.ne.jp", marks=NO_SMTPUTF8),
], ids=lambda r: r[:24])
def test_recipient_arrives_as_it_was_sent(site, recipient):
    assert site.send(SENDER, [recipient]).code == 250
    site.settle()
    got = site.only("docomo").rcpt_to
    assert [tidy(a) for a in got] == [tidy(recipient)]


@pytest.mark.parametrize("recipient", [
    "user@[192.0.2.1]",
    "user@[IPv6:2001:db8::1]",
    pytest.param("ユーザ@例え.test", marks=NO_SMTPUTF8),
    "user@xn--r8jz45g.test",
    "user@" + ".".join(["a" * 60] * 3) + ".test",
], ids=["literal", "ipv6-literal", "u-label", "a-label", "long-domain"])
def test_recipient_of_any_domain_arrives_as_it_was_sent(site, recipient):
    assert site.send(SENDER, [recipient]).code == 250
    site.settle()
    assert [tidy(a) for a in site.only("bulk").rcpt_to] == [tidy(recipient)]
    assert set(site.arrived()) == {"bulk"}


def tidy(address):
    """Only the domain's case may change."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"


def test_a_domain_too_long_for_a_suffix_does_not_leave_by_another_way(site):
    recipient = "user@" + ".".join(["a" * 60] * 4) + ".test"     # 249 octets
    site.send(SENDER, [recipient])
    site.settle()
    assert set(site.arrived()) <= {"bulk"}
    assert site.bulk.rcpt_to in ([], [recipient])


# what a client must not do

@pytest.fixture(scope="session")
def label(running_site):
    return running_site.label()


@pytest.mark.parametrize("pattern", [
    "x@docomo.ne.jp.docomo.{label}.waybill.invalid",
    "x@docomo.ne.jp.docomo.aaaaaaaa.waybill.invalid",
    "x@docomo.ne.jp.DOCOMO.{LABEL}.WAYBILL.INVALID",
    "x@docomo.ne.jp.docomo.{label}.waybill.invalid.",
    "x%docomo.ne.jp.docomo.{label}.waybill.invalid@mx.test",
    "docomo.ne.jp.docomo.{label}.waybill.invalid!x",
    "@mx.test:x@docomo.ne.jp.docomo.{label}.waybill.invalid",
    '"x@docomo.ne.jp.docomo.{label}.waybill.invalid"@mx.test',
    '"x"@docomo.ne.jp.docomo.{label}.waybill.invalid',
    "x@docomo.ne.jp.docomo.{label}.waybill.invalid@mx.test",
    "x@waybill.invalid",
    "x@docomo.{label}.waybill.invalid",
    "x@box.example.com.desk.box.aaaaaaaaaaaaaaaaaaaaaaaaaa.hook.{label}.waybill.invalid",
    "x@docomo.ne.jp.docomo.aaaaaaaaaaaaaaaaaaaaaaaaaa.again.{label}.waybill.invalid",
])
@pytest.mark.parametrize("client", [None, "192.0.2.7"], ids=["own-client", "stranger"])
def test_a_client_cannot_send_a_suffix(site, label, pattern, client):
    recipient = pattern.format(label=label, LABEL=label.upper())
    reply = site.send("a@keep.test", [recipient], client=client)
    # Relaying for a stranger is denied first, with a code of Postfix's own.
    assert any(code >= (400 if client else 500) for code in reply.all_codes()), reply
    site.settle()
    assert not set(site.arrived()) & {*site.sinks}, site.arrived()


def test_sendmail_cannot_send_a_suffix_without_its_label(site):
    """sendmail(1) asks no smtpd, so the milter has to refuse. (Who knows LABEL
    may name a route on this host: INSTALL says how to keep it from users.)"""
    site.mx.sendmail(letter("box@virtual.test", site.WRONG_LABEL), sender="box@virtual.test")
    report = site.mx.wait_for_mailbox("virtual.test/box")[0]
    assert "5.1.2" in report
    site.settle()
    assert set(site.arrived()) == {"mailbox virtual.test/box"}


@pytest.mark.parametrize("name", ["sneaky@mx.test", "games@mx.test",
                                  "sneaky@remote-alias.test"],
                         ids=["alias", "forward", "virtual-alias"])
def test_an_alias_that_guesses_a_suffix_goes_nowhere(site, name):
    site.mx.forward("games", site.WRONG_LABEL + "\n")
    site.send("box@virtual.test", [name])
    site.settle()
    assert not set(site.arrived()) & {*site.sinks}, site.arrived()


FORGED = [("X-Waybill-Route", "evil"), ("x-waybill-ROUTE", "evil, worse"),
          ("X-Waybill-Webhook", "evil; filter=x")]


@pytest.mark.parametrize("by", ["own client", "stranger", "sendmail"])
def test_forged_headers_are_removed(site, by):
    """A stranger may only reach our own domains; an own client any."""
    to = "box@virtual.test" if by == "stranger" else "a@docomo.ne.jp, box@virtual.test"
    text = letter("a@keep.test", to, headers=FORGED)
    if by == "sendmail":
        site.mx.sendmail(text, sender="a@keep.test")
    else:
        site.send("a@keep.test", to.split(", "), text,
                  client="192.0.2.7" if by == "stranger" else None)
    box = site.mx.wait_for_mailbox("virtual.test/box")[0]
    assert "evil" not in box
    if by != "stranger":
        message = site.only("docomo")
        assert message.headers("X-Waybill-Route") == ["docomo"]
        assert "evil" not in message.text
    site.settle()


def test_a_stranger_does_not_use_the_routes(site):
    reply = site.send("a@example.com", ["a@docomo.ne.jp"], client="192.0.2.7")
    assert reply.code >= 400
    site.settle()
    assert site.arrived() == {}


# when the milter is away

def test_without_the_milter_nothing_leaks(site):
    recipients = list(FIVE.values())
    site.waybill.kill()
    try:
        reply = site.send(SENDER, recipients)
        site.mx.sendmail(letter(SENDER, ", ".join(recipients)), sender=SENDER)
        assert reply.code // 100 == 4, reply
        site.mx.wait_for_deferred(1)
        assert site.arrived() == {}
    finally:
        site.waybill.start()
    site.mx.flush()
    site.settle()
    assert site.arrived() == {route: [recipient] for route, recipient in FIVE.items()}


# many at once

def numbered(count):
    """make(i) for send_many: two recipients on different routes, numbered."""
    domains = [*CARRIERS.values(), "remote.test"]

    def make(i):
        pair = [f"n{i}@{domains[i % 4]}", f"n{i}@{domains[(i + 1) % 4]}"]
        return SENDER, pair, letter(SENDER, ", ".join(pair), subject=f"number {i}")
    assert count % 4 == 0
    return make


def check_numbered(site, count, left_out=()):
    """Each number but those left out arrived, once, at its two relays."""
    site.settle(60)
    domains = dict(zip(ROUTES, [*CARRIERS.values(), "remote.test"]))
    for place, (route, domain) in enumerate(domains.items()):
        numbers = [i for i in range(count) if place in (i % 4, (i + 1) % 4)]
        wanted = Counter(f"n{i}@{domain}" for i in numbers if i not in left_out)
        assert Counter(getattr(site, route).rcpt_to) == wanted
    assert set(site.arrived()) == set(ROUTES)
    assert {m.mail_from for r in ROUTES for m in getattr(site, r).messages} == {RETURN}


def test_500_messages_at_concurrency_20_arrive_once_each(site):
    replies = send_many(site.mx, 500, 20, numbered(500))
    assert [r for r in replies if set(r.all_codes()) != {250}] == []
    check_numbered(site, 500)


@contextmanager
def meanwhile(act, every=0):
    """Call act() again and again, every so many seconds, in a thread."""
    done = threading.Event()

    def repeat():
        while not done.wait(every):
            act()
    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_reload_under_load_loses_nothing(site):
    text = site.waybill.text
    answers = []

    def reload():
        site.waybill.configure(f"{text}# reload {len(answers)}\n")
        answers.append(site.waybill.reload(ok=None).returncode)
    with meanwhile(reload):
        replies = send_many(site.mx, 200, 10, numbered(200))
    site.waybill.configure(text)
    assert set(answers) == {0}
    assert [r for r in replies if set(r.all_codes()) != {250}] == []
    check_numbered(site, 200)


def test_a_milter_killed_under_load_loses_and_doubles_nothing(site):
    """What was answered by 250 arrives once; the rest was told 4xx."""
    def crash():
        site.waybill.kill()
        site.waybill.start()
    with meanwhile(crash, every=0.2):
        replies = send_many(site.mx, 200, 10, numbered(200))
    refused = {i for i, reply in enumerate(replies) if reply.code != 250}
    assert {reply.code // 100 for reply in replies} <= {2, 4}
    assert len(refused) < 200
    site.mx.retry_until_empty()
    check_numbered(site, 200, refused)


def test_a_bad_configuration_leaves_the_old_one_in_force(site):
    good = site.waybill.text
    site.waybill.configure(good + "route docomo { host = }\n")
    try:
        assert site.waybill.reload(ok=None).returncode != 0
        site.send(SENDER, ["a@docomo.ne.jp"])
        site.settle()
        assert site.only("docomo").rcpt_to == ["a@docomo.ne.jp"]
    finally:
        site.waybill.configure(good)
        site.waybill.reload()
