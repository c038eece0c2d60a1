"""Signed return paths: out through a relay, and back as a bounce."""

import pytest

from test_inbound import STRANGER, marked

SENDERS = {
    "srs": "Info@srs.example.com",
    "verp": "Info@verp.example.com",
    "batv": "info@batv.example.com",
}


def send_out(site, sender):
    """The return address that the relay sees."""
    site.send(sender, ["yuki@docomo.ne.jp"])
    returned = site.docomo.wait_for(1, log=site.mx.log)[0].mail_from
    site.settle()
    site.clear()
    return returned


@pytest.mark.parametrize("mode", SENDERS)
def test_a_bounce_comes_back_marked(site, mode):
    returned = send_out(site, SENDERS[mode])
    assert returned != SENDERS[mode]
    reply = site.send("", [returned], client=STRANGER)
    assert set(reply.all_codes()) == {250}
    message = site.lmtp.wait_for(1, log=site.mx.log)[0]
    assert marked(returned, "crm", "bounces").match(message.rcpt_to[0])
    mark = f"sender=<{SENDERS[mode]}>"
    if mode == "verp":
        mark += "; recipient=<yuki@docomo.ne.jp>"
    assert message.header("X-Waybill-Bounce") == mark + "; age=0"
    site.settle()


@pytest.mark.parametrize("mode", SENDERS)
def test_a_forged_bounce_is_refused(site, mode):
    returned = send_out(site, SENDERS[mode])
    at = returned.index("=") + (6 if mode == "batv" else 2)
    forged = returned[:at] + ("a" if returned[at] != "a" else "b") + returned[at + 1:]
    refused(site, forged)


def test_backscatter_to_an_unsigned_address_is_refused(site):
    refused(site, "info@signed.example.com")


def refused(site, recipient):
    """At RCPT, whichever way waybill is attached."""
    reply = site.send("", [recipient], client=STRANGER)
    code, text = reply.recipients[recipient]
    assert (code, text[:5]) == (550, "5.7.1"), reply
    site.settle()
    assert site.lmtp.messages == []


def test_a_forged_mark_is_removed(site):
    returned = send_out(site, SENDERS["srs"])
    text = f"From: x@remote.test\r\nTo: {returned}\r\n" \
           "X-Waybill-Bounce: sender=<forged@remote.test>\r\n\r\nbounce\r\n"
    site.send("", [returned], text, client=STRANGER)
    message = site.lmtp.wait_for(1, log=site.mx.log)[0]
    assert message.headers("X-Waybill-Bounce") == ["sender=<Info@srs.example.com>; age=0"]
    site.settle()
