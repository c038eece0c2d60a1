"""TLS to a relay: whose certificate is believed, and which one is shown."""

import json
import re

import pytest

from lab import AuthRelay, Lab, letter, run
from prerequisites import need

ACCOUNT = {"shop": "the shop's password"}


def issue(relay, name):
    """A certificate for name by the relay's CA; root's alone is the key."""
    folder = relay.dir / "tls"
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
         "-addext", f"subjectAltName=DNS:{name}", "-addext", "basicConstraints=CA:FALSE",
         "-CA", relay.ca_file, "-CAkey", folder / "ca.key", "-keyout", key, "-out", cert])
    key.chmod(0o600)
    return cert, key


@pytest.fixture(scope="module")
def site(programs):
    """Three relays: one that demands a client certificate, one whose
    certificate has another name, and one that is as it should be. The site
    has a client certificate of its own."""
    need(AuthRelay.missing())
    with Lab() as lab:
        lab.got, lab.default = lab.sink("got"), lab.sink("default")
        for name in ("strict", "misnamed", "right"):
            setattr(lab, name, lab.authrelay(name, ACCOUNT, lab.got))
        configure(lab.strict, f"smtpd_tls_CAfile={lab.strict.ca_file}",
                  "smtpd_tls_req_ccert=yes", "smtpd_tls_received_header=yes")
        own, own_key = issue(lab.strict, "the.site.test")
        lab.mx = lab.postfix("mx", main={"relayhost": lab.default.nexthop,
                                         "smtp_tls_chain_files": f"{own_key}, {own}"})
        lab.waybill = lab.waybill(lab.mx, "", relayhosts=[lab.default.nexthop])
        lab.waybill.configure(configuration(lab))
        lab.waybill.start()
        lab.waybill.apply()
        yield lab
        assert lab.default.messages == []


def configure(relay, *settings):
    relay.postfix.command("postconf", *settings)
    relay.postfix.reload()


def configuration(lab):
    password = lab.waybill.password("shop", ACCOUNT["shop"])
    foreign = issue(lab.right, "stranger.test")

    def route(name, relay, tls="starttls", certificate=None, host="localhost"):
        port = relay.port(tls, "wrong-name" if relay is lab.misnamed else "good")
        cert = f'cert_file = "{certificate[0]}"  key_file = "{certificate[1]}"' \
            if certificate else ""
        return f"""
route {name} {{
    host = "{host}"  port = {port}  tls = {tls}  ca_file = "{relay.ca_file}"  {cert}
    username = "shop"  password_file = "{password}"
}}
rule {name} {{ recipients = {{ "{name}.test" }}  route = {name} }}
"""
    return (route("one", lab.strict, certificate=issue(lab.strict, "one.client.test"))
            + route("two", lab.strict, "tls", issue(lab.strict, "two.client.test"))
            + route("own", lab.strict)
            + route("stranger", lab.strict, certificate=foreign)
            + route("misnamed", lab.misnamed)
            + route("misnamed-tls", lab.misnamed, "tls")
            + route("misnamed-address", lab.misnamed, host="127.0.0.1")
            + route("right", lab.right, "tls")
            + route("address", lab.right, host="127.0.0.1"))


@pytest.fixture
def lab(site):
    site.mx.empty_queue()
    site.got.clear()
    return site


def send(lab, name):
    lab.mx.send("info@example.com", [f"u@{name}.test"],
                letter("info@example.com", f"u@{name}.test"))


@pytest.mark.parametrize("name, shown", [
    ("one", "one.client.test"), ("two", "two.client.test"), ("own", "the.site.test")])
def test_the_relay_sees_the_certificate_of_the_route(lab, name, shown):
    """Without one, that of main.cf. smtp(8) reads the keys, mode 0600, as root."""
    send(lab, name)
    message, = lab.got.wait_for(1, log=lab.mx.log)
    received = " ".join(message.headers("Received"))
    assert re.search(r'\(Client CN "([^"]+)".*?verified OK\)', received).group(1) == shown
    assert lab.strict.login_of(message) == "shop"


@pytest.mark.parametrize("name", ["misnamed", "misnamed-tls", "misnamed-address", "stranger"])
def test_a_certificate_that_is_not_believed(lab, name):
    """By this host or, with stranger, by the relay: the mail waits, and no
    password has left."""
    before = lab.misnamed.methods()
    send(lab, name)
    lab.mx.wait_for_deferred()
    assert lab.got.messages == []
    assert lab.misnamed.methods() == before == {}


def test_a_certificate_with_the_right_name(lab):
    send(lab, "right")
    lab.got.wait_for(1, log=lab.mx.log)


def test_an_address_that_stands_in_the_certificate(lab):
    send(lab, "address")
    lab.got.wait_for(1, log=lab.mx.log)


def test_the_test_mail_shows_the_certificate_too(lab):
    def ask(route, status):
        done = lab.waybill.tool("test", route, "--json", "--to", f"x@{route}.test",
                                "--from", "info@example.com", ok=None)
        assert done.returncode == status, done.stdout + done.stderr
        return json.loads(done.stdout)[0]
    for route, shown in (("one", "one.client.test"), ("two", "two.client.test"),
                         ("own", "the.site.test")):
        lab.got.clear()
        assert ask(route, 0)["result"] == "ok"
        message, = lab.got.wait_for(1, log=lab.strict.postfix.log)
        assert f'Client CN "{shown}"' in " ".join(message.headers("Received"))
    found = ask("stranger", 76)
    assert found["result"] == "certificate" and "cert_file" in found["hint"]
