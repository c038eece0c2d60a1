"""The size of a message, where a route has a limit."""

import pytest

from milter import ALL_STEPS, CONTINUE, STEPS, Milter
from waybill_daemon import ROUTES

SENDER, RECIPIENT = "<info@example.com>", "<a@docomo.ne.jp>"
LIMITED = ROUTES.replace("port = 2525", "port = 2525 max_size_kb = 2")
TOO_LARGE = ("y", "552 5.3.4 <a@docomo.ne.jp>: larger than the 2 KB that route docomo takes")


def send(m, *chunks, headers=(), mail=()):
    m.mail(SENDER, *mail)
    m.rcpt(RECIPIENT)
    m.data()
    for header in headers:
        m.header(*header)
    m.end_of_headers()
    for chunk in chunks:
        m.body(chunk)
    return m.end()[1]


def test_the_body_is_asked_for(make_daemon):
    with Milter(make_daemon(LIMITED).start().socket) as m:
        m.negotiate()
        assert m.has("NR_BODY") and not m.has("NOBODY")


@pytest.mark.parametrize("steps", [ALL_STEPS, ALL_STEPS & ~STEPS["NR_BODY"],
                                   ALL_STEPS & ~STEPS["NOBODY"]])
@pytest.mark.parametrize("octets, verdict", [(0, CONTINUE), (1, TOO_LARGE)])
def test_header_and_body_are_counted(make_daemon, steps, octets, verdict):
    """A header's line ends in CR and LF, folded ones inside too, and so does
    the line before the body."""
    headers = [("Subject", "a"), ("X-Folded", "a\n b")]
    used = len(b"Subject: a\r\nX-Folded: a\r\n b\r\n\r\n")
    body = b"x" * (2048 - used - 500)
    with Milter(make_daemon(LIMITED).start().socket) as m:
        m.negotiate(steps=steps)
        m.connect()
        assert send(m, body, b"y" * (500 + octets), headers=headers) == verdict
        assert send(m, b"small\r\n") == CONTINUE


def test_what_the_client_says_does_not_count(make_daemon):
    with Milter(make_daemon(LIMITED).start().socket) as m:
        m.greet()
        assert send(m, b"x" * 3000, mail=["SIZE=10"]) == TOO_LARGE
        assert send(m, b"x" * 10, mail=["SIZE=3000"]) == CONTINUE


@pytest.mark.parametrize("mail, verdict", [
    (["SIZE=2048"], CONTINUE), (["BODY=8BITMIME", "size=2049"], TOO_LARGE),
    ([], "451 4.3.0"), (["SIZE="], "451 4.3.0"), (["SIZE=12x"], "451 4.3.0"),
    (["SIZE=-1"], "451 4.3.0"), (["SIZE=99999999999999999999999"], TOO_LARGE)])
def test_a_limit_that_came_with_a_reload(make_daemon, mail, verdict):
    """The MTA does not show the body in this connection: the client's word
    must do, and without it the message comes again in another one."""
    daemon = make_daemon(ROUTES).start()
    with Milter(daemon.socket) as m:
        m.greet()
        assert m.has("NOBODY")
        daemon.configure(LIMITED)
        daemon.reload()
        got = send(m, mail=mail)
        assert got == verdict or got[1].startswith(verdict)
