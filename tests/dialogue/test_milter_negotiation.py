"""What the filter asks of the MTA, and what it does without."""

import pytest

from milter import ACTIONS, ALL_ACTIONS, ALL_STEPS, CONTINUE, STEPS, Milter
from waybill_daemon import ROUTES

SENDER, RECIPIENT = "<info@example.com>", "<a@docomo.ne.jp>"
NEEDED = ("ADDHDRS", "CHGHDRS", "DELRCPT", "ADDRCPT_PAR", "CHGFROM")
INBOUND = ROUTES + """
webhook crm { url = "https://app.example.com/hook" }
inbound form { domains = { "form.example.com" } match = 'info@' webhook = crm }
"""


def test_with_all_that_there_is(daemon):
    with Milter(daemon.socket) as m:
        m.negotiate()
        assert m.version == 6
        assert all(m.actions & ACTIONS[name] for name in NEEDED)
        assert not m.actions & (ACTIONS["CHGBODY"] | ACTIONS["QUARANTINE"])
        assert m.has("NOHELO", "NODATA", "NOUNKNOWN", "NOBODY", "NOEOH")
        assert m.has("NR_CONN", "NR_MAIL", "NR_RCPT", "NR_HDR")
        assert not m.has("NOCONNECT") and not m.has("NOMAIL") and not m.has("RCPT_REJ")


def test_the_macros_that_are_asked_for(daemon):
    with Milter(daemon.socket) as m:
        m.negotiate()
        connect, mail, rcpt, end = 0, 2, 3, 5
        assert set(m.symbols[connect]) == {"{daemon_name}", "{client_addr}"}
        assert set(m.symbols[mail]) == {"i", "{auth_authen}", "{mail_addr}"}
        assert set(m.symbols[rcpt]) == {"i", "{rcpt_mailer}", "{rcpt_host}", "{rcpt_addr}"}
        assert m.symbols[end] == ["i"]


def test_without_setsymlist(daemon):
    with Milter(daemon.socket) as m:
        m.negotiate(actions=ALL_ACTIONS & ~ACTIONS["SETSYMLIST"])
        assert m.symbols == {}
        m.connect()
        assert m.message(SENDER, [RECIPIENT])[1] == CONTINUE


def test_every_stage_is_answered_when_the_mta_waits(daemon):
    with Milter(daemon.socket) as m:
        m.negotiate(steps=ALL_STEPS & ~sum(v for k, v in STEPS.items() if k.startswith("NR_")))
        assert m.connect() == CONTINUE
        assert m.mail(SENDER) == CONTINUE
        assert m.rcpt(RECIPIENT) == CONTINUE
        assert m.header("X-Scenario", "x") == CONTINUE
        wanted, verdict = m.end()
        assert [p[0] for p in wanted] == ["h", "e", "-", "2"]
        assert verdict == CONTINUE


def test_no_protocol_flags_at_all(daemon):
    """0x40 is the least that says "no flags": 0 stands for version 1."""
    with Milter(daemon.socket) as m:
        m.negotiate(steps=0x40)
        m.steps = 0
        replies = [m.connect(), m.helo(), m.mail(SENDER), m.rcpt(RECIPIENT), m.data(),
                   m.header("X-Scenario", "x"), m.end_of_headers(), m.body()]
        assert replies == [CONTINUE] * len(replies)
        wanted, verdict = m.end()
        assert [p[0] for p in wanted] == ["h", "e", "-", "2"]
        assert verdict == CONTINUE


@pytest.mark.parametrize("missing", NEEDED)
def test_an_mta_that_cannot_change_enough_is_refused(daemon, missing):
    with Milter(daemon.socket) as m:
        with pytest.raises(Exception) as caught:
            m.negotiate(actions=ALL_ACTIONS & ~ACTIONS[missing])
        assert caught.type.__name__ == "Closed"
    assert "connection refused" in daemon.text()


def test_an_old_mta_is_refused(daemon):
    """Version 2 knows no change of the sender: the MTA tempfails then."""
    with Milter(daemon.socket) as m:
        with pytest.raises(Exception) as caught:
            m.negotiate(version=2, actions=0x1F, steps=0x7F)
        assert caught.type.__name__ == "Closed"


def test_recipients_are_answered_where_one_may_be_refused(make_daemon):
    daemon = make_daemon(INBOUND).start()
    with Milter(daemon.socket) as m:
        m.negotiate()
        assert m.has("NR_CONN", "NR_MAIL", "NR_HDR") and not m.has("NR_RCPT")
        m.connect()
        m.mail(SENDER)
        assert m.rcpt(RECIPIENT) == CONTINUE
        assert m.end()[1] == CONTINUE
