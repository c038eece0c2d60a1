"""Two passes, packet by packet: what the first asks for, and what the listener
for the second takes."""

import re

import pytest

from milter import CONTINUE, Milter
from waybill_daemon import ROUTES, routed

KEPT = ROUTES + """
route kept { host = "[127.0.0.1]" port = 2527 return_path = keep }
rule kept { priority = 10 recipients = { "kept.test" } route = kept }
rule plain { priority = 10 recipients = { "plain.test" } route = direct }
"""
INBOUND = """
webhook crm { url = "https://app.example.com/hook" }
inbound form { domains = { "form.example.com" } match = '^info@' match_on = envelope webhook = crm }
"""
SENDER = "<info@example.com>"
MARK = r"<(.+)\.([a-z]+)\.[a-z2-7]{26}\.again\.([a-z2-7]{8})\.waybill\.invalid>"
RECIPIENTS = ["<a@docomo.ne.jp>", "<b@kept.test>", "<c@plain.test>"]


def first_pass(mta, recipients, headers=()):
    """The marked forms of the recipients."""
    wanted, verdict = mta.message(SENDER, recipients, headers)
    assert verdict == CONTINUE
    return [packet[1] for packet in wanted if packet[0] == "2"]


@pytest.fixture
def passes(make_daemon):
    """Two connections: to smtpd, and to the listener for second passes."""
    daemon = make_daemon(KEPT).start()
    with Milter(daemon.socket) as first, Milter(daemon.socket) as second:
        yield first.greet(), second.greet(daemon="waybill-again"), daemon


def test_the_first_pass_marks_and_leaves_all_else(passes):
    first, _, _ = passes
    first.mail(SENDER)
    first.rcpt(RECIPIENTS[0], "NOTIFY=NEVER")
    first.rcpt(RECIPIENTS[1], "ORCPT=rfc822;x@y.test")
    first.rcpt("<bob@example.com>", mailer="local")
    first.header("X-Waybill-Route", "forged")
    wanted, verdict = first.end()
    assert verdict == CONTINUE
    assert wanted[0] == ("m", 1, "X-Waybill-Route", "")
    assert [packet[0] for packet in wanted[1:]] == ["-", "2", "-", "2"]
    assert (wanted[1][1], wanted[3][1]) == (RECIPIENTS[0], RECIPIENTS[1])
    assert re.fullmatch(MARK, wanted[2][1]).group(1, 2) == ("a@docomo.ne.jp", "docomo")
    assert re.fullmatch(MARK, wanted[4][1]).group(1, 2) == ("b@kept.test", "kept")
    assert wanted[2][2] == "ORCPT=rfc822;a@docomo.ne.jp NOTIFY=NEVER"
    assert wanted[4][2] == "ORCPT=rfc822;x@y.test"


def test_the_second_pass_sends_on(passes):
    first, second, _ = passes
    docomo, kept, plain = first_pass(first, RECIPIENTS)
    second.mail(SENDER)
    second.rcpt(docomo, "ORCPT=rfc822;a@docomo.ne.jp", "NOTIFY=NEVER")
    second.header("X-Waybill-Webhook", "crm; filter=form")
    wanted, verdict = second.end()
    assert verdict == CONTINUE
    assert wanted[:3] == [("m", 1, "X-Waybill-Webhook", ""), ("h", "X-Waybill-Route", "docomo"),
                          ("e", "<info@return.example.com>")]
    assert wanted[3] == ("-", docomo)
    assert routed("a@docomo.ne.jp", "docomo", wanted[4])
    assert wanted[4][2] == "ORCPT=rfc822;a@docomo.ne.jp NOTIFY=NEVER"
    wanted, verdict = second.message(SENDER, [kept])
    assert (wanted[0], wanted[1]) == (("h", "X-Waybill-Route", "kept"), ("-", kept))
    assert routed("b@kept.test", "kept", wanted[2])
    wanted, verdict = second.message(SENDER, [plain])
    assert wanted == [("h", "X-Waybill-Route", "direct"), ("e", "<info@return.example.com>"),
                      ("-", plain), ("2", "<c@plain.test>", "ORCPT=rfc822;c@plain.test")]
    assert verdict == CONTINUE


def test_what_is_no_second_pass_is_refused(passes):
    first, second, daemon = passes
    docomo = first_pass(first, RECIPIENTS)[0]
    label = re.fullmatch(MARK, docomo).group(3)
    for recipient in ("<a@docomo.ne.jp>", "<postmaster>", "<>",
                      f"<a@docomo.ne.jp.docomo.{label}.waybill.invalid>",
                      docomo.replace(label, "aaaaaaaa")):
        wanted, verdict = second.message(SENDER, [recipient])
        assert wanted == [] and verdict[1].startswith(("550 5.1.2 ", "553 5.1.3 ")), recipient
    assert first.message(SENDER, [docomo])[1][1].startswith("550 5.1.2 ")


def test_a_mark_that_does_not_fit_waits(passes):
    """It bears our label: the log says why it waits, and no suffix is told."""
    first, second, daemon = passes
    docomo = first_pass(first, RECIPIENTS)[0]
    changed = docomo.replace(".docomo.", ".kept.", 1)
    for sender, recipient in (("<other@example.com>", docomo), ("<>", docomo), (SENDER, changed),
                              (SENDER, docomo.replace("<a@", "<b@"))):
        wanted, verdict = second.message(sender, [recipient])
        assert wanted == [] and verdict[1].startswith("451 4.3.0 ")
        assert "waybill.invalid" not in verdict[1]
    assert 'reply="451 4.3.0 ' in daemon.text() and "the return path is gone" in daemon.text()
    assert second.message(SENDER, [docomo])[1] == CONTINUE


def test_a_route_that_is_gone_waits(passes):
    first, second, daemon = passes
    docomo, kept, _ = first_pass(first, RECIPIENTS)
    daemon.configure(ROUTES)
    daemon.reload()
    assert second.message(SENDER, [kept])[1][1].startswith("451 4.3.5 ")
    assert second.message(SENDER, [docomo])[1] == CONTINUE


def test_a_second_recipient_is_refused(passes):
    first, second, _ = passes
    wanted, verdict = second.message(SENDER, first_pass(first, RECIPIENTS))
    assert wanted == [] and verdict[1].startswith("452 4.5.3 ")


def test_replies_at_rcpt(make_daemon):
    """Where replies to recipients are read."""
    daemon = make_daemon(KEPT + INBOUND).start()
    with Milter(daemon.socket) as first, Milter(daemon.socket) as second:
        first.greet()
        docomo, kept = first_pass(first, RECIPIENTS[:2])
        second.greet(daemon="waybill-again")
        second.mail(SENDER)
        assert second.rcpt("<info@form.example.com>")[1].startswith("550 5.1.2 ")
        assert second.rcpt(docomo) == CONTINUE
        assert second.rcpt(kept)[1].startswith("452 4.5.3 ")
        wanted, verdict = second.end()
        assert verdict == CONTINUE
        assert [packet[0] for packet in wanted] == ["h", "e", "-", "2"]


def test_requeued_marks_stand_at_the_loopback_listener(passes):
    first, second, daemon = passes
    docomo = first_pass(first, RECIPIENTS)[0]
    with Milter(daemon.socket) as loopback:
        loopback.greet(daemon="waybill-loopback")
        assert loopback.message(SENDER, [docomo]) == ([], CONTINUE)
        wanted, verdict = loopback.message("<other@example.com>", [docomo])
        assert wanted == [] and verdict[1].startswith("451 4.3.0 ")


def test_xverp_and_two_passes_are_refused(passes):
    first, _, _ = passes
    for argument, is_refused in (("XVERP", True), ("xverp=+=", True), ("XVERPX", False)):
        first.mail(SENDER, argument)
        first.rcpt(RECIPIENTS[0])
        first.rcpt(RECIPIENTS[1])
        _, verdict = first.end()
        assert (verdict[0] == "y" and verdict[1].startswith("452 4.5.3 ")) == is_refused


def test_the_log_tells_both_passes(passes):
    first, second, daemon = passes
    docomo = first_pass(first, RECIPIENTS)[0]
    second.message(SENDER, [docomo])
    lines = [line.partition(" client=")[0] for line in daemon.text().splitlines()
             if "to=<a@docomo.ne.jp>" in line]
    assert lines == [
        "4F2A: from=<info@example.com> to=<a@docomo.ne.jp> class=outbound rule=mobile "
        "route=docomo passes=2",
        "4F2A: from=<info@example.com> to=<a@docomo.ne.jp> class=outbound "
        "route=docomo sender=<info@return.example.com> return_path=main"]
