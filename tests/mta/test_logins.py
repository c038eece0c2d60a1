"""How a route logs in: each mechanism, and what a wrong password leads to."""

import re
from collections import Counter
from pathlib import Path

import pytest

from lab import AuthRelay, Lab, letter
from mailsite import send_many
from prerequisites import need

AUTHS = ("plain", "login", "cram-md5", "ntlm", "any")
OFFERED = "PLAIN LOGIN CRAM-MD5 NTLM SCRAM-SHA-256"


@pytest.fixture(scope="module", params=("postfix", "sendmail"))
def site(request, programs, sendmail_here):
    """An MTA with waybill, and two providers: one with all mechanisms, one
    with LOGIN alone. Each route has an account of its own."""
    need(AuthRelay.missing())
    with Lab() as lab:
        accounts = {f"u-{auth}": f"password of {auth}" for auth in AUTHS}
        accounts |= {"right": "the right one", "wrong": "not what the route says",
                     "clear": "never in clear"}
        accounts |= {f"twin-{i}": f"password of twin {i}" for i in (1, 2)}
        lab.got, lab.default = lab.sink("got"), lab.sink("default")
        lab.provider = lab.authrelay("provider", accounts, lab.got, mechanisms=OFFERED)
        lab.simple = lab.authrelay("simple", {"u-simple": "a password"}, lab.got,
                                   mechanisms="LOGIN")
        lab.ca_file = lab.dir / "cas.pem"    # Sendmail has one file for all relays
        lab.ca_file.write_text(lab.provider.ca_file.read_text() + lab.simple.ca_file.read_text())
        lab.mx = lab.mta(request.param, "mx", relay=lab.default.nexthop, ca_file=lab.ca_file)
        lab.waybill = lab.waybill(lab.mx, "", relayhosts=[lab.default.nexthop])
        text = "".join(route(lab, a, lab.provider, f"u-{a}", accounts[f"u-{a}"], a)
                       for a in AUTHS)
        text += route(lab, "right", lab.provider, "right", accounts["right"])
        text += route(lab, "wrong", lab.provider, "wrong", "a wrong password")
        text += route(lab, "clear", lab.provider, "clear", accounts["clear"], "cram-md5",
                      tls="none")
        for i in (1, 2):
            text += route(lab, f"twin-{i}", lab.provider, f"twin-{i}", accounts[f"twin-{i}"], "any")
        text += route(lab, "lesser", lab.simple, "u-simple", "a password", "any")
        text += route(lab, "absent", lab.simple, "u-simple", "a password", "cram-md5")
        lab.waybill.configure(text)
        lab.waybill.start()
        lab.waybill.apply()
        yield lab


def route(lab, name, relay, username, password, auth="plain", tls="starttls"):
    """A route and a rule that sends NAME.test there."""
    port = relay.plain_port if tls == "none" else relay.starttls_port
    ca = "" if tls == "none" else f'ca_file = "{lab.ca_file}"'
    return f"""
route {name} {{
    host = "localhost"  port = {port}  tls = {tls}  {ca}
    auth = {auth}  username = "{username}"
    password_file = "{lab.waybill.password(name, password)}"
}}
rule {name} {{ recipients = {{ "{name}.test" }}  route = {name} }}
"""


@pytest.fixture
def lab(site):
    site.mx.empty_queue()
    for sink in (site.got, site.default):
        sink.clear()
    return site


def send(lab, *names):
    to = [f"u@{name}.test" for name in names]
    lab.mx.send("info@example.com", to, letter("info@example.com", ", ".join(to)))


METHODS = [("plain", "PLAIN"), ("login", "LOGIN"), ("cram-md5", "CRAM-MD5"),
           ("ntlm", "NTLM"), ("any", ("SCRAM-SHA-256", "CRAM-MD5"))]    # Sendmail's choice


@pytest.mark.parametrize("auth, method", METHODS)
def test_each_mechanism(lab, auth, method):
    send(lab, auth)
    message, = lab.got.wait_for(1, log=lab.mx.log)
    assert lab.provider.login_of(message) == f"u-{auth}"
    if auth == "any":
        method = method[lab.mx.kind == "sendmail"]
    assert lab.provider.methods()[f"u-{auth}"] == method


def test_any_takes_what_there_is(lab):
    send(lab, "lesser")
    message, = lab.got.wait_for(1, log=lab.mx.log)
    assert lab.simple.login_of(message) == "u-simple"
    assert lab.simple.methods() == {"u-simple": "LOGIN"}


def test_cram_md5_needs_no_tls(lab):
    """The relay has no TLS there and offers PLAIN first: it is not taken."""
    send(lab, "clear")
    lab.got.wait_for(1, log=lab.mx.log)
    assert lab.provider.methods()["clear"] == "CRAM-MD5"


def test_a_mechanism_that_the_relay_lacks_waits(lab):
    """auth = cram-md5 never becomes LOGIN."""
    send(lab, "absent")
    queued, = lab.mx.wait_for_deferred()
    why = {"postfix": "offered no compatible authentication mech",
           "sendmail": "Temporary AUTH failure"}[lab.mx.kind]
    assert why in queued["recipients"][0]["delay_reason"]
    assert lab.got.messages == []


def test_a_wrong_password_waits_and_borrows_no_account(lab):
    """Both routes lead to one host and port; one message for both."""
    send(lab, "wrong", "right")
    lab.got.wait_for(1, log=lab.mx.log)
    queued, = lab.mx.wait_for_deferred()
    assert [r["address"].split(".test")[0] for r in queued["recipients"]] == ["u@wrong"]
    why = {"postfix": "SASL authentication failed",
           "sendmail": "the login at the relay failed"}[lab.mx.kind]
    assert why in queued["recipients"][0]["delay_reason"]
    lab.mx.flush()
    lab.mx.wait_for_deferred()
    message, = lab.got.messages
    assert message.rcpt_to == ["u@right.test"]
    assert lab.provider.login_of(message) == "right"
    assert "wrong" not in lab.provider.methods()


def test_two_accounts_stay_apart_by_a_mechanism_with_a_challenge(lab):
    """As test_accounts has it for PLAIN, over cached connections."""
    def make(i):
        to = [f"u{i}@twin-1.test", f"u{i}@twin-2.test"]
        return "info@example.com", to, letter("info@example.com", ", ".join(to))
    assert {r.code for r in send_many(lab.mx, 100, 6, make)} == {250}
    lab.mx.wait_until_empty(60)
    messages = lab.got.wait_for_recipients(200, log=lab.provider.postfix.log)
    seen = Counter((lab.provider.login_of(m), to.partition("@")[2])
                   for m in messages for to in m.rcpt_to)
    assert seen == {("twin-1", "twin-1.test"): 100, ("twin-2", "twin-2.test"): 100}


def passwords_in_force(mx):
    """The tables of passwords that the MTA reads, as text. Sendmail's are in one
    of two folders, whichever its .cf names; the other has the last apply's."""
    if mx.kind == "postfix":
        return "".join(p.read_text() for p in (mx.etc / "waybill").glob("sasl-*"))
    return Path(re.search(r"^Kwbauth hash (\S+)$", (mx.etc / "sendmail.cf").read_text(),
                          re.M).group(1)).read_text()


def test_who_stays_keeps_its_account_when_another_goes(lab):
    """twin-1 is taken out while mail for twin-2 waits in the queue."""
    good = lab.waybill.text
    first, second = good.index("\nroute twin-1"), good.index("\nroute twin-2")
    lab.provider.postfix.stop()
    send(lab, "twin-2")
    lab.mx.wait_for_deferred()
    lab.provider.postfix.start()
    lab.waybill.configure(good[:first] + good[second:])
    try:
        lab.waybill.apply()
        lab.waybill.reload()
        lab.mx.retry_until_empty()
        message, = lab.got.wait_for(1, log=lab.mx.log)
        assert lab.provider.login_of(message) == "twin-2"
        assert "twin-1" not in passwords_in_force(lab.mx)
    finally:
        lab.waybill.configure(good)
        lab.waybill.apply()
        lab.waybill.reload()


def test_no_password_is_logged(lab):
    logs = lab.mx.log_text() + lab.waybill.log_text()
    for path in (lab.waybill.dir / "secrets").iterdir():
        assert path.read_text().strip() not in logs, path.name
