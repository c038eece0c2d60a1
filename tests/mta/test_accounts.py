"""Two accounts of one provider, on one host and port, never mixed up."""

from collections import Counter

import pytest

from lab import AuthRelay, Lab, letter, run
from mailsite import send_many
from prerequisites import need

ACCOUNTS = {"shop-one": "first password", "shop-two": "second:pass#word"}


@pytest.fixture(scope="module")
def provider(way, programs, sendmail_here):
    """An MTA with waybill, a provider, and what the provider got."""
    need(AuthRelay.missing())
    with Lab() as lab:
        lab.got, lab.default = lab.sink("got"), lab.sink("default")
        lab.provider = lab.authrelay("provider", ACCOUNTS, lab.got)
        lab.mx = lab.mta(way, "mx", relay=lab.default.nexthop, ca_file=lab.provider.ca_file,
                         accounts=("customer",))
        lab.waybill = lab.waybill(lab.mx, "", attach=lab.mx.attach(way),
                                  relayhosts=[lab.default.nexthop])
        lab.waybill.configure(configuration(lab.provider, lab.waybill))
        lab.waybill.start()
        lab.waybill.apply()
        yield lab


def configuration(provider, waybill):
    """For each kind of TLS a route for each account: starttls-1 takes mail to
    1.starttls.test, and so on."""
    ports = {"starttls": provider.starttls_port, "tls": provider.tls_port,
             "none": provider.plain_port}
    text = ""
    for tls, port in ports.items():
        for number, (name, password) in enumerate(ACCOUNTS.items(), 1):
            file = waybill.password(name, password)
            auth = "login" if tls == "tls" else "plain"
            text += f"""
route {tls}-{number} {{
    host = "localhost"  port = {port}  tls = {tls}
    {f'ca_file = "{provider.ca_file}"' if tls != "none" else "allow_cleartext = true"}
    auth = {auth}  username = "{name}"  password_file = "{file}"
}}
rule {tls}-{number} {{ recipients = {{ "{number}.{tls}.test" }}  route = {tls}-{number} }}
"""
    return text


def check(lab, count, tls):
    """Each message came under the account of its recipient's route."""
    lab.mx.wait_until_empty(90)
    lab.provider.postfix.wait_until_empty(60)
    messages = lab.got.wait_for_recipients(2 * count, log=lab.provider.postfix.log)
    seen = Counter()
    for message in messages:
        login = lab.provider.login_of(message)
        for recipient in message.rcpt_to:
            seen[login, recipient.partition("@")[2]] += 1
    names = list(ACCOUNTS)
    assert seen == {(names[0], f"1.{tls}.test"): count, (names[1], f"2.{tls}.test"): count}
    assert lab.default.messages == []


def pairs(tls):
    def make(i):
        to = [f"u{i}@1.{tls}.test", f"u{i}@2.{tls}.test"]
        return "info@keep.test", to, letter("info@keep.test", ", ".join(to))
    return make


@pytest.mark.parametrize("tls, count", [("none", 2), ("tls", 2), ("starttls", 300)])
def test_two_accounts_on_one_host_and_port_stay_apart(provider, tls, count):
    provider.got.clear()
    replies = send_many(provider.mx, count, min(count, 6), pairs(tls))
    assert [r for r in replies if r.code != 250] == []
    check(provider, count, tls)


def test_no_password_stands_where_others_can_read_it(provider):
    for path in provider.mx.etc.rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o077:
            data = path.read_bytes()
            for password in ACCOUNTS.values():
                assert password.encode() not in data, path


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_with_a_wrong_password_mail_waits(provider, tls):
    """Whoever its sender is: here one who has logged in himself."""
    good = provider.waybill.text
    wrong = provider.waybill.password("wrong", "not this one")
    provider.got.clear()
    provider.waybill.configure(good.replace("secrets/shop-one", wrong))
    try:
        provider.waybill.apply()
        provider.waybill.reload()
        smtp = provider.mx.connect()
        provider.mx.log_in(smtp, "customer")
        reply = provider.mx.send("info@keep.test", [f"x@1.{tls}.test"], smtp=smtp)
        smtp.quit()
        assert reply.code == 250, reply
        provider.mx.wait_for_deferred()
        assert provider.got.messages == provider.default.messages == []
    finally:
        provider.mx.empty_queue()
        provider.waybill.configure(good)
        provider.waybill.apply()
        provider.waybill.reload()


def test_a_server_with_another_certificate_gets_nothing(provider):
    """tls verifies against ca_file: with another CA the mail waits."""
    good = provider.waybill.text
    other = provider.dir / "other-ca.pem"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=Another",
         "-keyout", provider.dir / "other.key", "-out", other])
    provider.got.clear()
    provider.waybill.configure(good.replace(str(provider.provider.ca_file), str(other)))
    try:
        provider.mx.trust(other)
        provider.waybill.apply()
        provider.waybill.reload()
        provider.mx.send("info@keep.test", ["x@1.starttls.test"])
        provider.mx.wait_for_deferred()
        assert provider.got.messages == []
    finally:
        provider.mx.empty_queue()
        provider.mx.trust(provider.provider.ca_file)
        provider.waybill.configure(good)
        provider.waybill.apply()
        provider.waybill.reload()
