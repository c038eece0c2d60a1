"""Pace: messages a minute, connections at a time, recipients a message, and
how large a message may be."""

from itertools import pairwise

import pytest

from lab import Lab, letter, wait_for

ROUTES = {
    "slow": 'rate = "30/minute"',
    "slower": 'rate = "10/minute"',
    "other": 'rate = "10/minute"',
    "narrow": "concurrency = 2",
    "wide": "",
    "few": "max_recipients = 2",
    "one": 'max_recipients = 1  rate = "30/minute"',
    "small": "max_size_kb = 20",
    "large": "max_size_kb = 200",
}


@pytest.fixture(scope="module")
def site(programs):
    with Lab() as lab:
        lab.sinks = {name: lab.sink(name) for name in ROUTES}
        lab.default = lab.sink("default")
        lab.mx = lab.postfix("mx", main={"relayhost": lab.default.nexthop})
        lab.waybill = lab.waybill(lab.mx, "", relayhosts=[lab.default.nexthop])
        lab.waybill.configure("".join(
            f'route {name} {{ host = "127.0.0.1"  port = {lab.sinks[name].port}  {more} }}\n'
            f'rule {name} {{ recipients = {{ "{name}.test" }}  route = {name} }}\n'
            for name, more in ROUTES.items()))
        lab.waybill.start()
        lab.waybill.apply()
        yield lab
        assert lab.default.messages == []


def send(lab, *recipients):
    lab.mx.send("info@example.com", recipients,
                letter("info@example.com", ", ".join(recipients)))


def test_messages_leave_apart(site):
    """Postfix counts whole seconds, so that one gap may be a second short."""
    for i in range(3):
        send(site, f"u{i}@slow.test")
    times = [m.time_s for m in site.sinks["slow"].wait_for(3)]
    assert all(later - earlier > 1 for earlier, later in pairwise(times))
    assert times[-1] - times[0] > 3


def test_a_pace_is_the_accounts_own(site):
    """Two routes with one rate do not wait for each other's six seconds."""
    send(site, "u@slower.test", "u@other.test")
    first, = site.sinks["slower"].wait_for(1)
    second, = site.sinks["other"].wait_for(1)
    assert abs(first.time_s - second.time_s) < 4


def test_no_more_connections_than_allowed(site):
    narrow, wide = site.sinks["narrow"], site.sinks["wide"]
    narrow.held = wide.held = True
    for name in ("narrow", "wide"):
        for i in range(8):
            send(site, f"u{i}@{name}.test")
    try:
        wait_for("connections", lambda: wide.waiting >= 5 and narrow.waiting >= 2,
                 log=site.mx.log)
        assert narrow.waiting == 2
    finally:
        narrow.held = wide.held = False
    narrow.wait_for(8)
    wide.wait_for(8)
    assert narrow.most_waiting == 2


def test_recipients_are_split(site):
    to = [f"u{i}@few.test" for i in range(5)]
    send(site, *to)
    messages = site.sinks["few"].wait_for(3)
    assert sorted(len(m.recipients) for m in messages) == [1, 2, 2]
    assert sorted(a for m in messages for a in m.rcpt_to) == to


def test_one_recipient_a_message_is_paced_too(site):
    send(site, "a@one.test", "b@one.test")
    first, second = site.sinks["one"].wait_for(2)
    assert [len(first.recipients), len(second.recipients)] == [1, 1]
    assert second.time_s - first.time_s > 1


def sized(octets, *recipients):
    """A letter of so many octets."""
    text = letter("info@example.com", ", ".join(recipients), body="")
    lines, rest = divmod(octets - len(text), 72)
    return text + ("x" * 70 + "\r\n") * (lines - 1) + "y" * (70 + rest) + "\r\n"


@pytest.mark.parametrize("octets, code", [(20 * 1024, 250), (20 * 1024 + 1, 552)])
def test_a_message_may_be_that_large(site, octets, code):
    """To the octet, as the client sends it."""
    small = site.sinks["small"]
    small.clear()
    reply = site.mx.send("info@example.com", ["u@small.test"], sized(octets, "u@small.test"))
    assert (reply.code, "5.3.4" in reply.text) == (code, code == 552)
    site.mx.wait_until_empty()
    assert len(small.messages) == (code == 250)


def test_the_least_limit_of_all_recipients_holds(site):
    to = ["u@large.test", "u@small.test"]
    large = site.sinks["large"]
    reply = site.mx.send("info@example.com", to, sized(100 * 1024, *to))
    assert reply.code == 552 and "u@small.test" in reply.text
    assert site.mx.send("info@example.com", to[:1], sized(100 * 1024, *to)).code == 250
    message, = large.wait_for(1)
    assert message.rcpt_to == to[:1] and len(message.data) > 100 * 1024
