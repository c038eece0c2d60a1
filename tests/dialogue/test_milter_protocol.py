"""Sequences and violations: every one gets a clear answer, and the filter
serves the next connection as if nothing had been."""

import struct

import pytest

from milter import CONTINUE, Closed, Milter
from waybill_daemon import routed

SENDER, RECIPIENT = "<info@example.com>", "<a@docomo.ne.jp>"


def assert_serves(m):
    wanted, verdict = m.message(SENDER, [RECIPIENT])
    assert verdict == CONTINUE
    assert routed("a@docomo.ne.jp", "docomo", wanted[-1])


@pytest.fixture(autouse=True)
def serves_afterwards(request):
    """Whatever a test did: a new connection works."""
    daemon = request.getfixturevalue("daemon")
    yield
    with Milter(daemon.socket) as m:
        assert_serves(m.greet())


def test_many_messages_on_one_connection(mta):
    for _ in range(20):
        assert_serves(mta)


def test_a_quit_ends_it(mta):
    assert_serves(mta)
    mta.quit()
    assert mta.is_closed()


def test_a_new_connection_after_quit_nc(mta):
    assert_serves(mta)
    mta.packet("K")
    mta.connect(client="192.0.2.1")
    assert mta.message(SENDER, [RECIPIENT]) == ([], CONTINUE)
    mta.packet("K")
    mta.connect()
    assert_serves(mta)


@pytest.mark.parametrize("stage", range(5))
def test_an_abort_in_the_middle(mta, stage):
    steps = [lambda: None, lambda: mta.mail("<old@example.com>"), lambda: mta.rcpt("<x@y.test>"),
             lambda: mta.header("X-Waybill-Route", "forged"), mta.end_of_headers]
    for step in steps[:stage + 1]:
        step()
    mta.abort()
    wanted, _ = mta.message(SENDER, [RECIPIENT])
    assert [packet[0] for packet in wanted] == ["h", "e", "-", "2"]


def test_an_abort_after_the_end(mta):
    assert_serves(mta)
    mta.abort()
    assert_serves(mta)


def test_a_second_mail_begins_anew(mta):
    mta.mail("<old@example.net>")
    mta.rcpt("<old@docomo.ne.jp>")
    mta.header("X-Waybill-Route", "forged")
    wanted, _ = mta.message(SENDER, [RECIPIENT])
    assert [packet[0] for packet in wanted] == ["h", "e", "-", "2"]
    assert wanted[2] == ("-", RECIPIENT)


def test_steps_out_of_order_are_passed_over(mta):
    """libmilter drops them; nothing of them may reach the next message."""
    mta.packet("R", b"<lost@docomo.ne.jp>\0")
    mta.packet("L", b"X-Waybill-Route\0forged\0")
    mta.packet("E")
    wanted, _ = mta.message(SENDER, [RECIPIENT])
    assert [packet[0] for packet in wanted] == ["h", "e", "-", "2"]


def test_recipients_without_mail_after_an_unknown_command(mta):
    """The one way by which libmilter lets a message begin without MAIL."""
    mta.packet("U", b"XYZZY\0")
    assert mta.reply() == CONTINUE
    mta.packet("R", b"<a@docomo.ne.jp>\0")
    wanted, verdict = mta.end()
    assert wanted == []
    assert verdict[0] == "y" and verdict[1].startswith("451 4.3.0 ")
    assert_serves(mta)


def test_mail_without_connect(daemon):
    with Milter(daemon.socket) as m:
        m.negotiate()
        m.packet("U", b"XYZZY\0")
        assert m.reply() == CONTINUE
        _, verdict = m.message(SENDER, [RECIPIENT])
        assert verdict[1].startswith("451 4.3.0 ")


def test_too_long_an_address(mta):
    long = "a" * 10240
    _, verdict = mta.message(f"<{long}@example.com>", [RECIPIENT])
    assert verdict[1].startswith("553 5.1.7 ")
    _, verdict = mta.message(SENDER, [f"<a@{long}.example.com>"])
    assert verdict[1].startswith("553 5.1.3 ")
    assert_serves(mta)


@pytest.mark.parametrize("octets", [102400, 1000000])
def test_a_long_header(mta, octets):
    """Postfix sends headers of up to 102,400 octets whole."""
    wanted, verdict = mta.message(SENDER, [RECIPIENT],
                                  [("X-Scenario", "welcome " + "x" * octets), ("Subject", "s")])
    assert verdict == CONTINUE
    assert wanted[0] == ("h", "X-Waybill-Route", "docomo")


def test_more_header_octets_than_a_message_may_have(mta):
    _, verdict = mta.message(SENDER, [RECIPIENT], [("X-Scenario", "x" * 900000)] * 6)
    assert verdict[1].startswith("452 4.3.1 ")
    assert_serves(mta)


def test_too_many_headers(mta):
    wanted, verdict = mta.message(SENDER, [RECIPIENT], [("X-Waybill-Route", "x")] * 1000)
    assert verdict == CONTINUE
    assert [p[1] for p in wanted if p[0] == "m"] == list(range(1000, 0, -1))
    _, verdict = mta.message(SENDER, [RECIPIENT], [("X-Waybill-Route", "x")] * 1001)
    assert verdict[1].startswith("552 5.3.4 ")
    _, verdict = mta.message(SENDER, [RECIPIENT], [("Received", "x")] * 2000)
    assert verdict == CONTINUE


def test_too_many_recipients(mta):
    wanted, verdict = mta.message(SENDER, [f"<a{n}@docomo.ne.jp>" for n in range(1000)])
    assert verdict == CONTINUE
    assert len([p for p in wanted if p[0] == "2"]) == 1000
    _, verdict = mta.message(SENDER, [f"<a{n}@docomo.ne.jp>" for n in range(10001)])
    assert verdict[1].startswith(("452 4.5.3 ", "452 4.3.1 "))
    assert_serves(mta)


def test_nul_in_arguments(mta):
    """What follows a NUL is another argument, never a part of the address."""
    mta.mail(b"<info@example.com>\0SIZE=1\0\0NOTIFY=x")
    mta.packet("D", b"R" + b"{rcpt_mailer}\0smtp\0")
    mta.packet("R", b"<a@docomo.ne.jp>\0.test\0NOTIFY=NEVER\0")
    mta.packet("L", b"X-Scenario\0wel\0come\0")
    wanted, verdict = mta.end()
    assert verdict == CONTINUE
    assert ("-", RECIPIENT) in wanted
    assert wanted[-1][2].endswith(" NOTIFY=NEVER")


@pytest.mark.parametrize("why, sender", [("empty", b""), ("only a bracket", b"<"),
                                         ("control", b"<a\x01b@example.com>"),
                                         ("bad UTF-8", b"<\xff\xfe@example.com>")])
def test_odd_senders(mta, why, sender):
    mta.mail(sender)
    mta.rcpt(RECIPIENT)
    wanted, verdict = mta.end()
    assert wanted == [] and verdict[1].startswith("553 5.1.7 "), why


@pytest.mark.parametrize("why, octets", [
    ("a length of 0", b"\0\0\0\0"),
    ("2 GB announced", b"\x80\0\0\0M<a@b>\0"),
    ("4 GB announced", b"\xff\xff\xff\xffM<a@b>\0"),
    ("an unknown command", b"\0\0\0\x01!"),
    ("a command of NUL", b"\0\0\0\x01\0"),
    ("MAIL without data", b"\0\0\0\x01M"),
    ("MAIL without NUL", b"\0\0\0\x05M<a@>"),
    ("negotiation cut short", b"\0\0\0\x05O\0\0\0\x06"),
])
def test_broken_packets_end_the_connection(mta, why, octets):
    mta.raw(octets)
    mta.socket.shutdown(1)
    assert mta.is_closed(), why


@pytest.mark.parametrize("octets", [b"\0\0\0\x06L\0", b"\0\0\0\x05LX:\0\0", b"\0\0\0\x03LXY"])
def test_broken_headers_end_the_connection(mta, octets):
    mta.mail(SENDER)
    mta.rcpt(RECIPIENT)
    mta.raw(octets)
    mta.socket.shutdown(1)
    assert mta.is_closed()


@pytest.mark.parametrize("cut", range(1, 5 + len(b"<info@example.com>\0")))
def test_a_truncated_packet(daemon, cut):
    with Milter(daemon.socket) as m:
        m.greet()
        packet = struct.pack("!I", 1 + len(SENDER) + 1) + b"M" + SENDER.encode() + b"\0"
        m.raw(packet[:cut])
        m.socket.shutdown(1)
        assert m.is_closed()


@pytest.mark.parametrize("stage", range(9))
def test_the_connection_ends_at_every_stage(daemon, stage):
    m = Milter(daemon.socket)
    steps = [lambda: None, m.negotiate, m.connect, lambda: m.mail(SENDER),
             lambda: m.rcpt(RECIPIENT), lambda: m.header("X-Scenario", "welcome"),
             m.end_of_headers, lambda: m.packet("E"), m.end]
    for step in steps[:stage + 1]:
        step()
    m.close()


def test_random_octets(daemon):
    """Not a fuzzer: a few thousand packets that are nearly right."""
    import random
    dice = random.Random(4)
    for _ in range(200):
        with Milter(daemon.socket) as m:
            m.greet()
            try:
                for _ in range(20):
                    data = bytes(dice.choice(b"<a@b.test>\0\0 =NX-Waybill:\xff")
                                 for _ in range(dice.randrange(40)))
                    m.packet(dice.choice("DMRLNEABTUHC"), data)
            except (Closed, OSError):
                pass
