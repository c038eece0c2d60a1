"""A route's From on the wire: which header is changed, which are deleted."""

import pytest

from milter import CONTINUE, Milter
from waybill_daemon import ROUTES

CONFIG = ROUTES + """
route shop { host = "[127.0.0.1]" port = 2527 from = "ショップ <shop@au.example>" }
rule shop  { priority = 5 recipients = { "ezweb.ne.jp" } route = shop }
"""
NEW = "=?UTF-8?B?44K344On44OD44OX?= <shop@au.example>"
TAG = ("h", "X-Waybill-Route", "shop")


@pytest.fixture
def daemon(make_daemon):
    return make_daemon(CONFIG).start()


def edits(mta, headers, recipient="<a@ezweb.ne.jp>"):
    """What is wanted of the headers, and of the sender."""
    wanted, verdict = mta.message("<info@example.com>", [recipient], headers)
    assert verdict == CONTINUE
    return [packet for packet in wanted if packet[0] in "mhie"]


def test_from_is_changed_and_moves_to_reply_to(mta):
    assert edits(mta, [("From", "Info <info@example.com>"), ("To", "a@ezweb.ne.jp")]) == [
        ("m", 1, "From", NEW), ("h", "Reply-To", "Info <info@example.com>"), TAG,
        ("e", "<shop@au.example>")]


def test_each_header_is_named_by_its_place_among_its_like(mta):
    assert edits(mta, [("Sender", "a"), ("FROM", "b@example.com"), ("Subject", "x"),
                       ("X-Waybill-Route", "x"), ("From", "c@example.com"), ("sender", "d"),
                       ("Resent-From", "e@example.com"), ("from", "f@example.com")]) == [
        ("m", 1, "X-Waybill-Route", ""),
        ("m", 3, "from", ""), ("m", 2, "sender", ""), ("m", 2, "From", ""),
        ("m", 1, "Sender", ""), ("m", 1, "From", NEW), ("h", "Reply-To", "b@example.com"), TAG,
        ("e", "<shop@au.example>")]


def test_a_missing_from_is_added(mta):
    assert edits(mta, [("Subject", "x"), ("Reply-To", "r@example.com")]) == [
        ("h", "From", NEW), TAG, ("e", "<shop@au.example>")]


def test_nothing_carries_a_line_end_but_a_fold(mta):
    author = "Info\n  (" + "x" * 70 + ")\n\t<info@example.com>\r\nX-Evil: 1"
    wanted = edits(mta, [("From", author)])
    assert wanted[1] == ("h", "Reply-To",
                         "Info\n  (" + "x" * 70 + ")\n\t<info@example.com>X-Evil: 1")


def test_mail_of_other_routes_keeps_its_from(mta):
    assert edits(mta, [("From", "a@example.com"), ("From", "b@example.com"), ("Sender", "c")],
                 "<a@docomo.ne.jp>") == [
        ("h", "X-Waybill-Route", "docomo"), ("e", "<info@return.example.com>")]


def test_recipients_that_want_another_from_do_not_get_this_one(mta):
    """Whatever becomes of the message: From and sender do not change for all."""
    for other, mailer in (("<b@docomo.ne.jp>", "smtp"), ("<bob@example.com>", "local")):
        mta.mail("<info@example.com>")
        mta.rcpt("<a@ezweb.ne.jp>")
        mta.rcpt(other, mailer=mailer)
        mta.header("From", "info@example.com")
        wanted, _ = mta.end()
        assert [packet for packet in wanted if packet[0] in "me"] == []


def test_the_log_tells_of_the_new_from_and_of_a_broken_signature(mta, daemon):
    signed = [("DKIM-Signature", "v=1; d=example.com"), ("From", "info@example.com")]
    edits(mta, signed[1:])
    edits(mta, signed)
    edits(mta, signed, "<a@docomo.ne.jp>")
    lines = [line.partition(" client=")[0] for line in daemon.text().splitlines()
             if line.startswith("4F2A: ")]
    common = ("4F2A: from=<info@example.com> to=<a@ezweb.ne.jp> class=outbound rule=shop "
              "route=shop sender=<shop@au.example> return_path=from from_header=<shop@au.example>")
    assert lines[:2] == [common, common + " dkim=broken"]
    assert "from_header" not in lines[2] and "dkim" not in lines[2]


@pytest.mark.parametrize("count", [1, 400, 999, 1001])
def test_very_many_headers(make_daemon, count):
    daemon = make_daemon(CONFIG).start()
    with Milter(daemon.socket) as m:
        m.greet()
        wanted, verdict = m.message("<info@example.com>", ["<a@ezweb.ne.jp>"],
                                    [("From", f"a{i}@example.com") for i in range(count)])
        if count > 1000:
            assert wanted == [] and verdict[1].startswith("552 5.3.4 ")
            return
        assert verdict == CONTINUE
        assert [p[1] for p in wanted if p[0] == "m"] == [*range(count, 1, -1), 1]
