"""The lab itself: a broken lab must not look like a broken waybill."""

import smtplib
import ssl

import pytest

from lab import AuthRelay, Lab, LabError, OpenDKIM, letter, run
from lab.sink import path_and_args
from prerequisites import need


@pytest.fixture(scope="module")
def lab(postfix_here):
    with Lab() as one:
        yield one


@pytest.fixture(scope="module")
def relay(lab):
    return lab.sink("relay")


@pytest.fixture(scope="module")
def mx(lab, relay):
    return lab.postfix("mx", main={"relayhost": relay.nexthop},
                       aliases={"sales": "bob@remote.test"})


@pytest.fixture(autouse=True)
def nothing_left(relay):
    relay.clear()


@pytest.mark.parametrize("line, address, args", [
    ("FROM:<a@b.test> SIZE=3 ENVID=x", "a@b.test", {"SIZE": "3", "ENVID": "x"}),
    ("TO:<>", "", {}),
    ('TO:<"a>b c"@d.test> NOTIFY=NEVER', '"a>b c"@d.test', {"NOTIFY": "NEVER"}),
    (r'TO:<"a\">b"@d.test>', r'"a\">b"@d.test', {}),
])
def test_sink_takes_a_command_apart(line, address, args):
    assert path_and_args(line) == (address, args)


def test_sink_records_dsn_arguments(mx, relay):
    mx.send("a@b.test", ["c@d.test"], mail_options=["ENVID=tag7", "RET=HDRS"],
            rcpt_options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;old@d.test"])
    message = relay.wait_for(1, log=mx.log)[0]
    assert message.mail_args["ENVID"] == "tag7"
    assert message.recipients == [("c@d.test", {"NOTIFY": "SUCCESS,FAILURE",
                                                "ORCPT": "rfc822;old@d.test"})]


def test_smtputf8_and_aliases_pass(mx, relay):
    mx.send("a@b.test", ["bücher@münchen.test", "sales@mx.test"])
    relay.wait_for(2, log=mx.log)
    assert sorted(relay.rcpt_to) == ["bob@remote.test", "bücher@münchen.test"]


def test_requeue(mx, relay):
    relay.refuse("450 4.2.0 later")
    mx.send("a@b.test", ["c@d.test"])
    mx.wait_for_deferred()
    relay.accept()
    mx.requeue()
    relay.wait_for(1, log=mx.log)
    mx.wait_until_empty()


def test_waiting_is_bounded_and_says_what_was_missing(mx, relay):
    with pytest.raises(LabError, match="relay: after 0.05 s not 1 messages"):
        relay.wait_for(1, timeout=0.05, log=mx.log)


def test_local_mail_and_forward(mx, relay):
    mx.forward("games", "d@remote.test\n")
    mx.sendmail(letter("a@b.test", "news@mx.test, games@mx.test"))
    assert len(mx.wait_for_mailbox("news")) == 1
    assert relay.wait_for(1, log=mx.log)[0].rcpt_to == ["d@remote.test"]


ACCOUNTS = {"one": "p1", "two": "second:pass#word"}
OFFERED = {"cyrus": "PLAIN LOGIN CRAM-MD5 NTLM", "dovecot": "PLAIN LOGIN CRAM-MD5"}


@pytest.fixture(scope="module")
def providers(lab):
    """Submission servers, each with another SASL library behind it."""
    need(*(AuthRelay.missing(sasl) for sasl in OFFERED))
    return {sasl: lab.authrelay(f"by-{sasl}", ACCOUNTS, lab.sink(f"behind-{sasl}"), sasl=sasl,
                                mechanisms=mechanisms)
            for sasl, mechanisms in OFFERED.items()}


@pytest.fixture(params=OFFERED)
def provider(request, providers):
    return providers[request.param]


@pytest.fixture
def behind(provider):
    provider.sink.clear()
    return provider.sink


def trust(provider):
    return ssl.create_default_context(cafile=provider.ca_file)


def submit(smtp):
    smtp.sendmail("a@b.test", ["c@d.test"], letter("a@b.test", "c@d.test"))


def test_submission_server_tells_accounts_apart(provider, behind):
    with smtplib.SMTP("localhost", provider.starttls_port) as smtp:
        smtp.starttls(context=trust(provider))
        smtp.login("one", ACCOUNTS["one"])
        submit(smtp)
    with smtplib.SMTP_SSL("127.0.0.1", provider.tls_port, context=trust(provider)) as smtp:
        smtp.login("two", ACCOUNTS["two"])
        submit(smtp)
    with smtplib.SMTP("127.0.0.1", provider.plain_port) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login("one", "wrong")
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            submit(smtp)
    got = behind.wait_for(2, log=provider.postfix.log)
    assert sorted(provider.login_of(m) for m in got) == ["one", "two"]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_client_logs_in_by_each_mechanism(provider, behind, mechanism, account):
    with smtplib.SMTP("127.0.0.1", provider.plain_port) as smtp:
        smtp.ehlo()
        smtp.user, smtp.password = account, ACCOUNTS[account]
        smtp.auth(mechanism, getattr(smtp, "auth_" + mechanism.lower().replace("-", "_")))
        submit(smtp)
    message, = behind.wait_for(1, log=provider.postfix.log)
    assert provider.login_of(message) == account
    assert provider.methods()[account] == mechanism


@pytest.mark.parametrize("sasl, mechanism", [(sasl, mechanism) for sasl in OFFERED
                                             for mechanism in OFFERED[sasl].split()])
def test_postfix_as_client_logs_in_by_each_mechanism(lab, providers, sasl, mechanism):
    """As routes do; NTLM, too, which Python does not know."""
    account, provider, behind = "two", providers[sasl], providers[sasl].sink
    behind.clear()
    mx = lab.postfix(f"{provider.name}-{mechanism.lower()}", start=False)
    nexthop = f"[127.0.0.1]:{provider.plain_port}"
    mx._main.update({
        "relayhost": nexthop, "smtp_sasl_auth_enable": "yes",
        "smtp_sasl_mechanism_filter": mechanism.lower(),
        "smtp_sasl_security_options": "noanonymous",
        "smtp_sasl_password_maps":
            mx.table("passwords", f"{nexthop} {account}:{ACCOUNTS[account]}\n")})
    mx.start()
    mx.send("a@b.test", ["c@d.test"])
    message, = behind.wait_for(1, log=mx.log_text)
    assert provider.login_of(message) == account
    assert provider.methods()[account] == mechanism


def test_submission_server_offers_what_it_was_told(lab):
    need(AuthRelay.missing("dovecot"))
    simple = lab.authrelay("simple", ACCOUNTS, lab.sink("behind-simple"), sasl="dovecot",
                           mechanisms="LOGIN")
    with smtplib.SMTP("127.0.0.1", simple.plain_port) as smtp:
        smtp.ehlo()
        assert smtp.esmtp_features["auth"].split() == ["LOGIN"]


def test_a_mechanism_that_dovecot_lacks_is_told_at_once(lab):
    need(AuthRelay.missing("dovecot"))
    with pytest.raises(LabError, match="Dovecot has not all of PLAIN NTLM"):
        lab.authrelay("lacking", ACCOUNTS, lab.sink("behind-lacking"), sasl="dovecot",
                      mechanisms="PLAIN NTLM")


@pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
def test_submission_server_without_log_in(provider, behind, tls):
    port, context = provider.port(tls, login=False), trust(provider)
    smtp = smtplib.SMTP_SSL("localhost", port, context=context) if tls == "tls" \
        else smtplib.SMTP("localhost", port)
    with smtp:
        if tls == "starttls":
            smtp.starttls(context=context)
        smtp.ehlo()
        assert "auth" not in smtp.esmtp_features
        submit(smtp)
    message, = behind.wait_for(1, log=provider.postfix.log)
    assert provider.login_of(message) is None


@pytest.mark.parametrize("certificate, why", [
    ("expired", "certificate has expired"),
    ("wrong-name", "Hostname mismatch"),
    ("other-ca", "unable to get local issuer certificate"),
])
def test_submission_server_has_each_wrong_certificate(provider, certificate, why):
    with pytest.raises(ssl.SSLCertVerificationError, match=why):
        smtplib.SMTP_SSL("localhost", provider.port("tls", certificate), context=trust(provider))
    with smtplib.SMTP("localhost", provider.port("starttls", certificate)) as smtp:
        with pytest.raises(ssl.SSLCertVerificationError, match=why):
            smtp.starttls(context=trust(provider))
        smtp.close()


def test_no_dovecot_is_left(postfix_here):
    """Stopped, it takes its own processes with it."""
    need(AuthRelay.missing("dovecot"))
    with Lab() as own:
        relay = own.authrelay("brief", {"a": "b"}, own.sink("behind-brief"), sasl="dovecot")
        home = str(own.dir)
        assert relay.sasl.socket.exists()
    assert home not in run(["ps", "-eo", "args="]).stdout


def test_opendkim_signs_and_judges(lab, relay):
    need(OpenDKIM.missing())
    signer = lab.dkim("dkim", "example.com")
    mx = lab.postfix("signing", main={"relayhost": relay.nexthop,
                                      "smtpd_milters": signer.milter})
    mx.send("info@example.com", ["c@d.test"])
    message = relay.wait_for(1, log=mx.log)[0]
    assert len(message.headers("DKIM-Signature")) == 1
    assert signer.judge(message.data)
    assert not signer.judge(message.data.replace(b"Text.", b"Texts."))
