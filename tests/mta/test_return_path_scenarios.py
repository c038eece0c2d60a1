"""Where bounces come back to, by listener, by login, by sender and by account,
as the hosted services have it (return.SUBDOMAIN, a domain of one's own, or no
rewriting), on one MTA with several SMTP services."""

import pytest

from lab import Lab, letter
from mailsite import route, rule
from test_inbound import STRANGER, marked

LISTENERS = ("sandbox", "te", "plain")
BOUNCES = ("return.sandbox.example.jp", "return.te.example.jp", "return.example.com",
           "return.shop.example.jp")

SECTIONS = f"""
return_path own  {{ senders = {{ "example.com" }}     domain = "return.example.com" }}
return_path none {{ senders = {{ "customer.test" }}   mode = keep }}
webhook crm {{ url = "https://app.example.com/hook" }}
bounces {{ domains = {{ {", ".join(f'"{d}"' for d in BOUNCES)} }}  webhook = crm }}
"""

BY_LISTENER_AND_LOGIN = """
listener sandbox { class = outbound }
listener te      { class = outbound }
return_path sandbox { listeners = { "sandbox" }  domain = "return.sandbox.example.jp" }
return_path te      { listeners = { "te" }       domain = "return.te.example.jp" }
return_path shop    { logins = { "shop" }        senders = { "shop.example.jp" }
                      domain = "return.%d" }
"""


class Office:
    """Three SMTP services that tell their names, and one relay for each of
    docomo's customers and everybody else."""

    def __init__(self, way, lab):
        self.way, self.lab = way, lab
        self.docomo, self.bulk, self.default = map(lab.sink, ("docomo", "bulk", "default"))
        default = self.default.nexthop
        self.mx = lab.mta(way, "mx", relay=default, listeners=LISTENERS,
                          accounts=("shop", "SHOP", "desk"))
        self.waybill = lab.waybill(self.mx, self.configuration(), attach=self.mx.attach(way),
                                   relayhosts=[default])
        self.lmtp = lab.lmtp("lmtp", self.waybill.lmtp_socket)
        self.waybill.start()
        self.waybill.apply()

    def configuration(self):
        text = route("docomo", self.docomo, 'return_path = "shop@docomo.ne.jp"')
        text += route("bulk", self.bulk)
        text += rule("docomo", "docomo.ne.jp", "docomo") + "rule everything { route = bulk }\n"
        if self.way != "after_queue":
            text += BY_LISTENER_AND_LOGIN
        return text + SECTIONS

    def clear(self):
        self.mx.empty_queue()
        for sink in (self.docomo, self.bulk, self.default, self.lmtp):
            sink.clear()

    def returns_to(self, sender, recipient="a@remote.test", *, listener=None, login=None):
        """What the relay sees as the sender of a message."""
        smtp = self.mx.connect(port=self.mx.listeners[listener] if listener else None)
        if login:
            self.mx.log_in(smtp, login)
        self.clear()
        reply = self.mx.send(sender, [recipient], letter("a@example.net", recipient), smtp=smtp)
        smtp.quit()
        assert reply.code == 250, reply
        relay = self.docomo if "docomo" in recipient else self.bulk
        message = relay.wait_for(1, log=self.mx.log)[0]
        assert message.headers("From") == ["a@example.net"]
        self.mx.wait_until_empty()
        return message.mail_from

    def comes_back(self, address):
        """Does a bounce to address, from outside, reach the webhook?"""
        self.clear()
        reply = self.mx.send("", [address], letter("MAILER-DAEMON@remote.test", address),
                             client=STRANGER)
        assert set(reply.all_codes()) == {250}, reply
        message = self.lmtp.wait_for(1, log=self.mx.log)[0]
        self.mx.wait_until_empty()
        return marked(address, "crm", "bounces").match(message.rcpt_to[0]) is not None


@pytest.fixture(scope="module")
def office(way, programs, sendmail_here):
    with Lab() as lab:
        yield Office(way, lab)


@pytest.fixture(scope="module", params=("before_queue", "sendmail"))
def office_before_queue(request, programs, sendmail_here):
    """Behind the queue nobody knows by which listener or login mail came."""
    with Lab() as lab:
        yield Office(request.param, lab)


@pytest.mark.parametrize("listener, sender, becomes", [
    ("sandbox", "info@shop.example.jp", "info@return.sandbox.example.jp"),
    ("sandbox", "news@other.test", "news@return.sandbox.example.jp"),
    ("te", "info@shop.example.jp", "info@return.te.example.jp"),
    ("plain", "info@shop.example.jp", "info@shop.example.jp"),
    (None, "info@shop.example.jp", "info@shop.example.jp"),
    ("sandbox", "info@example.com", "info@return.example.com"),
    ("te", "boss@customer.test", "boss@customer.test"),
    ("sandbox", "x@return.te.example.jp", "x@return.te.example.jp"),
    ("sandbox", "", ""),
])
def test_each_listener_has_its_return_domain(office_before_queue, listener, sender, becomes):
    office = office_before_queue
    assert office.returns_to(sender, listener=listener) == becomes
    if becomes.partition("@")[2] in BOUNCES:
        assert office.comes_back(becomes)


@pytest.mark.parametrize("login, sender, becomes", [
    ("shop", "info@shop.example.jp", "info@return.shop.example.jp"),
    ("SHOP", "info@shop.example.jp", "info@return.shop.example.jp"),
    ("desk", "info@shop.example.jp", "info@shop.example.jp"),
    (None, "info@shop.example.jp", "info@shop.example.jp"),
    ("shop", "info@other.test", "info@other.test"),
])
def test_each_login_has_its_return_domain(office_before_queue, login, sender, becomes):
    office = office_before_queue
    assert office.returns_to(sender, login=login) == becomes


def test_login_and_listener_together(office_before_queue):
    """The login's names its sender by domain, the listener's names all."""
    assert office_before_queue.returns_to("info@shop.example.jp", login="shop",
                                          listener="te") == "info@return.shop.example.jp"


@pytest.mark.parametrize("sender, becomes", [
    ("info@example.com", "info@return.example.com"),
    ("boss@customer.test", "boss@customer.test"),
    ("info@unknown.test", "info@unknown.test"),
    ("x@return.example.com", "x@return.example.com"),
    ("", ""),
], ids=["own domain", "not rewritten", "no section", "is one already", "null"])
def test_each_sender_has_its_return_domain(office, sender, becomes):
    assert office.returns_to(sender) == becomes
    if becomes.partition("@")[2] in BOUNCES:
        assert office.comes_back(becomes)


@pytest.mark.parametrize("sender, becomes", [
    ("info@example.com", "shop@docomo.ne.jp"),
    ("boss@customer.test", "shop@docomo.ne.jp"),
    ("x@return.example.com", "shop@docomo.ne.jp"),
    ("shop@docomo.ne.jp", "shop@docomo.ne.jp"),
    ("", ""),
], ids=["own domain", "not rewritten", "a return domain", "the account", "null"])
def test_the_routes_address_comes_before_all_of_them(office, sender, becomes):
    assert office.returns_to(sender, "a@docomo.ne.jp") == becomes


def test_behind_the_queue_the_listener_is_not_known(office):
    """As waybill.conf(5) says: then a section by listener never holds."""
    plain = office.configuration().replace(BY_LISTENER_AND_LOGIN, "")
    by_listener = "\n".join(line for line in BY_LISTENER_AND_LOGIN.splitlines()
                            if "sandbox" in line)
    office.waybill.configure(plain + by_listener)
    office.waybill.reload()
    try:
        known = office.way != "after_queue"
        assert office.returns_to("news@other.test", listener="sandbox") == (
            "news@return.sandbox.example.jp" if known else "news@other.test")
    finally:
        office.waybill.configure(office.configuration())
        office.waybill.reload()
