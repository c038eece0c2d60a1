"""What the filter wants done with a message, packet by packet."""

import re

import pytest

from milter import CONTINUE, Milter
from waybill_daemon import LABEL, ROUTES, routed

NEEDED = "the MTA did not say"


def test_two_recipients_go_two_ways(mta):
    wanted, verdict = mta.message("<info@example.com>", ["<a@docomo.ne.jp>", "<b@example.org>"],
                                  [("Subject", "hello"), ("To", "a@docomo.ne.jp")])
    assert verdict == CONTINUE
    assert wanted[0] == ("h", "X-Waybill-Route", "docomo, bulk")
    assert wanted[1] == ("e", "<info@return.example.com>")
    assert wanted[2] == ("-", "<a@docomo.ne.jp>")
    assert routed("a@docomo.ne.jp", "docomo", wanted[3])
    assert wanted[3][2] == "ORCPT=rfc822;a@docomo.ne.jp"
    assert wanted[4] == ("-", "<b@example.org>")
    assert routed("b@example.org", "bulk", wanted[5])
    assert len(wanted) == 6


def test_the_clients_own_notify_and_orcpt_are_kept(mta):
    mta.mail("<info@example.net>")
    mta.rcpt("<a+b@docomo.ne.jp>", "nOtIfY=SUCCESS,DELAY", "oRcPt=rfc822;orig+2Bx@example.org")
    wanted, verdict = mta.end()
    assert verdict == CONTINUE
    assert wanted[1] == ("-", "<a+b@docomo.ne.jp>")
    assert wanted[2][2] == "ORCPT=rfc822;orig+2Bx@example.org NOTIFY=SUCCESS,DELAY"


def test_an_original_recipient_is_made_and_encoded(mta):
    mta.mail("<info@example.net>")
    mta.rcpt("<a+b=c@docomo.ne.jp>", "NOTIFY=NEVER")
    wanted, _ = mta.end()
    assert wanted[2][2] == "ORCPT=rfc822;a+2Bb+3Dc@docomo.ne.jp NOTIFY=NEVER"


def test_recipient_is_deleted_exactly_as_given(mta):
    for given in ("<A.B@Docomo.NE.jp>", "A.B@Docomo.NE.jp"):
        wanted, _ = mta.message("<info@example.net>", [given])
        assert ("-", given) in wanted


def test_the_null_sender_stays_null(mta):
    wanted, verdict = mta.message("<>", ["<a@docomo.ne.jp>"])
    assert verdict == CONTINUE
    assert [packet[0] for packet in wanted] == ["h", "-", "2"]


def test_a_rule_reads_headers_that_come_in_pieces(mta):
    for value, route in (("welcome 1", "docomo"), ("=?utf-8?B?d2VsY29tZQ==?=", "docomo"),
                         ("\n welcome", "docomo"), ("unwelcome", "bulk")):
        wanted, _ = mta.message("<info@example.net>", ["<b@example.org>"],
                                [("x-scenario", value)])
        assert ("h", "X-Waybill-Route", route) in wanted, value


def test_local_recipients_stay(mta):
    mta.mail("<info@example.net>")
    mta.rcpt("<bob@example.net>", mailer="local")
    mta.rcpt("<postmaster>", mailer="local")
    mta.rcpt("<x@example.org>", mailer="relay")
    assert mta.end() == ([], CONTINUE)


def test_headers_of_ours_from_outside_are_deleted(daemon):
    with Milter(daemon.socket) as m:
        m.greet(client="192.0.2.1")
        wanted, verdict = m.message(
            "<x@example.org>", ["<bob@example.com>"],
            [("X-Waybill-Route", "docomo"), ("Subject", "x"), ("x-waybill-route", "bulk"),
             ("X-Waybill-Webhook", "crm"), ("X-WAYBILL-ROUTE", "")])
        assert verdict == CONTINUE
        assert wanted == [("m", 3, "X-WAYBILL-ROUTE", ""), ("m", 1, "X-Waybill-Webhook", ""),
                          ("m", 2, "x-waybill-route", ""), ("m", 1, "X-Waybill-Route", "")]


def test_a_forged_suffix_is_refused(mta):
    for forged in ("<a@docomo.ne.jp.docomo.aaaaaaaa.waybill.invalid>", "<a@waybill.invalid>",
                   "<a@x.WAYBILL.Invalid>"):
        wanted, verdict = mta.message("<info@example.com>", ["<b@example.org>", forged])
        assert wanted == []
        assert verdict[0] == "y" and verdict[1].startswith("550 5.1.2 ")


def test_a_suffix_that_only_the_mta_sees_is_refused(mta):
    """Postfix drops the blank when it looks into the quotes."""
    hidden = '<"a@x.docomo.aaaaaaaa.waybill. invalid"@example.com>'
    read = "a@x.docomo.aaaaaaaa.waybill.invalid"
    mta.mail("<info@example.com>")
    mta.rcpt(hidden, macros={"i": "4F2A", "{rcpt_mailer}": "waybill", "{rcpt_addr}": read})
    assert mta.end()[1][1].startswith("550 5.1.2 ")
    mta.mail(hidden, macros={"{mail_addr}": read})
    mta.rcpt("<a@docomo.ne.jp>")
    assert mta.end()[1][1].startswith("553 5.1.7 ")
    # and it does not stand for the next one
    mta.packet("M", b"<info@example.com>\0")
    mta.rcpt("<a@docomo.ne.jp>")
    assert mta.end()[1] == CONTINUE


@pytest.mark.parametrize("argument", ["ORCPT=rfc822;a\r\nRCPT TO:<x@example.org>", "NOTIFY=NEVER\n",
                                      "ORCPT=rfc822;a NOTIFY=NEVER", "NOTIFY=\x7f"])
def test_an_argument_cannot_become_two(mta, argument):
    mta.mail("<info@example.net>")
    mta.rcpt("<a@docomo.ne.jp>", argument)
    wanted, verdict = mta.end()
    assert wanted == [] and verdict[1].startswith("501 5.5.4 ")


@pytest.mark.parametrize("count", [10, 60, 90, 120, 150, 200, 400])
def test_too_little_memory_is_told_wherever_it_ends(make_daemon, count):
    daemon = make_daemon(message_max_kb=64).start()
    with Milter(daemon.socket) as m:
        m.greet()
        _, verdict = m.message("<info@example.com>",
                               [f"<a{i}@docomo.ne.jp>" for i in range(count)])
        if count == 10:
            assert verdict == CONTINUE
        else:
            assert verdict == CONTINUE or verdict[1].startswith("452 4.3.1 ")
        assert count < 400 or verdict != CONTINUE


def test_our_own_suffix_sent_back_is_refused(mta):
    wanted, _ = mta.message("<info@example.com>", ["<a@docomo.ne.jp>"])
    again = wanted[-1][1]
    assert re.search(LABEL, again)
    _, verdict = mta.message("<info@example.com>", [again])
    assert verdict[1].startswith("550 5.1.2 ")


@pytest.mark.parametrize("macros", [{"i": "4F2A"}, {}, None, {"i": "4F2A", "{rcpt_mailer}": ""}])
def test_no_mailer_is_a_temporary_failure(mta, macros):
    mta.mail("<info@example.com>")
    if macros is None:
        mta.packet("R", b"<a@docomo.ne.jp>\0")
    else:
        mta.rcpt("<a@docomo.ne.jp>", macros=macros)
    wanted, verdict = mta.end()
    assert wanted == []
    assert verdict[0] == "y" and verdict[1].startswith("451 4.3.5 ")


@pytest.mark.parametrize("silence", ["no macro packet", "an empty one"])
def test_macros_of_one_recipient_do_not_stand_for_the_next(mta, silence):
    mta.mail("<info@example.com>")
    mta.rcpt("<a@docomo.ne.jp>")
    if silence == "an empty one":
        mta.packet("D", b"R")
    mta.packet("R", b"<bob@example.com>\0")
    _, verdict = mta.end()
    assert verdict[1].startswith("451 4.3.5 ")


def test_a_login_of_one_message_does_not_stand_for_the_next(daemon):
    with Milter(daemon.socket) as m:
        m.greet(client="192.0.2.1")
        wanted, _ = m.message("<info@example.com>", ["<a@docomo.ne.jp>"], login="bob")
        assert routed("a@docomo.ne.jp", "docomo", wanted[-1])
        m.packet("M", b"<info@example.com>\0")
        m.rcpt("<a@docomo.ne.jp>")
        assert m.end() == ([], CONTINUE)


@pytest.mark.parametrize("client, is_own", [("127.0.0.1", True), ("192.0.2.1", False),
                                            ("::1", True), ("2001:db8::1", False)])
def test_who_is_an_own_client(daemon, client, is_own):
    with Milter(daemon.socket) as m:
        m.greet(client=client)
        wanted, verdict = m.message("<info@example.com>", ["<a@docomo.ne.jp>"])
        assert verdict == CONTINUE
        assert bool(wanted) == is_own


@pytest.mark.parametrize("client_addr, is_own", [
    (None, True), ("", True), ("127.0.0.1", True), ("IPv6:::1", True), ("192.0.2.1", False),
    ("unknown", False)])
def test_a_client_without_an_address(daemon, client_addr, is_own):
    """The MTA names no family: the macro tells, and without it the mail was
    submitted on this host."""
    with Milter(daemon.socket) as m:
        m.negotiate()
        m.macros("C", {"j": "x"} if client_addr is None else {"{client_addr}": client_addr})
        m.packet("C", b"localhost\0U")
        wanted, verdict = m.message("<info@example.com>", ["<a@docomo.ne.jp>"])
        assert verdict == CONTINUE
        assert bool(wanted) == is_own


def test_a_unix_client_is_local(daemon):
    with Milter(daemon.socket) as m:
        m.negotiate()
        m.packet("C", b"localhost\0L\0\0/run/x\0")
        wanted, _ = m.message("<info@example.com>", ["<a@docomo.ne.jp>"])
        assert wanted


def test_a_listener_decides(make_daemon):
    daemon = make_daemon(ROUTES + "listener office { class = outbound }\n").start()
    for name, is_own in (("office", True), ("smtpd", False)):
        with Milter(daemon.socket) as m:
            m.greet(client="192.0.2.1", daemon=name)
            wanted, _ = m.message("<info@example.com>", ["<a@docomo.ne.jp>"])
            assert bool(wanted) == is_own


def test_unparseable_addresses(mta):
    _, verdict = mta.message("<a b c@@example.com>", ["<a@docomo.ne.jp>"])
    assert verdict[1].startswith("553 5.1.7 ")
    _, verdict = mta.message("<info@example.com>", ["<a@docomo.ne.jp>", "<@x,@y:z@docomo.ne.jp>"])
    assert verdict[1].startswith("553 5.1.3 ")
    _, verdict = mta.message("<info@example.com>", ["<a@docomo.ne.jp>"])
    assert verdict == CONTINUE


def test_a_recipient_can_be_refused_alone(make_daemon):
    daemon = make_daemon(ROUTES + """
webhook crm { url = "https://app.example.com/hook" }
inbound form { domains = { "form.example.com" } match = '^info@' match_on = envelope webhook = crm }
""").start()
    with Milter(daemon.socket) as m:
        m.greet(client="192.0.2.1")
        assert not m.has("NR_RCPT")
        m.mail("<x@example.org>")
        assert m.rcpt("<info@form.example.com>") == CONTINUE
        refused = m.rcpt("<other@form.example.com>")
        assert refused[0] == "y" and refused[1].startswith("550 5.1.1 ")
        assert m.rcpt("<a@x.waybill.invalid>")[1].startswith("550 5.1.2 ")
        assert m.rcpt("<@example.com>")[1].startswith("553 5.1.3 ")
        wanted, verdict = m.end()
        assert verdict == CONTINUE
        assert wanted[0] == ("h", "X-Waybill-Webhook", "crm; filter=form")
        assert wanted[1] == ("-", "<info@form.example.com>")
        assert [packet[0] for packet in wanted] == ["h", "-", "2"]


def test_the_log_has_one_line_a_decision(mta, daemon):
    mta.message("<info@example.com>", ["<a@docomo.ne.jp>", '<"a b"@docomo.ne.jp>'])
    mta.message("<info@example.com>", ["<a@x.waybill.invalid>"])
    lines = [line for line in daemon.text().splitlines() if line.startswith("4F2A: ")]
    assert re.fullmatch(
        "4F2A: from=<info@example.com> to=<a@docomo.ne.jp> class=outbound rule=mobile "
        "route=docomo sender=<info@return.example.com> return_path=main client=127.0.0.1 "
        "listener=smtpd mailer=smtp conf=[0-9a-f]{8}", lines[0])
    assert " to=<\\x22a\\x20b\\x22@docomo.ne.jp> " in lines[1]
    assert ' to=<a@x.waybill.invalid> nrcpt=1 reply="550 5.1.2 ' in lines[2]
    assert len(lines) == 3


def test_the_log_cannot_be_forged(mta, daemon):
    mta.message("<x\n4F2B: from=@example.com>", ["<\x1b[2J\xff@docomo.ne.jp>"])
    lines = daemon.text().splitlines()
    assert not any(line.startswith("4F2B") for line in lines)
    assert all(31 < ord(c) < 127 for line in lines for c in line)


def test_each_recipient_of_many_has_a_whole_line_of_its_own(daemon, mta):
    recipients = [f"<{'n' * 40}{i}@docomo.ne.jp>" for i in range(200)]
    mta.message("<info@example.com>", recipients)
    lines = [line for line in daemon.text().splitlines() if "class=" in line]
    assert [line.split(" to=")[1].split()[0] for line in lines] == recipients
    assert all(line.startswith("4F2A: from=<info@example.com> ")
               and " sender=<info@return.example.com> return_path=main " in line
               and re.search(" conf=[0-9a-f]{8}$", line) for line in lines)
