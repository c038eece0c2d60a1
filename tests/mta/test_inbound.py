"""Mail that comes in: which webhook it is marked for, and what is refused."""

import re

import pytest

from lab import letter
from mailsite import Site

STRANGER = "192.0.2.7"
MAC = "[a-z2-7]{26}"
LABEL = "[a-z2-7]{8}"


def marked(address, webhook, filter_):
    """What the LMTP receiver gets for address."""
    return re.compile(re.escape(address) + rf"\.{webhook}\.{filter_}\.{MAC}\.hook\.{LABEL}"
                      r"\.waybill\.invalid$")


def test_a_form_address_goes_to_its_webhook(site):
    reply = site.send("visitor@remote.test", ["info@mailform.example.com"], client=STRANGER)
    assert set(reply.all_codes()) == {250}
    message = site.lmtp.wait_for(1, log=site.mx.log)[0]
    assert len(message.rcpt_to) == 1
    assert marked("info@mailform.example.com", "crm", "mailform").match(message.rcpt_to[0])
    assert message.mail_from == "visitor@remote.test"
    assert message.header("X-Waybill-Webhook") == "crm; filter=mailform"
    assert message.header("To") == "info@mailform.example.com"
    assert message.headers("X-Waybill-Route") == []
    site.settle()
    assert set(site.arrived()) == {"lmtp"}


@pytest.mark.parametrize("to", [
    "Form <info@mailform.example.com>",
    "INFO@MailForm.Example.COM",
    "other@remote.test,\r\n info@mailform.example.com",
    "=?utf-8?b?5ZWP5ZCI44Gb?= <info@mailform.example.com>",
    "group: x@remote.test, info@mailform.example.com;",
], ids=["name", "case", "folded", "encoded", "group"])
def test_the_header_is_read_as_a_person_reads_it(site, to):
    site.send("visitor@remote.test", ["info@mailform.example.com"],
              letter("visitor@remote.test", to), client=STRANGER)
    message = site.lmtp.wait_for(1, log=site.mx.log)[0]
    assert marked("info@mailform.example.com", "crm", "mailform").match(message.rcpt_to[0])
    site.settle()


def check_refused(site, reply):
    """550 5.1.1 at once, whichever way waybill is attached."""
    assert (reply.code, reply.text[:5]) == (550, "5.1.1"), reply
    site.settle()
    assert site.arrived() == {}


@pytest.mark.parametrize("recipient, to", [
    ("info@mailform.example.com", "someone@else.test"),
    ("nobody@mailform.example.com", "nobody@mailform.example.com"),
    ("other@box.example.com", "other@box.example.com"),
], ids=["other-header", "other-user", "other-envelope"])
def test_unmatched_mail_is_refused(site, recipient, to):
    reply = site.send("box@virtual.test", [recipient], letter("box@virtual.test", to),
                      client=STRANGER)
    check_refused(site, reply)


def test_a_recipient_that_stands_in_no_header(site):
    """Bcc: match_on = envelope reads the recipient itself."""
    site.send("visitor@remote.test", ["hidden@box.example.com"],
              letter("visitor@remote.test", "someone@else.test"), client=STRANGER)
    message = site.lmtp.wait_for(1, log=site.mx.log)[0]
    assert marked("hidden@box.example.com", "desk", "box").match(message.rcpt_to[0])
    assert message.header("X-Waybill-Webhook") == "desk; filter=box"
    site.settle()


def test_two_recipients_of_one_message_match_different_webhooks(site):
    recipients = ["info@mailform.example.com", "hidden@box.example.com"]
    site.send("visitor@remote.test", recipients,
              letter("visitor@remote.test", recipients[0]), client=STRANGER)
    site.lmtp.wait_for_recipients(2, log=site.mx.log)
    site.settle()
    got = sorted(site.lmtp.rcpt_to)
    assert len(got) == 2
    assert marked("hidden@box.example.com", "desk", "box").match(got[0])
    assert marked("info@mailform.example.com", "crm", "mailform").match(got[1])


def test_a_bounce_to_the_return_domain_goes_to_the_webhook(site):
    site.send("", ["info@return.example.com"],
              letter("MAILER-DAEMON@remote.test", "info@return.example.com"), client=STRANGER)
    message = site.lmtp.wait_for(1, log=site.mx.log)[0]
    assert message.mail_from == ""
    assert marked("info@return.example.com", "crm", "bounces").match(message.rcpt_to[0])
    assert message.header("X-Waybill-Webhook") == "crm; filter=bounces"
    site.settle()
    assert set(site.arrived()) == {"lmtp"}


def test_inbound_and_outbound_in_one_message(site):
    """An own client writes to a form and to a customer."""
    recipients = ["info@mailform.example.com", "a@docomo.ne.jp"]
    site.send("a@keep.test", recipients)
    site.lmtp.wait_for(1, log=site.mx.log)
    site.settle()
    assert site.docomo.rcpt_to == ["a@docomo.ne.jp"]
    assert marked(recipients[0], "crm", "mailform").match(site.lmtp.rcpt_to[0])


def test_inbound_mail_waits_while_the_receiver_says_no(site):
    """A temporary refusal by LMTP is the queue's to retry."""
    site.lmtp.refuse("451 4.3.0 webhook is down")
    site.send("visitor@remote.test", ["info@mailform.example.com"], client=STRANGER)
    site.mx.wait_for_deferred()
    site.lmtp.accept()
    site.mx.requeue()
    message = site.lmtp.wait_for(1, log=site.mx.log)[0]
    assert marked("info@mailform.example.com", "crm", "mailform").match(message.rcpt_to[0])
    site.settle()


def test_a_forged_mark_is_removed(site):
    text = letter("visitor@remote.test", "info@mailform.example.com",
                  headers=[("X-Waybill-Webhook", "desk; filter=box"),
                           ("X-Waybill-Route", "docomo")])
    site.send("visitor@remote.test", ["info@mailform.example.com"], text, client=STRANGER)
    message = site.lmtp.wait_for(1, log=site.mx.log)[0]
    assert message.header("X-Waybill-Webhook") == "crm; filter=mailform"
    assert message.headers("X-Waybill-Route") == []
    site.settle()


@pytest.fixture
def delivering_site(attach, programs):
    """inbound_unmatched = deliver: the domain is Postfix's own as well, so both
    users have to be in its table."""
    site = Site(attach, extra="inbound_unmatched = deliver\n", main={
        "virtual_mailbox_domains": "virtual.test, mailform.example.com, box.example.com",
        "virtual_mailbox_maps": "inline:{ box@virtual.test=virtual.test/box/, "
                                "info@mailform.example.com=virtual.test/box/, "
                                "staff@mailform.example.com=virtual.test/box/ }"})
    try:
        yield site.go()
    finally:
        site.close()


def test_unmatched_mail_is_delivered_where_that_is_configured(delivering_site):
    site = delivering_site
    assert site.outcome("visitor@remote.test", ["staff@mailform.example.com"],
                        client=STRANGER) == {"mailbox virtual.test/box": ["virtual.test/box"]}
    got = site.outcome("visitor@remote.test", ["info@mailform.example.com"], client=STRANGER)
    assert set(got) == {"lmtp"}
    assert marked("info@mailform.example.com", "crm", "mailform").match(got["lmtp"][0])
