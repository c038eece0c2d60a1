"""What the filter wants done with mail to a return address."""

import pytest

from milter import CONTINUE, Milter

BOUNCES = """
route bulk { host = "[127.0.0.1]" port = 2526 }
rule other { route = bulk }
return_path main { senders = { "example.com" } domain = "return.example.com" }
return_path sure { senders = { "example.org" } mode = srs domain = "signed.example.com" }
webhook crm { url = "https://app.example.com/hook" }
inbound form { domains = { "form.example.com" } match = '^info@' match_on = envelope webhook = crm }
bounces {
    domains = { "return.example.com", "signed.example.com" }
    deliver = sender  replies = reject
}
"""

FORGED = "<SRS0=aaaa=bb=example.org=info@signed.example.com>"
REPORT = ("Content-Type", 'multipart/report; boundary=x;\n\treport-type="delivery-status"')


@pytest.fixture
def connect(make_daemon):
    """connect(daemon_name, attach): an MTA whose client is a stranger."""
    opened = []

    def make(name="smtpd", attach="before_queue"):
        daemon = make_daemon(BOUNCES, attach=attach).start()
        opened.append((Milter(daemon.socket), daemon))
        return opened[-1][0].greet(client="192.0.2.1", daemon=name)
    yield make
    for milter, daemon in opened:
        milter.close()
        daemon.stop()


@pytest.mark.parametrize("attach, name, null", [
    ("before_queue", "smtpd", "<>"), ("after_queue", "smtpd", "<>"),
    ("after_queue", "waybill-loopback", "<>"), ("before_queue", "waybill-bounce", ""),
    ("after_queue", "waybill-bounce", "")])
def test_a_bounce_is_sent_home(connect, attach, name, null):
    """cleanup(8) writes the null sender as nothing."""
    wanted, verdict = connect(name, attach).message(null, ["<info@return.example.com>"], [REPORT])
    assert verdict == CONTINUE
    assert wanted == [("h", "X-Waybill-Bounce", "sender=<info@example.com>"),
                      ("-", "<info@return.example.com>"),
                      ("2", "<info@example.com>", "ORCPT=rfc822;info@return.example.com")]


@pytest.mark.parametrize("attach, name", [("before_queue", "smtpd"), ("after_queue", "smtpd"),
                                          ("after_queue", "waybill-loopback")])
def test_what_is_certain_is_told_at_rcpt(connect, attach, name):
    mta = connect(name, attach)
    mta.mail("<yuki@remote.test>")
    for recipient, code in (("<info@return.example.com>", "550 5.7.1 "), (FORGED, "550 5.7.1 "),
                            ("<info@signed.example.com>", "550 5.7.1 "),
                            ("<else@form.example.com>", "550 5.1.1 ")):
        refused = mta.rcpt(recipient)
        assert refused[0] == "y" and refused[1].startswith(code), (recipient, refused)
    assert mta.rcpt("<postmaster@return.example.com>") == CONTINUE


def test_a_bounce_of_the_mtas_own_is_never_refused(connect):
    """cleanup(8) cannot refuse a recipient, and nobody would hear it."""
    mta = connect("waybill-bounce")
    for recipient in (FORGED, "<info@signed.example.com>", "<else@form.example.com>",
                      "<a@x.waybill.invalid>", "<a@remote.test>", "a b@@remote.test", "<@>"):
        mta.mail("")
        assert mta.rcpt(recipient, macros={"i": "4F2A"}) == CONTINUE, recipient
        assert mta.end() == ([], CONTINUE), recipient


def test_in_front_of_the_queue_the_rest_is_left_alone(connect):
    mta = connect("smtpd", "after_queue")
    mta.mail("<info@example.com>", login="bob")
    assert mta.rcpt("<a@remote.test>", macros={"i": "4F2A"}) == CONTINUE    # and no 4xx
    assert mta.rcpt("<info@form.example.com>") == CONTINUE
    mta.header("X-Waybill-Bounce", "sender=<forged@example.com>")
    assert mta.end() == ([("m", 1, "X-Waybill-Bounce", "")], CONTINUE)


def test_the_log_tells_where_a_bounce_went(make_daemon):
    daemon = make_daemon(BOUNCES, attach="after_queue").start()
    with Milter(daemon.socket) as mta:
        mta.greet(client="192.0.2.1")
        mta.message("<>", ["<info@return.example.com>", "<bob@mx.test>"])
    lines = [line.partition(" client=")[0] for line in daemon.text().splitlines()
             if line.startswith("4F2A: ")]
    assert lines == ["4F2A: from=<> to=<info@return.example.com> class=bounce kind=bounce "
                     "becomes=<info@example.com>"]
