"""The fields of the log are those that waybill-milter(8) has."""

import pathlib
import re

from milter import ALL_STEPS, CONTINUE, STEPS, Milter

MANUAL = pathlib.Path(__file__).resolve().parents[2] / "contrib/man/waybill-milter.8"
CONFIG = """\
route shop  { host = "[127.0.0.1]" from = "shop@au.example" }
route plain { host = "[127.0.0.1]" return_path = keep }
rule shop   { recipients = { "ezweb.ne.jp" } route = shop }
rule rest   { priority = 500 route = plain }
return_path main { senders = { "example.com" } domain = "return.example.com" }
inbound form { domains = { "form.example.com" } match = 'info@' match_on = envelope webhook = crm }
webhook crm { url = "https://app.example.com/hook" }
bounces { domains = { "return.example.com" } deliver = sender replies = sender }
"""
FIELD = re.compile(r' ([a-z_]+)=("[^"]*"|<[^>]*>|[^ ]*)')


def documented():
    """{field: its place} of the list in "The log"."""
    text = MANUAL.read_text().partition(".Ss The log\n")[2].partition("\n.Ss ")[0]
    words = [w for line in re.findall(r"^\.It Li (.+)$", text, re.M) for w in line.split(" , ")]
    assert len(set(words)) == len(words)
    return {word: place for place, word in enumerate(words)}


def lines_of(daemon):
    return [line for line in daemon.text().splitlines() if re.match(r"(4F2A|NOQUEUE): ", line)]


def fields(line):
    """Its fields as pairs; nothing else may stand on the line."""
    rest = line.partition(":")[2]
    found = FIELD.findall(rest)
    assert "".join(f" {key}={value}" for key, value in found) == rest, line
    return found


def test_every_field_is_in_the_manual_and_every_one_there_is_logged(make_daemon):
    daemon = make_daemon(CONFIG, attach="before_queue").start()
    signed = [("DKIM-Signature", "v=1"), ("From", "Info <info@example.com>")]
    with Milter(daemon.socket) as m:
        m.negotiate(steps=ALL_STEPS & ~STEPS["NR_RCPT"])
        m.connect()
        assert m.message("<info@example.com>", ["<a@ezweb.ne.jp>"], signed,
                         login="shop")[1] == CONTINUE
        assert m.message("<info@example.com>", ["<a@ezweb.ne.jp>", "<b@docomo.ne.jp>"])[1] \
            == CONTINUE
        m.message("<a@b.test>", ["<info@form.example.com>"])
        assert m.message("<>", ["<info@return.example.com>"])[1] == CONTINUE
        m.message("<x@y.waybill.invalid>", ["<c@example.net>"])
        m.mail("<info@example.com>")
        assert m.rcpt("<a@x.waybill.invalid>")[1].startswith("550 ")
        m.abort()
    met = set()
    manual = documented()
    for line in lines_of(daemon):
        keys = [key for key, _ in fields(line)]
        met.update(keys)
        assert len(set(keys)) == len(keys), line
        if "reply" not in keys:
            places = [manual[key] for key in keys]
            assert places == sorted(places), f"not in the manual's order: {line}"
    assert met == set(manual)


def test_a_line_tells_what_it_was_decided_from(make_daemon):
    daemon = make_daemon(CONFIG).start()
    digest = re.search('"digest":"([0-9a-f]+)"', daemon.ask("status\n")[0])[1]
    with Milter(daemon.socket) as m:
        m.greet(client="192.0.2.7", daemon="submission")
        m.message("<info@example.com>", ["<a@ezweb.ne.jp>"], login="a b=\"c\"")
    got = dict(fields(lines_of(daemon)[0]))
    assert got["client"] == "192.0.2.7" and got["listener"] == "submission"
    assert got["login"] == r"a\x20b=\x22c\x22" and got["mailer"] == "smtp"
    assert got["conf"] == digest[:8] and got["return_path"] == "from"
