"""LMTP as waybill-lmtp speaks it: sequences and violations. Whatever a client
does, it gets a clear answer, and the next one is served."""

import re

import pytest

from lmtp import LETTER, SECRET, Lmtp, hmac_base32, mark, webhook

TO = mark("info@form.test")


@pytest.fixture(autouse=True)
def serves_afterwards(request):
    """Whatever a test did: a new connection works."""
    daemon, receiver = (request.getfixturevalue(name) for name in ("lmtpd", "receiver"))
    yield
    receiver.clear()
    with daemon.connect() as client:
        assert client.send([TO])[0].startswith("250 2.0.0 ")


@pytest.fixture
def client(lmtpd):
    with lmtpd.connect() as c:
        yield c


def posted(receiver):
    """The bodies that arrived."""
    return [request.body for request in receiver.requests]


# a message

def test_greeting_and_keywords(lmtpd):
    with Lmtp(lmtpd.socket) as c:
        assert re.fullmatch(r"220 \S+ LMTP waybill-lmtp", c.greeting)
        assert c.lhlo() == ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES",
                            "XFORWARD IDENT", "SIZE 52428800"]
        assert c.say("QUIT").startswith("221 2.0.0 ")
        assert c.line() is None


def test_many_messages_on_one_connection(client, receiver):
    for i in range(20):
        assert client.send([mark(f"u{i}@form.test")])[0].startswith("250 2.0.0 ")
    assert [r.header("X-Waybill-To") for r in receiver.requests] == \
        [f"u{i}@form.test" for i in range(20)]


def test_all_at_once(client, receiver):
    """PIPELINING, further than RFC 2920 goes."""
    one = f"MAIL FROM:<a@b.test>\r\nRCPT TO:<{TO}>\r\nRCPT TO:<x@y.test>\r\n" \
          f"RCPT TO:<{mark('two@form.test')}>\r\nDATA\r\n".encode() + LETTER + b".\r\n"
    client.raw(one * 2 + b"QUIT\r\n")
    codes = [reply[:3] for reply in client.replies(15)]
    assert codes == ["250", "250", "550", "250", "354", "250", "250"] * 2 + ["221"]
    assert len(posted(receiver)) == 4


CONTENTS = {
    "dots": b".\r\n..\r\n...\r\n.x\r\n",
    "lone-lf": b"a\nb\n.\nc\r\n",
    "lone-cr": b"a\rb\r\r\n.\r\r\n",
    "eight-bit": bytes(range(256)) + b"\r\n",
    "nothing": b"",
    "one-long-line": b"x" * 200000 + b"\r\n",
    "many-lines": b".\r\n" * 20000,
}


@pytest.mark.parametrize("name", CONTENTS)
def test_the_content_arrives_octet_for_octet(client, receiver, name):
    body = b"Subject: x\r\n\r\n" + CONTENTS[name]
    assert client.envelope("a@b.test", [TO])[0].startswith("250")
    assert client.say("DATA").startswith("354")
    stuffed = b"".join(b"." + line if line.startswith(b".") else line
                       for line in re.split(rb"(?<=\r\n)", body))
    client.raw(stuffed + b".\r\n")
    assert client.reply().startswith("250 2.0.0 ")
    assert posted(receiver) == [body]


# commands that are not right, each with what it gets

GREETED = "LHLO mx.test"
SENDER = "MAIL FROM:<a@b.test>"


@pytest.mark.parametrize("commands, replies", [
    (["EHLO mx.test"], ["500 5.5.1"]),
    (["HELO mx.test"], ["500 5.5.1"]),
    (["LHLO"], ["501 5.5.4"]),
    ([SENDER], ["503 5.5.1"]),
    ([f"RCPT TO:<{TO}>"], ["503 5.5.1"]),
    (["DATA"], ["503 5.5.1"]),
    ([GREETED, f"RCPT TO:<{TO}>"], ["250", "503 5.5.1"]),
    ([GREETED, "DATA"], ["250", "503 5.5.1"]),
    ([GREETED, SENDER, SENDER], ["250", "250 2.1.0", "503 5.5.1"]),
    ([GREETED, SENDER, "DATA"], ["250", "250", "503 5.5.1"]),
    ([GREETED, SENDER, "RCPT TO:<x@y.test>", "DATA"], ["250", "250", "550 5.7.1", "503 5.5.1"]),
    ([GREETED, SENDER, f"RCPT TO:<{TO}>", "RSET", "DATA"],
     ["250", "250", "250 2.1.5", "250 2.0.0", "503 5.5.1"]),
    ([GREETED, SENDER, f"RCPT TO:<{TO}>", GREETED, "DATA"],
     ["250", "250", "250", "250", "503 5.5.1"]),
    ([GREETED, SENDER, f"RCPT TO:<{TO}>", "DATA now"], ["250", "250", "250", "501 5.5.4"]),
    ([GREETED, "MAIL FROM:a@b.test"], ["250", "501 5.5.4"]),
    ([GREETED, "MAIL FROM:<a@b.test"], ["250", "501 5.5.4"]),
    ([GREETED, "MAIL FROM:<a@b.test>x"], ["250", "501 5.5.4"]),
    ([GREETED, "MAIL <a@b.test>"], ["250", "501 5.5.4"]),
    ([GREETED, "MAIL FROM:<a b@c.test>"], ["250", "501 5.1.7"]),
    ([GREETED, "MAIL FROM:<@x.test:a@b.test>"], ["250", "501 5.1.7"]),
    ([GREETED, "MAIL FROM:<>", "RSET"], ["250", "250 2.1.0", "250"]),
    ([GREETED, SENDER + " SIZE=100 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x+2By AUTH=<>"],
     ["250", "250"]),
    ([GREETED, SENDER + " BODY=BINARYMIME"], ["250", "555 5.5.4"]),
    ([GREETED, SENDER + " SIZE=many"], ["250", "555 5.5.4"]),
    ([GREETED, SENDER + " MT-PRIORITY=3"], ["250", "555 5.5.4"]),
    ([GREETED, SENDER, f"RCPT TO:<{TO}> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;info@form.test"],
     ["250", "250", "250"]),
    ([GREETED, SENDER, f"RCPT TO:<{TO}> RRVS=x"], ["250", "250", "555 5.5.4"]),
    ([GREETED, SENDER, "RCPT TO:<>"], ["250", "250", "550 5.7.1"]),
    ([GREETED, SENDER, "RCPT TO:<postmaster>"], ["250", "250", "550 5.7.1"]),
    (["NOOP", "noop anything", "VRFY x", GREETED, "VRFY x"],
     ["250 2.0.0", "250", "503", "250", "252 2.1.5"]),
    (["STARTTLS", "BDAT 3 LAST", "HELP", ""], ["500 5.5.2"] * 4),
    (["NOOP\x01"], ["500 5.5.2"]),
    (["NOOP " + "x" * 2100, "NOOP"], ["500 5.5.2", "250"]),
    (["lhlo mx", "mail from:<a@b.test>", "RcPt To:<" + TO + ">", "QuIt"],
     ["250", "250", "250", "221"]),
])
def test_commands(lmtpd, receiver, commands, replies):
    with Lmtp(lmtpd.socket) as c:
        found = [c.say(command) for command in commands]
    assert [reply[:len(wanted)] for reply, wanted in zip(found, replies)] == replies
    assert posted(receiver) == []


@pytest.mark.parametrize("octets", [b"NOOP\n", b"NOOP\r\r\n", b"\n", b"NO\0OP\r\n"])
def test_lines_that_are_none(client, octets):
    client.raw(octets)
    assert client.reply().startswith("500 5.5.2 ")
    assert client.say("NOOP").startswith("250")


def test_only_mistakes(client):
    for _ in range(19):
        assert client.say("FOO").startswith("500 5.5.2 ")
    assert client.say("FOO").startswith("421 4.7.0 ")
    assert client.line() is None


STAGES = [b"", b"LHLO", b"LHLO mx\r\n", b"LHLO mx\r\nMAIL FROM:<a@b.test>\r\n",
          b"LHLO mx\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<" + TO.encode() + b">\r\n",
          b"LHLO mx\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<" + TO.encode() + b">\r\nDATA\r\n",
          b"LHLO mx\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<" + TO.encode() + b">\r\nDATA\r\n"
          + LETTER,
          b"LHLO mx\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<" + TO.encode() + b">\r\nDATA\r\n"
          + LETTER + b".\r"]


@pytest.mark.parametrize("stage", range(len(STAGES)))
def test_a_client_that_goes_posts_nothing(lmtpd, receiver, stage):
    with Lmtp(lmtpd.socket) as c:
        c.raw(STAGES[stage])
    with lmtpd.connect() as c:
        assert c.send([mark("after@form.test")])[0].startswith("250")
    assert [r.header("X-Waybill-To") for r in receiver.requests] == ["after@form.test"]


# recipients

def altered(text, at):
    return text[:at] + ("a" if text[at] != "a" else "b") + text[at + 1:]


FORGED = {
    "plain": "info@form.test",
    "other-recipient": "x" + TO,
    "other-webhook": TO.replace(".crm.", ".desk."),
    "other-filter": TO.replace(".mailform.", ".bounces."),
    "other-mac": altered(TO, TO.index(".hook.") - 1),
    "short-mac": TO.replace(".hook.", "x.hook."),
    "no-mac": f"info@form.test.crm.mailform.hook.{hmac_base32(SECRET, 5, 'label')}.waybill.invalid",
    "other-label": altered(TO, TO.index(".waybill.") - 1),
    "other-key": mark("info@form.test", key="fedcba9876543210fedcba9876543210"),
    "route": f"info@form.test.docomo.{hmac_base32(SECRET, 5, 'label')}.waybill.invalid",
    "other-end": TO.replace(".waybill.invalid", ".waybill.test"),
    "more-behind": TO + ".test",
    "in-a-local-part": f'"{TO}"@form.test',
    "in-front": "@".join(reversed(TO.split("@"))),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_and_unmarked_recipients_are_refused(client, lmtpd, receiver, name):
    reply = client.send([FORGED[name]])[0]
    assert reply == "550 5.7.1 only recipients that waybill has marked"
    assert posted(receiver) == []
    assert "reply=\"550 5.7.1" in lmtpd.text()


def literal(address):
    """How an address goes that its mark would make too long, or a literal."""
    return re.sub(r"^(.*?)(\.crm\..*)$", r'"\1"@x\2', mark(address))


@pytest.mark.parametrize("recipient, as_it_was", [
    (mark("Info@Form.TEST"), "Info@Form.TEST"),
    (mark("info@form.test").upper(), "INFO@FORM.TEST"),
    (mark('"a b"@form.test'), '"a%20b"@form.test'),
    (mark("a+b%c@form.test"), "a+b%25c@form.test"),
    (mark("\u3042@form.test"), "%E3%81%82@form.test"),
    (literal("u@[192.0.2.1]"), "u@[192.0.2.1]"),
    (mark("u" * 64 + "@" + "d" * 60 + "." + "e" * 60 + ".test"),
     "u" * 64 + "@" + "d" * 60 + "." + "e" * 60 + ".test"),
    (mark("u@" + ".".join(["d" * 60] * 3) + ".test"), "u@" + ".".join(["d" * 60] * 3) + ".test"),
], ids=["case", "folded", "quoted", "percent", "utf8", "literal", "long", "longer-than-256"])
def test_marks_of_all_kinds(client, receiver, recipient, as_it_was):
    assert client.send([recipient])[0].startswith("250 2.0.0 ")
    assert [r.header("X-Waybill-To") for r in receiver.requests] == [as_it_was]


@pytest.mark.parametrize("sender, as_it_is", [
    ("", "<>"), ("a@b.test", "a@b.test"), ("\u3042@b.test", "%E3%81%82@b.test")])
def test_senders(client, receiver, sender, as_it_is):
    assert client.send([TO], sender=sender)[0].startswith("250 2.0.0 ")
    assert receiver.requests[0].header("X-Waybill-From") == as_it_is


def test_recipients_are_bounded(client, receiver):
    replies = client.envelope("a@b.test", [mark(f"u{i}@form.test") for i in range(102)])
    assert [reply[:9] for reply in replies] == ["250 2.1.5"] * 100 + ["452 4.5.3"] * 2
    client.content(LETTER)
    assert [reply[:3] for reply in client.replies(100)] == ["250"] * 100
    assert len({r.id for r in receiver.requests}) == 100


def test_a_webhook_that_is_gone(lmtpd, receiver):
    lmtpd.configure(webhook("crm", receiver.url()) + webhook("desk", receiver.url()))
    lmtpd.reload()
    with lmtpd.connect() as c:
        assert c.send([mark("a@form.test", "desk")])[0].startswith("250 2.0.0 ")
        lmtpd.configure(webhook("crm", receiver.url()))
        lmtpd.reload()
        assert c.send([mark("a@form.test", "desk")])[0].startswith("451 4.3.5 ")


def test_keys_rotate(lmtpd, receiver):
    new = "a new key, which signs from now on"
    lmtpd.write("secret", f"{new}\n{SECRET}\n")
    lmtpd.reload()
    with lmtpd.connect() as c:
        assert [r[:3] for r in c.send([TO, mark("b@form.test", key=new)])] == ["250", "250"]
    lmtpd.write("secret", new + "\n")
    lmtpd.reload()
    with lmtpd.connect() as c:
        assert [r[:3] for r in c.send([TO, mark("b@form.test", key=new)])] == ["550", "250"]
    lmtpd.write("secret", SECRET + "\n")
    lmtpd.reload()


# bounds

def test_sizes(lmtpd, receiver):
    lmtpd.configure(webhook("crm", receiver.url(), "max_size_kb = 1")
                    + webhook("desk", receiver.url(), "max_size_kb = 2"))
    lmtpd.reload()
    desk = mark("a@form.test", "desk")
    with Lmtp(lmtpd.socket) as c:
        assert c.lhlo()[-1] == "SIZE 2048"
        assert c.say("MAIL FROM:<a@b.test> SIZE=2049").startswith("552 5.3.4 ")
        assert c.say("MAIL FROM:<a@b.test> SIZE=2048").startswith("250")
        assert c.say(f"RCPT TO:<{TO}>").startswith("552 5.3.4 webhook crm")
        assert c.say(f"RCPT TO:<{desk}>").startswith("250")
        assert c.say("RSET").startswith("250")
        # what the client does not say beforehand
        for octets, replies in ((1024, ["250", "250"]), (1025, ["552", "250"]),
                                (2048, ["552", "250"]), (2049, ["552", "552"]),
                                (100000, ["552", "552"])):
            found = c.send([TO, desk], b"x" * (octets - 2) + b"\r\n")
            assert [reply[:3] for reply in found] == replies, octets
        assert c.say("NOOP").startswith("250")


def test_the_queue_id_stands_in_the_log(client, lmtpd):
    assert client.say("XFORWARD IDENT=4F2A7").startswith("250")
    assert client.send([TO])[0].startswith("250")
    lmtpd.wait_for_log("4F2A7: from=<a@remote.test> to=<info@form.test>", "webhook=crm",
                       "filter=mailform", "status=200", "reply=\"250 2.0.0")
    assert client.say("XFORWARD NAME=x").startswith("501")
    assert client.say('XFORWARD IDENT=a"b').startswith("250")
    assert client.send([TO])[0].startswith("250")
    lmtpd.wait_for_log("NOQUEUE: from=<a@remote.test>", "status=200")
