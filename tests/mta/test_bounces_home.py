"""Bounces that find their way home: out through a relay that accepts and later
refuses, back by SMTP, and on to the sender, to one mailbox or to the webhook.

The relay is a Postfix of its own and writes its own reports; to the site it is
a stranger. What the site itself reports takes the same ways."""

import re

import pytest

from lab import Lab, free_port, letter, wait_for
from test_inbound import marked

ATTACH_BOTH = ("before_queue", "after_queue")
WAYS = (*ATTACH_BOTH, "sendmail")
MODES = ("domain", "batv", "srs", "verp")
STRANGER = "192.0.2.7"

# who sends, and where their mail is read
HOMES = {
    "local": ("news@mx.test", "mailbox news"),
    "alias": ("boss@alias.test", "mailbox games"),
    "remote": ("info@elsewhere.test", "elsewhere"),
}
DOMAINS = ("mx.test", "alias.test", "elsewhere.test")
BACK = [f"back.{domain}" for domain in DOMAINS] + ["signed.example.com"]

CONFIGURATION = r"""
route out  {{ host = "[127.0.0.1]"  port = {relay}  tls = none  auth = none }}
route dead {{ host = "[127.0.0.1]"  port = {dead}  tls = none  auth = none }}
rule refused {{ priority = 10  recipients = {{ "refused.test" }}  route = dead }}
rule everything {{ route = out }}
return_path each {{ senders = {{ {domains} }}  mode = {mode}  domain = "back.%d" }}
return_path fixed {{ senders = {{ "a.test", "b.test" }}  mode = srs  domain = "signed.example.com" }}
webhook crm {{ url = "https://app.example.com/hook" }}
bounces {{ domains = {{ {back} }}  {ways} }}
"""

SENDER = "deliver = sender"
ADDRESS = 'deliver = address  address = "bounces@mx.test"'
WEBHOOK = "webhook = crm"


def listed(words):
    return ", ".join(f'"{word}"' for word in words)


class Site:
    """mx with waybill, the relay, and the places where mail can end."""

    def __init__(self, way, main=None, services=()):
        self.way = way
        self.lab = lab = Lab()
        try:
            self.sinks = {name: lab.sink(name) for name in ("world", "dead", "elsewhere")}
            aliases = {"postmaster": "news", "bounces": "games"}
            self.mx = (self._sendmail(aliases) if way == "sendmail" else
                       self._postfix(aliases, main, services))
            self.relay = lab.postfix("relay", start=False, domain="relay.test")
            back = "".join(f"{domain} smtp:[127.0.0.1]:{self.mx.port}\n" for domain in BACK)
            self.relay._main.update({
                "smtp_bind_address": "127.0.0.9",
                "mydestination": "relay.test",
                "default_transport": f"smtp:{self.world.nexthop}",
                "transport_maps": self.relay.table("transport", back),
            })
            self.waybill = lab.waybill(self.mx, self.configuration(), attach=self.mx.attach(way),
                                       relayhosts=[self.elsewhere.nexthop])
            self.sinks["lmtp"] = lab.lmtp("lmtp", self.waybill.lmtp_socket)
            self.mx.start()
            self.relay.start()
        except BaseException:
            lab.close()
            raise

    def _postfix(self, aliases, main, services):
        mx = self.lab.postfix("mx", start=False, services=services, aliases=aliases)
        mx._main.update({
            "mynetworks": "127.0.0.1/32",
            "relayhost": self.elsewhere.nexthop,
            "virtual_alias_domains": "alias.test",
            "virtual_alias_maps": mx.table("virtual", "boss@alias.test games@mx.test\n"),
        } | (main or {}))
        return mx

    def _sendmail(self, aliases):
        return self.lab.sendmail(
            "mx", start=False, relay=self.elsewhere.nexthop, aliases=aliases,
            mc="VIRTUSER_DOMAIN(`alias.test')dnl\n",
            tables={"virtusertable": {"boss@alias.test": "games@mx.test"}})

    def __getattr__(self, name):
        try:
            return self.__dict__["sinks"][name]
        except KeyError:
            raise AttributeError(name) from None

    def configuration(self, ways=WEBHOOK, mode="srs"):
        return CONFIGURATION.format(relay=self.relay.port, dead=self.dead.port, mode=mode,
                                    domains=listed(DOMAINS), back=listed(BACK), ways=ways)

    def go(self):
        self.waybill.start()
        self.waybill.apply()
        return self

    def close(self):
        self.lab.close()

    def use(self, ways, mode="srs"):
        """Start over, with other settings: the tables know neither."""
        self.clear()
        self.waybill.configure(self.configuration(ways, mode))
        self.waybill.reload()

    def clear(self):
        for mta in (self.mx, self.relay):
            mta.empty_queue()
            mta.empty_mailboxes()
        for sink in self.sinks.values():
            sink.clear()

    def settle(self):
        for mta in (self.mx, self.relay, self.mx):
            mta.wait_until_empty()

    def arrived(self):
        """{place: number of messages} of all places that got something."""
        places = {name: len(sink.messages) for name, sink in self.sinks.items()}
        for box in self.mx.LOCAL_USERS:
            places[f"mailbox {box}"] = len(self.mx.mailbox(box))
        return {place: count for place, count in places.items() if count}

    def text_at(self, place):
        """The one message there, and it is the only one anywhere."""
        assert self.arrived() == {place: 1}, self.mx.log_text()[-3000:]
        kind, _, box = place.partition(" ")
        return self.mx.mailbox(box)[0] if box else self.sinks[kind].messages[0].text

    def return_address(self, sender):
        """What the world sees of it."""
        self.mx.send(sender, ["yuki@remote.test"])
        found = self.world.wait_for(1, log=self.mx.log)[0].mail_from
        self.settle()
        self.clear()
        return found


@pytest.fixture(scope="module", params=WAYS)
def one_site(request, programs, sendmail_here):
    site = Site(request.param)
    try:
        yield site.go()
    finally:
        site.close()


@pytest.fixture
def site(one_site):
    one_site.clear()
    yield one_site


def field(text, name):
    """The values of a header of a stored message."""
    head = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    head = re.sub(r"\r?\n[ \t]+", " ", head)
    return [line.partition(":")[2].strip() for line in head.splitlines()
            if line.lower().startswith(name.lower() + ":")]


def mark(sender, mode, recipient):
    """X-Waybill-Bounce as each mode can tell it."""
    more = {"domain": "", "verp": f"; recipient=<{recipient}>; age=0"}
    return f"sender=<{sender}>" + more.get(mode, "; age=0")


def check_report(text, sender, mode, recipient):
    assert field(text, "X-Waybill-Bounce") == [mark(sender, mode, recipient)]
    assert re.search(rf"^Final-Recipient: rfc822; ?{re.escape(recipient)}\r?$", text,
                     re.M | re.I), text
    assert field(text, "X-Waybill-Route") == []


# the relay accepts, and reports later

def bounced_by_the_relay(site, sender, recipient="bad@remote.test"):
    site.world.refuse("550 5.1.1 nobody of that name", recipient)
    reply = site.mx.send(sender, [recipient])
    assert set(reply.all_codes()) == {250}, reply
    site.mx.wait_until_empty()
    site.relay.wait_for_log("status=bounced")
    site.settle()
    assert site.relay.log_lines("back.") or site.relay.log_lines("signed.")


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("mode", MODES)
def test_a_bounce_reaches_its_sender(site, mode, home):
    sender, place = HOMES[home]
    site.use(SENDER, mode)
    bounced_by_the_relay(site, sender)
    check_report(site.text_at(place), sender, mode, "bad@remote.test")
    if place in site.sinks:
        message = site.sinks[place].messages[0]
        assert (message.mail_from, message.rcpt_to) == ("", [sender])


@pytest.mark.parametrize("mode", MODES)
def test_a_bounce_reaches_the_one_address(site, mode):
    site.use(ADDRESS, mode)
    bounced_by_the_relay(site, "info@elsewhere.test")
    check_report(site.text_at("mailbox games"), "info@elsewhere.test", mode, "bad@remote.test")


@pytest.mark.parametrize("mode", MODES)
def test_a_bounce_reaches_the_webhook(site, mode):
    site.use(WEBHOOK, mode)
    bounced_by_the_relay(site, "boss@alias.test")
    check_report(site.text_at("lmtp"), "boss@alias.test", mode, "bad@remote.test")
    message = site.lmtp.messages[0]
    assert marked("", "crm", "bounces").search(message.rcpt_to[0])
    assert message.header("X-Waybill-Webhook") == "crm; filter=bounces"


def test_only_the_recipient_that_failed_comes_back(site):
    site.use(SENDER, "srs")
    site.world.refuse("550 5.1.1 nobody of that name", "bad@remote.test")
    site.mx.send("news@mx.test", ["good@remote.test", "bad@remote.test"])
    site.relay.wait_for_log("status=bounced")
    site.settle()
    assert site.arrived() == {"world": 1, "mailbox news": 1}
    assert "good@remote.test" not in site.mx.mailbox("news")[0].split("delivery-status")[0]


@pytest.mark.parametrize("options", [[], ["ORCPT=rfc822;first@forwarder.test"]],
                         ids=["as-sent", "forwarded"])
def test_orcpt_keeps_the_return_address(site, options):
    """Even if a forwarder's address was the original recipient of the bounce."""
    site.use(SENDER)
    back = site.return_address("info@elsewhere.test")
    site.mx.send("", [back], client=STRANGER, rcpt_options=options)
    site.settle()
    _, args = site.elsewhere.messages[0].recipients[0]
    assert args["ORCPT"].replace("+2B", "+").replace("+3D", "=") == f"rfc822;{back}"
    assert site.elsewhere.messages[0].header("X-Waybill-Bounce") == \
        "sender=<info@elsewhere.test>; age=0"


# what nobody sent

def check_refused(reply, recipient, code="5.7.1"):
    assert reply.recipients[recipient][0] == 550, reply
    assert reply.recipients[recipient][1].startswith(code), reply


@pytest.mark.parametrize("ways", [SENDER, ADDRESS, WEBHOOK], ids=["sender", "address", "webhook"])
@pytest.mark.parametrize("mode", ["batv", "srs", "verp"])
def test_a_forged_bounce_is_refused_at_once(site, mode, ways):
    site.use(ways, mode)
    back = site.return_address("news@mx.test")
    at = back.index("=") + (6 if mode == "batv" else 2)
    forged = back[:at] + ("a" if back[at] != "a" else "b") + back[at + 1:]
    for wrong in (forged, "news@back.mx.test"):
        check_refused(site.mx.send("", [wrong], client=STRANGER), wrong)
    site.settle()
    assert site.arrived() == {}


@pytest.mark.parametrize("client", [None, STRANGER], ids=["own", "stranger"])
def test_an_unsigned_address_takes_only_the_null_sender(site, client):
    site.use(SENDER, "domain")
    wrong = "news@back.mx.test"
    check_refused(site.mx.send("yuki@remote.test", [wrong], client=client), wrong)
    site.settle()
    assert site.arrived() == {}
    assert site.mx.send("", [wrong], client=client).code == 250
    site.settle()
    assert site.arrived() == {"mailbox news": 1}


def test_a_sender_that_would_go_round_is_refused(site):
    site.use(SENDER, "domain")
    text = site.configuration(SENDER, "domain").replace(
        listed(BACK), listed([*BACK, "back.back.mx.test"]))
    site.waybill.configure(text)
    site.waybill.reload()
    wrong = "news@back.back.mx.test"
    # Postfix does not take mail for that domain: an own client may send it
    check_refused(site.mx.send("", [wrong]), wrong, "5.1.2")


@pytest.mark.parametrize("name", ["X-Waybill-Bounce", "x-waybill-BOUNCE"])
def test_a_forged_mark_is_removed(site, name):
    """Even if its return address is shown as the original recipient."""
    site.use(SENDER)
    back = site.return_address("news@mx.test")
    forged = [(name, "sender=<news@mx.test>; age=0")]
    text = letter("x@remote.test", "games@mx.test", headers=forged)
    xtext = back.replace("+", "+2B").replace("=", "+3D")
    site.mx.send("x@remote.test", ["games@mx.test"], text, client=STRANGER,
                 rcpt_options=[f"ORCPT=rfc822;{xtext}"])
    site.settle()
    assert field(site.text_at("mailbox games"), "X-Waybill-Bounce") == []


# what is no bounce

AWAY = [("Auto-Submitted", "auto-replied (vacation)")]
RECEIPT = [("Content-Type", 'multipart/report; boundary="x";\r\n report-type=disposition-notification')]
REPORT = [("Content-Type", 'Multipart/Report; boundary="x"; Report-Type="delivery-status"')]

KINDS = [
    ("absence note", "", AWAY, True),
    ("absence note with a sender", "yuki@remote.test", AWAY, True),
    ("person", "yuki@remote.test", [], True),
    ("read receipt", "", RECEIPT, True),
    ("report with a sender", "postmaster@remote.test", REPORT, False),
    ("bounce in no known form", "", [], False),
]


@pytest.mark.parametrize("sender, headers, is_reply", [k[1:] for k in KINDS], ids=[k[0] for k in KINDS])
def test_replies_go_their_own_way(site, sender, headers, is_reply):
    site.use(ADDRESS + "  replies = sender", "srs")
    back = site.return_address("news@mx.test")
    text = letter(sender or "MAILER-DAEMON@remote.test", back, headers=headers)
    assert site.mx.send(sender, [back], text, client=STRANGER).code == 250
    site.settle()
    got = site.text_at("mailbox news" if is_reply else "mailbox games")
    assert field(got, "X-Waybill-Bounce") == ["sender=<news@mx.test>; age=0"]
    null = "MAILER-DAEMON" if site.mx.kind == "sendmail" else ""    # what its mailboxes say
    assert field(got, "Return-Path") == [f"<{sender or null}>"]


def test_replies_can_be_refused(site):
    site.use(SENDER + "  replies = reject", "srs")
    back = site.return_address("news@mx.test")
    for sender, headers in (("yuki@remote.test", []), ("", AWAY)):
        reply = site.mx.send(sender, [back], letter("x@remote.test", back, headers=headers),
                             client=STRANGER)
        assert reply.recipients[back][0] == 250
        assert (reply.code, reply.text[:5]) == (550, "5.7.1"), reply
    assert site.mx.send("postmaster@remote.test", [back],
                        letter("x@remote.test", back, headers=REPORT), client=STRANGER).code == 250
    site.settle()
    assert site.arrived() == {"mailbox news": 1}


def test_replies_to_a_webhook(site):
    site.use(SENDER + "  replies = webhook  webhook = crm", "srs")
    back = site.return_address("news@mx.test")
    site.mx.send("yuki@remote.test", [back], client=STRANGER)
    site.settle()
    assert field(site.text_at("lmtp"), "X-Waybill-Bounce") == ["sender=<news@mx.test>; age=0"]


@pytest.mark.parametrize("ways, place", [
    (SENDER, "mailbox news"), (SENDER + "  replies = reject", "mailbox news"),
    (ADDRESS, "mailbox games"), (WEBHOOK, "lmtp")],
    ids=["sender", "reject", "address", "webhook"])
@pytest.mark.parametrize("domain", ["back.mx.test", "signed.example.com"])
def test_a_postmaster_is_always_reached(site, ways, place, domain):
    """Of several sender domains behind one: this host's own."""
    site.use(ways)
    to = f"Postmaster@{domain}"
    assert site.mx.send("yuki@remote.test", [to], client=STRANGER).code == 250
    site.settle()
    assert field(site.text_at(place), "X-Waybill-Bounce") == []


# what this host reports itself

def bounced_here(site, sender):
    site.dead.refuse("550 5.1.1 nobody of that name")
    assert site.mx.send(sender, ["bad@refused.test"]).code == 250
    site.settle()


OWN_WAYS = [(SENDER, home) for home in HOMES] + [(ADDRESS, "address"), (WEBHOOK, "webhook")]


@pytest.mark.parametrize("ways, home", OWN_WAYS, ids=[w[1] for w in OWN_WAYS])
@pytest.mark.parametrize("mode", MODES)
def test_a_report_of_this_host_takes_the_same_way(site, mode, ways, home):
    sender, place = HOMES.get(home, ("boss@alias.test", {"address": "mailbox games",
                                                         "webhook": "lmtp"}.get(home)))
    site.use(ways, mode)
    bounced_here(site, sender)
    text = site.text_at(place)
    check_report(text, sender, mode, "bad@refused.test")
    assert "waybill.invalid" not in text
    assert not site.mx.log_lines("waybill-cleanup-bounce", "milter-reject")


def test_the_milter_sees_reports_under_their_own_name(site):
    site.use(SENDER, "srs")
    before = len(site.waybill.log_lines("class=bounce", "becomes=<games"))
    bounced_here(site, "games@mx.test")
    lines = site.waybill.log_lines("class=bounce", "becomes=<games@mx.test>")
    assert len(lines) == before + 1
    assert "from=<> to=<SRS0=" in lines[-1]
    assert site.mx.log_lines({"postfix": "waybill-cleanup-bounce",
                              "sendmail": "daemon=waybill-loopback"}[site.mx.kind])


@pytest.mark.only_postfix("all that Sendmail reports passes waybill, so rules route it")
def test_a_report_to_nobody_of_waybills_is_left_alone(site):
    """Its sender is not in a bounce domain; the milter has no part in it."""
    site.use(SENDER, "srs")
    bounced_here(site, "someone@other.test")
    message = site.elsewhere.messages[0]
    assert (message.mail_from, message.rcpt_to) == ("", ["someone@other.test"])
    assert message.headers("X-Waybill-Route") == []
    assert site.arrived() == {"elsewhere": 1}


def test_a_report_to_a_forged_address_does_not_stay(site):
    """Nobody may be told no; it ends as any report does that cannot be
    delivered."""
    site.use(SENDER, "srs")
    bounced_here(site, "SRS0=aaaa=bb=x.test=y@signed.example.com")
    # Sendmail tells its postmaster
    assert site.arrived() == ({"mailbox news": 1} if site.way == "sendmail" else {})


def test_a_report_is_made_once_the_milter_is_back(site):
    site.use(SENDER, "srs")
    site.dead.refuse("450 4.2.0 later")
    site.mx.send("boss@alias.test", ["bad@refused.test"])
    site.mx.wait_for_deferred()
    site.waybill.kill()
    try:
        site.dead.refuse("550 5.1.1 nobody of that name")
        site.mx.flush()
        site.mx.wait_for_log({"postfix": "bounce failed",
                              "sendmail": "mailer=wb-hop"}[site.mx.kind])
        site.mx.wait_for_deferred()
        assert site.arrived() == {}
    finally:
        site.waybill.start()
    site.mx.retry_until_empty()
    check_report(site.text_at("mailbox games"), "boss@alias.test", "srs", "bad@refused.test")


@pytest.mark.parametrize("by", ["relay", "own"])
def test_a_requeued_bounce_keeps_its_way_and_its_mark(site, by):
    site.use(SENDER, "srs")
    back = site.return_address("info@elsewhere.test")
    site.elsewhere.refuse("450 4.2.0 later")
    if by == "relay":
        site.mx.send("", [back], client=STRANGER)
    else:
        site.dead.refuse("550 5.1.1 nobody of that name")
        site.mx.send("info@elsewhere.test", ["bad@refused.test"])
    site.mx.wait_for_deferred()
    site.elsewhere.accept()
    site.mx.requeue()
    site.settle()
    text = site.text_at("elsewhere")
    assert field(text, "X-Waybill-Bounce") == ["sender=<info@elsewhere.test>; age=0"]
    assert field(text, "X-Waybill-Route") == []
    assert site.elsewhere.rcpt_to == ["info@elsewhere.test"]


# other filters, and the way back

@pytest.fixture
def fresh(programs, request):
    """fresh(attach, **options): a site of one's own."""
    made = []

    def make(attach, **options):
        made.append(Site(attach, **options))
        return made[-1]
    yield make
    for site in made:
        site.close()


@pytest.mark.parametrize("attach", ATTACH_BOTH)
def test_undo_lets_reports_wait(fresh, attach):
    """While waybill is taken out nobody knows whom they are for; applied again,
    they find their way."""
    site = fresh(attach)
    before = [(site.mx.etc / name).read_bytes() for name in ("main.cf", "master.cf")]
    site.go()
    site.use(SENDER)
    back = site.return_address("news@mx.test")
    site.dead.refuse("450 4.2.0 later")
    site.mx.send("news@mx.test", ["bad@refused.test"])
    site.mx.wait_for_deferred()
    assert site.waybill.apply("--undo", "--wait", "0", ok=None).returncode == 75
    site.waybill.kill()
    site.dead.refuse("550 5.1.1 nobody of that name")
    assert site.mx.send("", [back], client=STRANGER).code == 250

    def waiting():
        site.mx.flush()    # the undo flushes, too, and one of the two is in vain
        return [m["sender"] for m in site.mx.wait_for_deferred(2)
                if "is being taken out" in m["recipients"][0]["delay_reason"]]
    wait_for("two bounces that wait", lambda: waiting() == ["MAILER-DAEMON"] * 2, log=site.mx.log)
    assert site.arrived() == {}
    site.waybill.start()
    site.waybill.apply()
    site.mx.retry_until_empty()
    assert site.arrived() == {"mailbox news": 2}
    site.waybill.undo()
    assert before == [(site.mx.etc / name).read_bytes() for name in ("main.cf", "master.cf")]
    site.waybill.kill()
    site.clear()
    assert site.mx.send("news@mx.test", ["yuki@remote.test"]).code == 250
    site.settle()
    assert site.arrived() == {"elsewhere": 1}
    assert site.elsewhere.messages[0].mail_from == "news@mx.test"


def test_a_content_filter_sees_no_mark_and_loses_none(fresh):
    """attach = after_queue follows the site's filter; this one is a Postfix
    service that hands on what it gets."""
    port = free_port()
    site = fresh("after_queue", main={"content_filter": f"scan:[127.0.0.1]:{port}"})
    with (site.mx.etc / "master.cf").open("a") as master:
        master.write("scan unix - - n - - smtp\n  -o syslog_name=postfix/scan\n"
                     f"127.0.0.1:{port} inet n - n - - smtpd\n  -o syslog_name=postfix/scanned\n"
                     f"  -o content_filter=waybill-in:[127.0.0.1]:{site.waybill.loopback_port}\n"
                     "  -o receive_override_options=no_address_mappings\n")
    site.mx.reload()
    site.go()
    for ways, place in ((SENDER, "mailbox games"), (WEBHOOK, "lmtp")):
        site.use(ways)
        back = site.return_address("boss@alias.test")
        assert site.mx.send("", [back], client=STRANGER).code == 250
        site.settle()
        text = site.text_at(place)
        assert field(text, "X-Waybill-Bounce") == ["sender=<boss@alias.test>; age=0"]
    seen = site.mx.log_lines("postfix/scan/smtp", "to=<")
    assert len(seen) == 4
    assert not any("waybill.invalid" in line for line in seen)
