"""Routes that change while mail waits for them: it leaves by the route as it is
then, or waits; and never by another way."""

import pytest

from mailsite import Site

WAITING = "late@docomo.ne.jp"


@pytest.fixture
def waiting(way, programs, sendmail_here):
    """A site of its own, with a message in the queue for the route docomo."""
    site = Site(way)
    try:
        site.go()
        site.docomo.refuse("450 4.2.0 later")
        site.send("info@example.com", [WAITING])
        message, = site.mx.wait_for_deferred()
        address = message["recipients"][0]["address"]
        assert address.startswith(WAITING + ".docomo."), address
        yield site
    finally:
        site.close()


def configure(site, text):
    site.waybill.configure(text)
    site.waybill.apply()
    site.waybill.reload()


def test_queued_mail_takes_the_route_as_it_is_now(waiting):
    site = waiting
    configure(site, site.waybill.text.replace(f"port = {site.docomo.port} ",
                                              f"port = {site.legacy.port} "))
    site.docomo.accept()
    site.mx.retry_until_empty()
    message = site.only("legacy")
    assert (message.rcpt_to, message.mail_from) == ([WAITING], "info@return.example.com")
    assert set(site.arrived()) == {"legacy"}


def test_mail_of_a_route_that_is_gone_waits(waiting):
    """And leaves when the route is there again."""
    site = waiting
    text = site.waybill.text
    without = "\n".join(line for line in text.splitlines()
                        if not line.startswith(("route docomo ", "rule docomo ")))
    assert len(without) < len(text)
    configure(site, without)
    site.docomo.accept()
    for _ in range(2):
        site.mx.flush()
        message, = site.mx.wait_for_deferred()
        assert "this route is not configured" in message["recipients"][0]["delay_reason"]
        assert site.arrived() == {}
    # what is new does not wait: it goes where the admin's own table sends it
    site.send("info@example.com", ["new@docomo.ne.jp"])
    site.own.wait_for(1, log=site.mx.log)
    assert site.arrived() == {"own": ["new@docomo.ne.jp"]}
    configure(site, text)
    site.mx.retry_until_empty()
    assert site.arrived() == {"own": ["new@docomo.ne.jp"], "docomo": [WAITING]}


def test_undo_waits_for_queued_mail_and_then_leaves_nothing(waiting):
    site = waiting
    done = site.waybill.tool("apply", "--undo", "--wait", "1", ok=None)
    assert done.returncode == 75, done.stderr
    assert site.arrived() == {}
    site.docomo.accept()
    site.mx.retry_until_empty()
    site.waybill.undo()
    assert site.arrived() == {"docomo": [WAITING]}
    site.waybill.kill()
    assert site.outcome("info@example.com", ["d@remote.test"]) == {"default": ["d@remote.test"]}
