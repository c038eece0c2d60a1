"""The next relay of a route: what leads to it and what does not, and that each
relay is used under its own account."""

import json
import re
from collections import Counter

import pytest

from lab import AuthRelay, Lab, free_port, letter
from mailsite import send_many
from prerequisites import need


def section(name, host, port, *more):
    return (f'route {name} {{ host = "{host}"  port = {port}  {"  ".join(more)} }}\n'
            f'rule {name} {{ recipients = {{ "{name}.test" }}  route = {name} }}\n')


def send(lab, *recipients):
    lab.mx.send("info@example.com", recipients,
                letter("info@example.com", ", ".join(recipients)))


def make_site(lab, text):
    lab.default = lab.sink("default")
    lab.mx = lab.postfix("mx", main={"relayhost": lab.default.nexthop})
    lab.waybill = lab.waybill(lab.mx, "", relayhosts=[lab.default.nexthop])
    lab.waybill.configure(text(lab))
    lab.waybill.start()
    lab.waybill.apply()
    return lab


@pytest.fixture(scope="module")
def open_site(programs):
    """Relays without accounts: first, second and third."""
    def text(lab):
        second, third = lab.second.nexthop, f"127.0.0.1:{lab.third.port}"
        return (section("three", "127.0.0.1", lab.first.port,
                        f'fallback = {{ "{second}", "{third}" }}')
                + section("alone", "127.0.0.1", lab.first.port)
                + section("down", "127.0.0.1", free_port(), 'fallback = { "alone", "named" }')
                + section("named", "127.0.0.1", lab.third.port))
    with Lab() as lab:
        lab.first, lab.second, lab.third = (lab.sink(n) for n in ("first", "second", "third"))
        yield make_site(lab, text)


@pytest.fixture
def lab(open_site):
    open_site.mx.empty_queue()
    for sink in (open_site.first, open_site.second, open_site.third, open_site.default):
        sink.clear()
        sink.greeting, sink.verdict = "220 relay.invalid ESMTP", "250 2.0.0 Ok"
    return open_site


def places(lab):
    """Where the one message arrived."""
    lab.mx.wait_until_empty()
    return {sink.name: [m.rcpt_to for m in sink.messages]
            for sink in (lab.first, lab.second, lab.third, lab.default) if sink.messages}


FALLS_OVER = {
    "greeted with 421": {"greeting": "421 4.3.2 closed for now"},
    "greeted with 554": {"greeting": "554 5.3.2 closed"},
    "RCPT gets 450": {"rcpt": "450 4.2.0 later"},
    "the text gets 451": {"verdict": "451 4.3.0 later"},
    "breaks off at once": {"greeting": None},
    "breaks off after the text": {"verdict": None},
}


def spoil(sink, rcpt=None, **more):
    for name, value in more.items():
        setattr(sink, name, value)
    if rcpt:
        sink.refuse(rcpt)


@pytest.mark.parametrize("how", FALLS_OVER.values(), ids=FALLS_OVER)
def test_the_next_relay_gets_it_once(lab, how):
    spoil(lab.first, **how)
    send(lab, "u@three.test")
    assert places(lab) == {"second": [["u@three.test"]]}


def test_the_third_relay_is_next_to_the_second(lab):
    spoil(lab.first, greeting="421 4.3.2 closed")
    spoil(lab.second, rcpt="451 4.2.0 later")
    send(lab, "u@three.test")
    assert places(lab) == {"third": [["u@three.test"]]}


def test_a_relay_that_is_down(lab):
    send(lab, "u@down.test")
    assert places(lab) == {"first": [["u@down.test"]]}


def test_only_the_refused_recipient_goes_on(lab):
    lab.first.refuse("450 4.2.0 later", "b@three.test")
    send(lab, "a@three.test", "b@three.test")
    assert places(lab) == {"first": [["a@three.test"]], "second": [["b@three.test"]]}


REFUSES = {"RCPT gets 550": {"rcpt": "550 5.1.1 no such user"},
           "the text gets 552": {"verdict": "552 5.3.4 too large"}}


@pytest.mark.parametrize("how", REFUSES.values(), ids=REFUSES)
def test_a_refusal_for_good_does_not_fall_over(lab, how):
    """It goes back to the sender, by the MTA's own way."""
    spoil(lab.first, **how)
    send(lab, "u@three.test")
    assert places(lab) == {"default": [["info@example.com"]]}


def test_all_of_them_refuse_for_now(lab):
    for sink in (lab.first, lab.second, lab.third):
        spoil(sink, rcpt="450 4.2.0 later")
    send(lab, "u@three.test")
    lab.mx.wait_for_deferred()
    for sink in (lab.first, lab.second, lab.third):
        sink.accept()
    lab.mx.retry_until_empty()
    assert places(lab) == {"first": [["u@three.test"]]}


# With accounts.

@pytest.fixture(scope="module")
def accounts(programs):
    """Two providers, each with an account that the other one does not know.
    near and far fall back to each other; wrong has a wrong password at near.
    plan is tried at far with its own account, which far does not know, then
    with far's. tls is tried where near has no TLS, then at near, whose
    certificate it does not trust, then at far."""
    need(AuthRelay.missing())
    passwords = {"near": "password of near", "far": "password of far"}

    def text(lab):
        ca = lab.dir / "both.pem"
        ca.write_text(lab.near.ca_file.read_text() + lab.far.ca_file.read_text())
        both = {name: f'ca_file = "{ca}"  username = "{name}"  password_file = '
                      f'"{lab.waybill.password(name, password)}"'
                for name, password in (passwords | {"plan": "nobody knows"}).items()}
        wrong = lab.waybill.password("wrong", "a wrong password")
        near, far = lab.near.starttls_port, lab.far.starttls_port
        return (section("near", "localhost", near, both["near"], 'fallback = { "far" }')
                + section("far", "localhost", far, both["far"], 'fallback = { "near" }')
                + section("plan", "localhost", free_port(), both["plan"],
                          f'fallback = {{ "[localhost]:{far}", "far" }}')
                + section("tls", "localhost", lab.near.plain_port,
                          both["far"].replace(str(ca), str(lab.far.ca_file)),
                          f'fallback = {{ "[localhost]:{near}", "[localhost]:{far}" }}')
                + section("wrong", "localhost", near, f'ca_file = "{ca}"  username = "near"',
                          f'password_file = "{wrong}"  fallback = {{ "far" }}'))
    refuse = "check_recipient_access pcre:{{/^later/ 450 4.2.0 later}}"
    with Lab() as lab:
        lab.got = {name: lab.sink(f"got-{name}") for name in passwords}
        for name, password in passwords.items():
            relay = lab.authrelay(name, {name: password}, lab.got[name])
            setattr(lab, name, relay)
        lab.near.postfix.command("postconf", f"smtpd_recipient_restrictions = {refuse}")
        lab.near.postfix.reload()
        yield make_site(lab, text)


@pytest.fixture
def two(accounts):
    accounts.mx.empty_queue()
    for sink in (*accounts.got.values(), accounts.default):
        sink.clear()
    return accounts


def logins(lab, count):
    """{(relay, login, recipient): how often}, once all have arrived."""
    lab.mx.wait_until_empty(60)
    for relay in (lab.near, lab.far):
        relay.postfix.wait_until_empty(60)
    seen = Counter((name, getattr(lab, name).login_of(m), to) for name, sink in lab.got.items()
                   for m in sink.messages for to in m.rcpt_to)
    assert sum(seen.values()) == count, seen
    return seen


@pytest.mark.parametrize("recipient, relay", [
    ("u@near.test", "near"), ("u@far.test", "far"), ("later@near.test", "far"),
    ("u@wrong.test", "far"), ("u@plan.test", "far"), ("u@tls.test", "far")])
def test_each_relay_under_its_own_account(two, recipient, relay):
    send(two, recipient)
    assert logins(two, 1) == {(relay, relay, recipient): 1}


def test_many_messages_fall_over_under_the_right_account(two):
    """Over cached connections, too, and beside mail for the first relay."""
    def make(i):
        to = [f"later{i}@near.test", f"u{i}@near.test", f"v{i}@far.test"]
        return "info@example.com", to, letter("info@example.com", ", ".join(to))
    replies = send_many(two.mx, 60, 6, make)
    assert {r.code for r in replies} == {250}
    seen = Counter((relay, login, to.rstrip("0123456789@.netfarst"))
                   for relay, login, to in logins(two, 180).elements())
    assert {key[:2] for key in seen} == {("near", "near"), ("far", "far")}
    assert sum(n for key, n in seen.items() if key[0] == "near") == 60


def test_the_test_mail_takes_every_relay_under_its_own_account(two):
    done = two.waybill.tool("test", "near", "--json", "--to", "u@near.test",
                            "--from", "info@example.com")
    found, = json.loads(done.stdout)
    assert found["tables"]["ok"] and found["failed_at"] is None
    assert logins(two, 2) == {("near", "near", "u@near.test"): 1, ("far", "far", "u@near.test"): 1}


def test_another_password_than_the_installed_one_is_told(two):
    path = two.waybill.dir / "secrets" / "far"
    before = path.read_text()
    path.write_text("another password\n")
    done = two.waybill.tool("test", "near", "--to", "u@near.test", "--from", "info@example.com",
                            ok=None)
    path.write_text(before)
    assert done.returncode == 77, done.stdout
    assert re.search(r"tables .* has another account for \[localhost\]:0*\d+", done.stdout)
    assert "failed at fallback1:auth: login" in done.stdout
    assert "another password" not in done.stdout
    logins(two, 1)
