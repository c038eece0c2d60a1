"""Accounts at providers that want From to be theirs: what their relays see,
who is answered, and what becomes of signatures."""

import email.header

import pytest

from lab import AuthRelay, Lab, OpenDKIM, letter, wait_for
from mailsite import route, rule
from prerequisites import need

NAME, ACCOUNT = "株式会社ショップ, 東京オンライン店", "shop@docomo.ne.jp"
AUTHOR = "Info <info@example.com>"
SENDER = "info@example.com"
HERE = "news@mx.test"


class House:
    """One MTA with waybill and a signer, and a relay for each route."""

    def __init__(self, way, lab):
        self.way, self.lab = way, lab
        self.sinks = {name: lab.sink(name) for name in
                      ("docomo", "au", "softbank", "gmail", "bulk", "default")}
        self.dkim = lab.dkim("dkim", "docomo.ne.jp")
        self.gmail_relay = lab.authrelay("gmail-relay", {"me@gmail.example": "app password"},
                                         self.sinks["gmail"])
        default = self.sinks["default"].nexthop
        self.mx = lab.mta(way, "mx", relay=default, start=False,
                          ca_file=self.gmail_relay.ca_file)
        if way == "before_queue":    # behind waybill, as INSTALL says
            self.mx._main["smtpd_milters"] = self.dkim.milter
        self.mx.start()
        self.waybill = lab.waybill(self.mx, "", attach=self.mx.attach(way), relayhosts=[default])
        self.waybill.configure(self.configuration())
        self.waybill.start()
        self.waybill.apply()

    def configuration(self):
        sinks = self.sinks
        text = "" if self.way == "sendmail" else \
            f'loopback_milters = {{ "inet:{self.dkim.port}@127.0.0.1" }}\n'
        text += route("docomo", sinks["docomo"], f'from = "{NAME} <{ACCOUNT}>"')
        text += route("au", sinks["au"], 'from = "My Shop <shop@ezweb.ne.jp>"',
                      "reply_to = keep")
        text += route("softbank", sinks["softbank"], 'return_path = "shop@softbank.jp"')
        text += route("bulk", sinks["bulk"])
        text += f"""
route gmail {{
    host = "localhost"  port = {self.gmail_relay.starttls_port}
    ca_file = "{self.gmail_relay.ca_file}"
    username = "me@gmail.example"
    password_file = "{self.waybill.password("gmail", "app password")}"
    return_path = account
    from = "Me <me@gmail.example>"
}}
return_path main {{ senders = {{ "example.com" }}  domain = "return.example.com" }}
"""
        for name, domain in (("docomo", "docomo.ne.jp"), ("au", "ezweb.ne.jp"),
                             ("softbank", "softbank.jp"), ("gmail", "gmail.test")):
            text += rule(name, domain, name)
        return text + "rule everything { priority = 100  route = bulk }\n"

    def clear(self):
        self.mx.empty_queue()
        self.mx.empty_mailboxes()
        for sink in self.sinks.values():
            sink.clear()

    def send(self, recipients, headers, sender=SENDER, by="smtp", body="Text.\r\n"):
        """Send a message of just these headers, and see it through."""
        headers = [*headers, ("Subject", "hello"), ("To", recipients[0])]
        text = "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n" + body
        if by == "sendmail":
            self.mx.sendmail(text, sender=sender, recipients=recipients)
        else:
            reply = self.mx.send(sender, recipients, text)
            assert set(reply.all_codes()) == {250}, reply
        self.mx.wait_until_empty()

    def come_to_rest(self):
        """Wait until whatever is queued waits, too."""
        wait_for("a queue at rest",
                 lambda: all(m["queue_name"] == "deferred" for m in self.mx.queued()),
                 log=self.mx.log)

    def only(self, name):
        messages = self.sinks[name].wait_for(1, log=self.mx.log)
        assert len(messages) == 1
        assert [n for n, s in self.sinks.items() if s.messages] == [name]
        return messages[0]


@pytest.fixture(scope="module")
def running_house(way, programs, sendmail_here):
    need(OpenDKIM.missing())
    need(AuthRelay.missing())
    with Lab() as lab:
        yield House(way, lab)


@pytest.fixture
def house(running_house):
    running_house.clear()
    return running_house


def author(message):
    """The one From as a person reads it: (name, address)."""
    values = message.headers("From")
    assert len(values) == 1, values
    name, _, address = values[0].rpartition(" ")
    name = "".join(part.decode(charset or "ascii") if isinstance(part, bytes) else part
                   for part, charset in email.header.decode_header(name))
    return name, address.strip("<>")


@pytest.mark.parametrize("by", ["smtp", "sendmail"])
def test_the_relay_sees_the_account_and_answers_find_the_author(house, by):
    house.send(["a@docomo.ne.jp"], [("From", AUTHOR)], by=by)
    message = house.only("docomo")
    assert message.mail_from == ACCOUNT
    assert author(message) == (NAME, ACCOUNT)
    assert message.headers("Reply-To") == [AUTHOR]
    assert message.rcpt_to == ["a@docomo.ne.jp"]
    encoded = [line for line in message.text.splitlines() if "UTF-8" in line]
    assert len(encoded) == 2 and all(len(line) <= 76 for line in encoded)


def test_an_account_with_a_login_is_its_own_sender(house):
    house.send(["a@gmail.test"], [("From", AUTHOR)])
    message = house.only("gmail")
    assert message.mail_from == "me@gmail.example"
    assert author(message) == ("Me", "me@gmail.example")
    assert house.gmail_relay.login_of(message) == "me@gmail.example"


def test_a_route_with_a_return_path_only(house):
    house.send(["a@softbank.jp"], [("From", AUTHOR), ("Sender", "x@example.com")])
    message = house.only("softbank")
    assert message.mail_from == "shop@softbank.jp"
    assert message.headers("From") == [AUTHOR]
    assert message.headers("Sender") == ["x@example.com"]
    assert message.headers("Reply-To") == []


def test_a_route_without_either(house):
    house.send(["a@remote.test"], [("From", AUTHOR)])
    message = house.only("bulk")
    assert message.mail_from == "info@return.example.com"
    assert message.headers("From") == [AUTHOR]


def test_the_null_sender_stays_null(house):
    house.send(["a@docomo.ne.jp"], [("From", AUTHOR)], sender="")
    message = house.only("docomo")
    assert message.mail_from == ""
    assert author(message) == (NAME, ACCOUNT)


def test_duplicates_and_sender_go_and_the_rest_stays_in_its_place(house):
    house.send(["a@docomo.ne.jp"], [
        ("X-First", "1"), ("Sender", "s@example.com"), ("From", AUTHOR),
        ("X-Second", "2"), ("FROM", "b@example.com"), ("Resent-From", "r@example.com"),
        ("sender", "t@example.com"), ("from", "c@example.com"), ("X-Third", "3")])
    message = house.only("docomo")
    assert author(message) == (NAME, ACCOUNT)
    assert message.headers("Sender") == []
    assert message.headers("Resent-From") == ["r@example.com"]
    assert message.headers("Reply-To") == [AUTHOR]
    for other in ("b@example.com", "c@example.com", "s@example.com", "t@example.com"):
        assert other not in message.text
    assert [message.header(f"X-{n}") for n in ("First", "Second", "Third")] == ["1", "2", "3"]


@pytest.mark.parametrize("headers, recipient, reply_to", [
    ([("From", AUTHOR), ("Reply-To", "desk@example.com")], "a@docomo.ne.jp",
     ["desk@example.com"]),
    ([("From", AUTHOR)], "a@ezweb.ne.jp", []),
    ([("From", f"Old name <{ACCOUNT}>")], "a@docomo.ne.jp", []),
    ([("From", "=?utf-8?B?5bqX?=\r\n <info@example.com>")], "a@docomo.ne.jp",
     ["=?utf-8?B?5bqX?= <info@example.com>"]),
], ids=["has one", "keep", "already so", "encoded and folded"])
def test_reply_to(house, headers, recipient, reply_to):
    house.send([recipient], headers)
    message = house.only("docomo" if "docomo" in recipient else "au")
    assert message.headers("Reply-To") == reply_to
    assert author(message)[1] in (ACCOUNT, "shop@ezweb.ne.jp")


def test_a_message_without_from(house):
    house.send(["a@docomo.ne.jp"], [("X-Other", "1")])
    assert author(house.only("docomo")) == (NAME, ACCOUNT)


def test_requeued_mail_is_not_changed_again(house):
    house.sinks["docomo"].refuse("450 4.2.0 later")
    house.mx.send(SENDER, ["a@docomo.ne.jp"], letter(AUTHOR, "a@docomo.ne.jp"))
    house.mx.wait_for_deferred()
    house.sinks["docomo"].accept()
    house.mx.requeue()
    house.mx.wait_until_empty()
    message = house.only("docomo")
    assert (message.mail_from, author(message)) == (ACCOUNT, (NAME, ACCOUNT))
    assert message.headers("Reply-To") == [AUTHOR]


@pytest.mark.parametrize("other, place", [
    (HERE, None), ("b@ezweb.ne.jp", "au"), ("c@remote.test", "bulk")],
    ids=["on this host", "another from", "without from"])
@pytest.mark.parametrize("by", ["smtp", "sendmail"])
def test_nobody_sees_the_from_of_another_route(house, other, place, by):
    """Each gets what is its own, in two passes; never a mixture."""
    house.send(["a@docomo.ne.jp", other], [("From", AUTHOR)], by=by)
    message = house.sinks["docomo"].wait_for(1)[0]
    assert (message.mail_from, author(message)) == (ACCOUNT, (NAME, ACCOUNT))
    assert message.headers("Reply-To") == [AUTHOR]
    assert house.way == "sendmail" or house.dkim.judge(message.data)
    if place:
        message, = house.sinks[place].messages
        assert message.mail_from == {"au": "shop@ezweb.ne.jp", "bulk": "info@return.example.com"}[place]
        assert author(message)[1] == {"au": "shop@ezweb.ne.jp", "bulk": SENDER}[place]
        assert ACCOUNT not in message.text
    else:
        text, = house.mx.mailbox("news")
        assert ACCOUNT not in text and f"From: {AUTHOR}" in text
    assert house.sinks["default"].messages == []


# signatures

SIGNER = pytest.mark.only_postfix("in Sendmail a signer is no matter of waybill's")


@SIGNER
@pytest.mark.parametrize("by", ["smtp", "sendmail"])
def test_a_signer_behind_waybill_signs_what_is_sent(house, by):
    house.send(["a@docomo.ne.jp"], [("From", AUTHOR)], by=by)
    message = house.only("docomo")
    assert len(message.headers("DKIM-Signature")) == 1
    assert house.dkim.judge(message.data)
    assert "dkim=" not in house.waybill.log_lines(f"from_header=<{ACCOUNT}>")[-1]


@SIGNER
def test_a_signer_in_front_of_waybill_is_told_in_the_log(house):
    """The same signer, for the author's own domain, before waybill."""
    before = house.mx.command("postconf", "-h", "smtpd_milters").stdout.strip()
    first = house.lab.dkim(f"first-{house.way}", "example.com")
    house.mx.command("postconf", f"smtpd_milters={first.milter}, {before}")
    house.mx.reload()
    try:
        house.send(["a@remote.test"], [("From", AUTHOR)])
        assert first.judge(house.only("bulk").data), "the lab is wrong"
        assert "dkim=" not in house.waybill.log_lines("to=<a@remote.test>")[-1]
        house.clear()
        house.send(["a@docomo.ne.jp"], [("From", AUTHOR)])
        message = house.only("docomo")
        own = [s for s in message.headers("DKIM-Signature") if "d=example.com" in s]
        assert len(own) == 1
        assert not first.judge(message.data)
        assert house.waybill.log_lines(f"from_header=<{ACCOUNT}> dkim=broken")
    finally:
        house.mx.command("postconf", f"smtpd_milters={before}")
        house.mx.reload()


def test_explain_tells_the_same(house):
    plan = house.waybill.explain(SENDER, ["a@docomo.ne.jp"], "--header", f"From: {AUTHOR}",
                                 "--header", "DKIM-Signature: v=1")
    assert plan["sender"] == {"from": SENDER, "to": ACCOUNT, "mode": "address",
                              "return_path": "from"}
    assert plan["from_header"].endswith(f" <{ACCOUNT}>")
    assert (plan["reply_to"], plan["dkim"]) == (AUTHOR, "broken")
    changed = [h for h in plan["headers"] if h["action"] == "change"]
    assert changed == [{"action": "change", "name": "From", "index": 1,
                        "value": plan["from_header"]}]
    assert house.waybill.explain(SENDER, ["a@remote.test"])["from_header"] is None
