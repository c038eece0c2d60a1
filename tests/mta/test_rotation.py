"""Keys rotate while mail flows: whatever the order of apply and reload, no
message waits or bounces, and no bounce of an earlier one is refused."""

import re

import pytest

from mailsite import Site
from test_inbound import STRANGER

SENDER = "info@srs.example.com"
LATE = "late@docomo.ne.jp"
ORDERS = {"as told": ("apply", "reload"), "reload first": ("reload", "apply")}


@pytest.fixture
def rotating_site(way, programs, sendmail_here):
    """Its secret changes, so it is nobody else's."""
    site = Site(way)
    try:
        yield site.go()
    finally:
        site.close()


class Watch:
    """Sends through a site, and knows what was sent."""

    def __init__(self, site):
        self.site = site
        self.returned = []      # every return address so far
        self.count = 0

    def check(self):
        """A message leaves, and every bounce so far is taken."""
        self.count += 1
        recipient = f"r{self.count}@docomo.ne.jp"
        reply = self.site.send(SENDER, [recipient])
        assert set(reply.all_codes()) == {250}, reply
        message = self.site.docomo.wait_until(
            lambda got: any(m.rcpt_to == [recipient] for m in got),
            what=f"message to {recipient}", log=self.site.mx.log)[-1]
        self.returned.append(message.mail_from)
        assert message.mail_from.endswith("@signed.example.com")
        for address in dict.fromkeys(self.returned):
            self.bounce(address)
        self.nothing_went_wrong()

    def bounce(self, address):
        self.site.lmtp.clear()
        reply = self.site.send("", [address], client=STRANGER)
        assert set(reply.all_codes()) == {250}, reply
        got = self.site.lmtp.wait_for(1, log=self.site.mx.log)[0]
        assert got.header("X-Waybill-Bounce") == f"sender=<{SENDER}>; age=0"

    def nothing_went_wrong(self):
        lines = self.site.mx.log_text().splitlines()
        wrong = [line for line in lines
                 if re.search(r"status=(deferred|bounced)|stat=Deferred|reject[:=]|5\.1\.2|4\.3\.5",
                              line)
                 and LATE not in line]
        assert wrong == []


def park(site):
    """A message that stays in the queue, marked with the label of now."""
    site.docomo.refuse("450 4.2.0 later", LATE)
    site.send(SENDER, [LATE])
    return queued_label(site)


def queued_label(site):
    [message] = site.mx.wait_for_deferred()
    return message["recipients"][0]["address"].split(".")[-3]


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_no_order_of_steps_loses_anything(rotating_site, order):
    site = rotating_site
    watch = Watch(site)
    old = park(site)
    watch.check()
    for _ in range(3):
        site.waybill.tool("return-path", "rotate")
        watch.check()
        for step in order:
            getattr(site.waybill, step)()
            watch.check()
    assert len(set(watch.returned)) == 3, "three keys have signed"
    # three rotations later, what was queued at first leaves
    assert queued_label(site) == old
    site.docomo.accept()
    site.docomo.clear()
    site.mx.retry_until_empty()
    assert site.docomo.rcpt_to == [LATE]
    assert site.label() != old


def test_in_time_a_key_is_forgotten(rotating_site):
    site = rotating_site
    watch = Watch(site)
    watch.check()
    for _ in range(2):
        site.waybill.tool("return-path", "rotate")
        site.waybill.apply()
        site.waybill.reload()
    watch.check()
    first, last = watch.returned
    path = site.waybill.dir / "secret"
    path.write_text(re.sub(r"(signed until) \S+", r"\1 2020-01-01", path.read_text()))
    assert "1 key that signed until" in site.waybill.tool("return-path", "rotate").stdout
    site.waybill.apply()
    site.waybill.reload()
    watch.bounce(last)
    site.lmtp.clear()
    reply = site.send("", [first], client=STRANGER)
    if site.way != "after_queue":
        assert reply.recipients[first] == (550, reply.recipients[first][1])
        assert reply.recipients[first][1].startswith("5.7.1")
    site.settle()
    assert site.lmtp.messages == []
