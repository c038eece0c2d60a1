"""What hostile mail may cost: each bound has an answer, and the next message is
served."""

import threading

import pytest

from milter import CONTINUE, Closed, Milter
from waybill_daemon import routed

SENDER, RECIPIENT = "<info@example.com>", "<a@example.org>"

HOSTILE = "a" * 5000 + "!"

RELAYS = """\
route docomo { host = "[127.0.0.1]" port = 2525 }
route bulk   { host = "[127.0.0.1]" port = 2526 }
rule other   { priority = 90 route = bulk }
"""


def header_rules(patterns, rest=""):
    return RELAYS + "".join(
        f"rule h{i} {{ priority = 10 header = {{ \"Subject\", '{pattern}' }} {rest} route = docomo }}\n"
        for i, pattern in enumerate(patterns))


@pytest.fixture
def ask(make_daemon):
    """A function: one message to a daemon with these rules; and another that
    must be routed after it."""
    def send(text, headers=(), recipients=(RECIPIENT,), sender=SENDER, **options):
        daemon = make_daemon(text, **options).start()
        with Milter(daemon.socket, timeout=60) as m:
            m.greet()
            wanted, verdict = m.message(sender, recipients, headers)
            assert m.message(SENDER, [RECIPIENT], [("Subject", "hello")])[1] == CONTINUE
        return wanted, verdict
    return send


def test_a_pattern_that_runs_wild_is_no_no(ask):
    wanted, verdict = ask(header_rules(["^(a+)+$"]), [("Subject", HOSTILE)])
    assert wanted == [] and verdict[1] == "451 4.3.0 a pattern hit its limit"


def test_a_wild_pattern_in_an_inbound_section(ask):
    text = RELAYS + """
webhook crm { url = "https://app.example.com/" }
inbound form { domains = { "form.example.com" } header = "Subject" match = '^(a+)+$' webhook = crm }
"""
    _, verdict = ask(text, [("Subject", HOSTILE)], ["<a@form.example.com>"])
    assert verdict[1] == "451 4.3.0 a pattern hit its limit"


def test_a_wild_pattern_in_a_return_path(ask):
    text = RELAYS + """
return_path main { senders = { '/^(a+)+[0-9]@/' } domain = "return.example.com" }
"""
    _, verdict = ask(text, sender=f"<{'a' * 60}@example.com>")
    assert verdict[1] == "451 4.3.0 a pattern hit its limit"


def test_a_pattern_whose_literals_are_missing_does_not_run(ask):
    wanted, verdict = ask(header_rules(["^(a+)+@example\\.com$"]), [("Subject", HOSTILE)])
    assert verdict == CONTINUE
    assert any(routed("a@example.org", "bulk", packet) for packet in wanted)


def test_patterns_that_take_long_together(ask):
    """None of them hits its own limit."""
    _, verdict = ask(header_rules([f"^(a+)+[{c}z]$" for c in "bcdefghijklmnopqrstuvwxy"]),
                     [("Subject", "a" * 16 + "!")], match_limit=10000000, match_budget_ms=1)
    assert verdict[1] == "451 4.3.0 patterns took too long"


def test_many_rules_that_a_header_leads_to_for_many_recipients(ask):
    """Every rule is found, and beaten by its other criterion alone."""
    names = [f"order-{i:05d}" for i in range(5000)]
    _, verdict = ask(
        header_rules(names, 'senders = { "example.com", "none@example.net" } logins = { "x" }'),
        [("Subject", " ".join(names))], [f"<a{i}@example.org>" for i in range(1000)],
        match_budget_ms=1)
    assert verdict[1] == "451 4.3.0 there are too many rules to try"


def test_a_header_that_is_too_long_to_be_judged(ask):
    text = header_rules(["^welcome"])
    _, verdict = ask(text, [("Subject", "welcome" + "x" * 102400)])
    assert verdict[1] == "451 4.3.0 a header is too long to be judged"


def test_a_long_header_that_nothing_reads(ask):
    _, verdict = ask(header_rules(["^welcome"]), [("X-Other", "x" * 1000000)])
    assert verdict == CONTINUE


def test_the_bound_of_headers_is_the_admins(ask):
    text = header_rules(["^welcome"])
    wanted, verdict = ask(text, [("Subject", "welcome" + "x" * 200000)], header_max_octets=300000)
    assert verdict == CONTINUE
    assert any(routed("a@example.org", "docomo", packet) for packet in wanted)


def test_a_packet_beyond_all_bounds_ends_the_connection(make_daemon):
    daemon = make_daemon(header_rules(["^welcome"])).start()
    with Milter(daemon.socket) as m:
        m.greet()
        m.mail(SENDER)
        m.rcpt(RECIPIENT)
        with pytest.raises((Closed, OSError)):
            m.header("Subject", "x" * 1048577)
            m.end()
    with Milter(daemon.socket) as m:
        m.greet()
        assert m.message(SENDER, [RECIPIENT])[1] == CONTINUE


def test_ten_thousand_recipients(ask):
    recipients = [f"<a{i}@example.org>" for i in range(10000)]
    wanted, verdict = ask(header_rules(["^welcome"]), [("Subject", "welcome")], recipients,
                          message_max_kb=16384)  # as the manual says
    assert verdict == CONTINUE
    assert sum(packet[0] == "2" for packet in wanted) == 10000


@pytest.mark.parametrize("count", [3, 4])
def test_the_bound_of_recipients_is_the_admins(ask, count):
    _, verdict = ask(RELAYS, recipients=[f"<a{i}@example.org>" for i in range(count)],
                     message_max_recipients=3)
    assert verdict == CONTINUE if count == 3 else verdict[1].startswith("452 4.5.3 ")


def test_only_the_recipients_beyond_the_bound_are_refused(make_daemon):
    """Where inbound sections are, replies are read at RCPT."""
    daemon = make_daemon(RELAYS + """
webhook crm { url = "https://app.example.com/" }
inbound form { domains = { "form.example.com" } match = "x" webhook = crm }
""", message_max_recipients=2).start()
    with Milter(daemon.socket) as m:
        m.greet()
        m.mail(SENDER)
        replies = [m.rcpt(f"<a{i}@example.org>") for i in range(4)]
        assert replies[:2] == [CONTINUE] * 2
        assert all(r[1].startswith("452 4.5.3 ") for r in replies[2:])
        wanted, verdict = m.end()
        assert verdict == CONTINUE and sum(packet[0] == "2" for packet in wanted) == 2


@pytest.mark.parametrize("count", [2, 3])
def test_the_bound_of_header_fields_is_the_admins(ask, count):
    _, verdict = ask(header_rules(["^welcome"]), [("Subject", "x")] * count,
                     message_max_headers=2)
    assert verdict == CONTINUE if count == 2 else verdict[1].startswith("552 5.3.4 ")


PATTERNS = 100


def worker(daemon, start, failures):
    """Every pattern is new to the daemon, and all threads ask for it at once."""
    try:
        with Milter(daemon.socket, timeout=60) as m:
            m.greet()
            start.wait(60)
            for i in range(PATTERNS):
                wanted, _ = m.message(SENDER, [RECIPIENT], [("Subject", f"my order-{i:05d} now")])
                assert any(routed("a@example.org", "docomo", packet) for packet in wanted), i
    except Exception as failure:
        failures.append(failure)


def test_patterns_are_compiled_by_many_threads_at_a_time(make_daemon):
    daemon = make_daemon(header_rules([f"order-{i:05d}\\b" for i in range(PATTERNS)])).start()
    for _ in range(2):
        start, failures = threading.Barrier(9), []
        threads = [threading.Thread(target=worker, args=(daemon, start, failures))
                   for _ in range(8)]
        for t in threads:
            t.start()
        start.wait(60)
        assert daemon.reload() == ["ok"]
        for t in threads:
            t.join()
        assert failures == []
