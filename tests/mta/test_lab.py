"""The lab itself: a broken lab must not look like a broken waybill."""

import smtplib
import ssl

import pytest

from lab import AuthRelay, Lab, LabError, OpenDKIM, letter
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


def test_submission_server_tells_accounts_apart(lab):
    need(AuthRelay.missing())
    behind = lab.sink("behind")
    provider = lab.authrelay("provider", {"one": "p1", "two": "p2"}, behind)
    trust = ssl.create_default_context(cafile=provider.ca_file)
    with smtplib.SMTP("localhost", provider.starttls_port) as smtp:
        smtp.starttls(context=trust)
        smtp.login("one", "p1")
        smtp.sendmail("a@b.test", ["c@d.test"], letter("a@b.test", "c@d.test"))
    with smtplib.SMTP_SSL("127.0.0.1", provider.tls_port, context=trust) as smtp:
        smtp.login("two", "p2")
        smtp.sendmail("a@b.test", ["c@d.test"], letter("a@b.test", "c@d.test"))
    with smtplib.SMTP("127.0.0.1", provider.plain_port) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login("one", "wrong")
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.sendmail("a@b.test", ["c@d.test"], "x")
    got = behind.wait_for(2, log=provider.postfix.log)
    assert [provider.login_of(m) for m in got] == ["one", "two"]


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
