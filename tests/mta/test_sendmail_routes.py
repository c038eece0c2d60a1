"""What a route can be with a real Sendmail: logins, TLS of every kind, address
literals, fallbacks, and what becomes of mail whose route is gone."""

import pytest

from lab import AuthRelay, Lab, Waybill
from prerequisites import need

ACCOUNTS = {"shop": 'the "shop"\'s <pass> #1 $', "bulk": "another one", "cram": "of the third"}


def configuration(lab):
    def route(name, account="shop", **options):
        words = {"host": "localhost", "username": account,
                 "password_file": lab.waybill.password(account, ACCOUNTS.get(account, "x")),
                 "ca_file": str(lab.relay.ca_file), "port": lab.relay.starttls_port,
                 "tls": "starttls", **options}
        values = "\n".join(f"    {key} = {value if isinstance(value, int) else chr(34) + value + chr(34)}"
                           for key, value in words.items() if value is not None)
        return (f"route {name} {{\n{values}\n}}\n"
                f'rule {name} {{ recipients = "{name}.test" route = {name} }}\n')

    def bare(name, more):
        return (f"route {name} {{ {more} }}\n"
                f'rule {name} {{ recipients = "{name}.test" route = {name} }}\n')
    return "".join((
        route("shop"), route("bulk", "bulk"), route("login", auth="login"),
        route("cram", "cram", auth="cram-md5"), route("any", auth="any"),
        route("clear", tls="none", allow_cleartext="yes", port=lab.relay.plain_port, ca_file=None),
        route("misnamed", port=lab.relay.port("starttls", "wrong-name")),
        route("stranger", port=lab.relay.port("starttls", "other-ca")),
        route("implicit", tls="tls", port=lab.relay.tls_port),
        route("implicit2", "bulk", tls="tls", port=lab.relay.tls_port),
        route("wrong", "wrong"), route("wrongpipe", "wrong", tls="tls", port=lab.relay.tls_port),
        route("nologin", port=lab.relay.port("starttls", login=False)),
        route("badpipe", tls="tls", port=lab.relay.port("tls", "wrong-name")),
        bare("fall", f'host = "127.0.0.2" port = {lab.open.port} fallback = "[127.0.0.1]:{lab.open.port}"'),
        bare("open", f'host = "127.0.0.1" port = {lab.open.port} max_recipients = 2'),
        bare("gone", f'host = "127.0.0.1" port = {lab.open.port} max_recipients = 3'),
        "rule literal { recipients = { '/@[[]/', \".open.test\" } route = open }\n"))


@pytest.fixture(scope="module", name="site")
def a_site(sendmail_here):
    need(Waybill.missing() or AuthRelay.missing())
    with Lab() as lab:
        lab.got, lab.open, lab.default = lab.sink("got"), lab.sink("open"), lab.sink("default")
        lab.relay = lab.authrelay("relay", ACCOUNTS, lab.got,
                                  mechanisms="PLAIN LOGIN CRAM-MD5")
        lab.mx = lab.sendmail("mx", relay=lab.default.nexthop)
        lab.waybill = lab.waybill(lab.mx, "", relayhosts=[lab.default.nexthop])
        lab.waybill.configure(configuration(lab))
        lab.waybill.start()
        lab.waybill.apply()
        yield lab
        assert lab.default.messages == []


@pytest.fixture(autouse=True)
def nothing_left(site):
    site.mx.empty_queue()
    site.mx.empty_mailboxes()
    for sink in (site.got, site.open):
        sink.accept()
        sink.clear()


def send(site, *recipients):
    reply = site.mx.send("info@example.com", list(recipients))
    assert reply.all_codes() == [250] * (len(recipients) + 1), reply
    return reply


@pytest.mark.parametrize("route, account, method", [
    ("shop", "shop", "PLAIN"), ("bulk", "bulk", "PLAIN"), ("login", "shop", "LOGIN"),
    ("cram", "cram", "CRAM-MD5"), ("any", "shop", None), ("clear", "shop", "PLAIN"),
    ("implicit", "shop", "PLAIN"), ("implicit2", "bulk", "PLAIN")])
def test_login(site, route, account, method):
    send(site, f"a@{route}.test")
    message = site.got.wait_for(1, log=site.mx.log)[0]
    assert site.relay.login_of(message) == account
    assert message.rcpt_to == [f"a@{route}.test"]
    assert "waybill.invalid" not in message.text
    assert "(authenticated" not in message.text
    if method:
        assert site.relay.methods()[account] == method


def test_two_accounts_on_one_host_in_one_message(site):
    send(site, "a@shop.test", "b@bulk.test", "c@shop.test")
    messages = site.got.wait_for(2, log=site.mx.log)
    got = {site.relay.login_of(m): sorted(m.rcpt_to) for m in messages}
    assert got == {"shop": ["a@shop.test", "c@shop.test"], "bulk": ["b@bulk.test"]}


@pytest.mark.parametrize("route, why", [
    ("misnamed", "another name"), ("stranger", "verified TLS"), ("badpipe", ""),
    ("wrong", "login at the relay failed"), ("wrongpipe", "login at the relay failed"),
    ("nologin", "login at the relay failed")])
def test_unverified_relay_gets_nothing(site, route, why):
    send(site, f"a@{route}.test")
    waiting, = site.mx.wait_for_deferred()
    assert why in site.mx.log_text()
    assert waiting["recipients"][0]["address"].startswith(f"a@{route}.test.")
    assert site.got.messages == []


@pytest.mark.parametrize("recipient", [
    "u@[192.0.2.1]", "u@[IPv6:2001:db8::1]", "First.Last+tag@open.test", '"a b"@open.test',
    "u%x@open.test", "UPPER@Open.Test", "u@" + ".".join(["d" * 50] * 4) + ".open.test",
    "u" * 60 + "@" + "b" * 60 + ".open.test"])
def test_form_of_recipient_survives(site, recipient):
    reply = site.mx.send("info@example.com", [recipient])
    assert reply.code == 250, reply
    assert site.open.wait_for(1, log=site.mx.log)[0].rcpt_to == [recipient]


def test_fallback_host_and_max_recipients(site):
    send(site, "a@fall.test")
    assert site.open.wait_for(1, log=site.mx.log)[0].rcpt_to == ["a@fall.test"]
    site.open.clear()
    send(site, *(f"{i}@open.test" for i in range(5)))
    sizes = sorted(len(m.rcpt_to) for m in site.open.wait_for(3, log=site.mx.log))
    assert sizes == [1, 2, 2]


@pytest.mark.parametrize("sender", ["games@mx.test", "info@open.test"])
def test_bounce_shows_no_mark(site, sender):
    """Sendmail makes a bounce itself, from what it has in its queue."""
    site.open.refuse("550 5.1.1 nobody here", "bad@open.test")
    site.mx.send(sender, ["bad@open.test"])
    if sender.endswith("mx.test"):
        text = site.mx.wait_for_mailbox("games")[0]
    else:
        text = site.open.wait_for(1, log=site.mx.log)[0].text
    print(text)
    print(site.mx.log_text()[-3000:])
    assert "Final-Recipient: RFC822; bad@open.test" in text
    assert "waybill.invalid" not in text


def test_route_that_is_gone_waits_and_does_not_leak(site):
    site.open.refuse("450 4.2.0 later")
    send(site, "a@gone.test")
    site.mx.wait_for_deferred()
    text = site.waybill.text
    site.waybill.configure(text[:text.index("route gone")] + text[text.index("rule literal"):])
    site.waybill.apply()
    site.open.accept()
    site.mx.flush()
    assert len(site.mx.queued()) == 1
    assert "not configured any more" in site.mx.command("-bp").stdout
    assert site.open.messages == []
    site.waybill.configure(text)
    site.waybill.apply()
    site.mx.flush()
    assert site.open.wait_for(1)[0].rcpt_to == ["a@gone.test"]
