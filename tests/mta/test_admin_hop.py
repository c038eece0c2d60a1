"""What an admin's Postfix must not lose, and what must not leave the host, on
the way through waybill's own hop."""

import pytest

from lab import letter
from mailsite import Site


@pytest.fixture(scope="module")
def site_with_verp(attach, programs):
    site = Site(attach, main={"authorized_verp_clients": "127.0.0.0/8",
                              "message_size_limit": "50000"})
    try:
        yield site.go()
    finally:
        site.close()


@pytest.fixture
def site(site_with_verp):
    site_with_verp.clear()
    return site_with_verp


def test_requeued_mail_does_not_tell_the_label(site):
    """The hop's Received header names the recipient of requeued mail."""
    site.docomo.refuse("450 4.2.0 later")
    site.send("a@keep.test", ["r@docomo.ne.jp"])
    site.mx.wait_for_deferred()
    site.mx.requeue()
    site.mx.wait_for_log("waybill-in", "status=sent")
    site.docomo.accept()
    site.mx.retry_until_empty()
    assert site.only("docomo").rcpt_to == ["r@docomo.ne.jp"]
    assert "waybill.invalid" not in site.only("docomo").text


def test_verp_senders_name_the_clean_recipient(site):
    site.send("owner@keep.test", ["a@docomo.ne.jp", "b@softbank.jp"],
              mail_options=["XVERP=+="])
    site.settle()
    assert site.only("docomo").mail_from == "owner+a=docomo.ne.jp@keep.test"
    assert site.only("softbank").mail_from == "owner+b=softbank.jp@keep.test"


def test_the_bounce_of_a_verp_message_goes_to_the_clean_address(site):
    site.docomo.refuse("550 5.1.1 no")
    site.send("owner@legacy.test", ["a@docomo.ne.jp"], mail_options=["XVERP=+="])
    site.settle()
    bounces = [m for sink in site.sinks.values() for m in sink.messages]
    assert [m.rcpt_to for m in bounces] == [["owner+a=docomo.ne.jp@legacy.test"]]
    assert "waybill.invalid" not in bounces[0].text


def test_what_postfix_accepted_is_not_too_big_for_the_hop(site):
    """The hop and the milter add headers: a step further, sendmail(1) itself
    or the first cleanup refuses."""
    line = "x" * 70 + "\n"
    head = letter("news@mx.test", "a@docomo.ne.jp").replace("\r\n", "\n")
    for count in range(660, 690, 2):
        site.mx.sendmail(head + line * count, sender="news@mx.test",
                         recipients=["a@docomo.ne.jp"])
    site.settle()
    assert site.mx.log_lines("message file too big"), "no message was near the limit"
    assert site.docomo.messages
    assert not site.mx.log_lines("waybill-in", "5.3.4")
