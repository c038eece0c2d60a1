"""Listeners that waybill generates, in a real Postfix."""

import smtplib
import socket
import time

import pytest

from lab import Lab, free_port, letter, wait_for
from lab.certificates import Certificates
from lab.dovecot import DovecotSasl
from prerequisites import need

EXACT_S = 0.005
FORM, RETURN = "info@mailform.example.com", "info@return.example.com"
VISITOR = "visitor@remote.test"

SITE = r"""
return_path main { senders = { "example.com" }  mode = domain  domain = "return.example.com" }
webhook crm { url = "https://app.example.com/hook" }
inbound mailform {
    domains = { "mailform.example.com" }
    header  = "To"  match = 'info@mailform\.example\.com'
    webhook = crm
}
inbound desk { domains = { "desk.example.com" }  match_on = envelope  match = '@'  webhook = crm }
bounces { domains = { "return.example.com" }  webhook = crm  BOUNCES }
route bulk { host = "[127.0.0.1]"  port = SINK  tls = none }
rule all { route = bulk }
"""


class Place:
    """A Postfix with waybill, a relay, an LMTP receiver and listeners."""

    def __init__(self, attach, listeners, bounces="", main=None):
        self.lab = lab = Lab()
        try:
            self.relay, default = lab.sink("relay"), lab.sink("default")
            self.default = default
            self.mx = lab.postfix("mx", start=False)
            self.mx._main.update({"relayhost": default.nexthop,
                                  "smtpd_peername_lookup": "no"} | dict(main or {}))
            self.ports = {}
            text = SITE.replace("SINK", str(self.relay.port)).replace("BOUNCES", bounces)
            for name, options in listeners.items():
                self.ports[name] = free_port()
                text += f"listener {name} {{ {options}  port = {self.ports[name]} }}\n"
            self.waybill = lab.waybill(self.mx, text, attach=attach,
                                       relayhosts=[default.nexthop])
            self.lmtp = lab.lmtp("lmtp", self.waybill.lmtp_socket)
            self.mx.start()
            self.waybill.start()
            self.waybill.apply()
        except BaseException:
            lab.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lab.close()

    def connect(self, name="door", source="127.0.0.1"):
        return smtplib.SMTP("127.0.0.1", self.ports[name], "client.test", timeout=60,
                            source_address=(source, 0))

    def send(self, recipients, text=None, name="door", sender=VISITOR, source="127.0.0.1"):
        smtp = self.connect(name, source)
        return self.mx.send(sender, recipients, text, smtp=smtp), smtp.close()

    def rcpt(self, recipient, name="door", sender=VISITOR, source="127.0.0.1"):
        with self.connect(name, source) as smtp:
            smtp.ehlo()
            smtp.docmd(f"MAIL FROM:<{sender}>")
            return smtp.docmd(f"RCPT TO:{recipient}")

    def nothing_left(self):
        self.mx.wait_until_empty()
        assert self.relay.rcpt_to == [] and self.default.rcpt_to == []


INBOUND = 'class = inbound  address = "127.0.0.1"'


def attempts(place, count):
    """What each of count clients is told that come at one time: its greeting,
    read with an end to the patience."""
    sockets = []
    for i in range(count):
        s = socket.socket()
        s.bind((f"127.0.0.{1 + i % 9}", 0))
        s.settimeout(20)
        s.connect(("127.0.0.1", place.ports["door"]))
        sockets.append(s)
    return sockets, [s.recv(512).decode() for s in sockets]


def test_the_51st_connection_is_told_to_come_again(programs):
    """Whoever it is from; and when one ends there is place for another."""
    with Place("before_queue", {"door": INBOUND + " max_connections = 50"}) as place:
        sockets, said = attempts(place, 51)
        assert sum(text.startswith("220 ") for text in said) == 50
        assert [text[:4] for text in said if not text.startswith("220 ")] == ["421 "]
        inside = [s for s, text in zip(sockets, said) if text.startswith("220 ")]
        inside[0].sendall(b"QUIT\r\n")
        assert inside[0].recv(512).startswith(b"221 ")

        def comes_in():
            again, what = attempts(place, 1)
            sockets.extend(again)
            return what[0].startswith("220 ")
        wait_for("place for another connection", comes_in)
        with smtplib.SMTP("127.0.0.1", place.mx.port) as elsewhere:
            assert elsewhere.ehlo()[0] == 250
        for s in sockets:
            s.close()


def test_nobody_is_held_who_cannot_come_in(programs):
    """Far more than max_connections at one time: each hears 220 or 421."""
    with Place("before_queue", {"door": INBOUND + " max_connections = 5"}) as place:
        sockets, said = attempts(place, 100)
        assert sum(text.startswith("220 ") for text in said) == 5
        assert sum(text.startswith("421 ") for text in said) == 95
        for s in sockets:
            s.close()


def at_data(place, smtp):
    """When the client may send its message."""
    smtp.ehlo()
    assert smtp.docmd(f"MAIL FROM:<{VISITOR}>")[0] == 250
    assert smtp.docmd(f"RCPT TO:<{FORM}>")[0] == 250
    assert smtp.docmd("DATA")[0] == 354
    return time.monotonic()


def send_text(smtp):
    smtp.send(letter(VISITOR, FORM).encode() + b".\r\n")
    assert smtp.getreply()[0] == 250


@pytest.mark.alone
@pytest.mark.parametrize("interval_ms, messages", [(10, 10), (10000, 2)])
def test_the_interval(programs, interval_ms, messages):
    """Each message on a connection of its own, by clients of its own. Between
    the milter, whose 5 ms tests/dialogue looks at, and the client stands
    smtpd, which a busy machine holds up."""
    with Place("before_queue", {"door": f"{INBOUND} interval_ms = {interval_ms}"}) as place:
        clients = [place.connect(source=f"127.0.0.{i + 1}") for i in range(messages)]
        times = []
        for smtp in clients:
            times.append(at_data(place, smtp))
            send_text(smtp)
            smtp.quit()
        gaps = [b - a for a, b in zip(times, times[1:])]
        assert min(gaps) >= interval_ms / 1000 - EXACT_S, gaps
        if interval_ms == 10000:
            assert gaps[0] <= 10.5, gaps
        assert len(place.lmtp.wait_for_recipients(messages, log=place.mx.log)) == messages
        place.nothing_left()


def test_past_the_bound_mail_is_put_off(programs):
    limits = " interval_ms = 10000 max_wait_s = 5"
    with Place("before_queue", {"door": INBOUND + limits}) as place:
        assert place.send([FORM])[0].code == 250
        begun = time.monotonic()
        reply = place.send([FORM])[0]
        assert (reply.code, reply.text[:5]) == (451, "4.3.2"), reply
        assert time.monotonic() - begun < 5


def test_a_client_that_goes_away_does_not_keep_its_time(programs):
    with Place("before_queue", {"door": INBOUND + " interval_ms = 1500"}) as place:
        first, lost, last = (place.connect() for _ in range(3))
        start = at_data(place, first)
        lost.ehlo()
        lost.docmd(f"MAIL FROM:<{VISITOR}>")
        lost.docmd(f"RCPT TO:<{FORM}>")
        lost.putcmd("DATA")
        place.mx.wait_for_log("connect from")
        lost.close()
        send_text(first)
        took = at_data(place, last) - start
        send_text(last)
        assert 1.5 - EXACT_S <= took < 2.5, took


def of_size(octets):
    """A message of exactly so many octets, ends of lines two."""
    head = letter(VISITOR, FORM, body="")
    rest = octets - len(head)
    lines, last = divmod(rest - 2, 72)
    return head + ("x" * 70 + "\r\n") * lines + "y" * last + "\r\n"


@pytest.mark.parametrize("declared", [False, True], ids=["as-sent", "as-said"])
@pytest.mark.parametrize("main", ["2048", "10240000"])
def test_one_octet_over_the_size(programs, declared, main):
    """Exactly as large is taken, even where main.cf takes less."""
    with Place("before_queue", {"door": INBOUND + " max_size_kb = 20"},
               main={"message_size_limit": main}) as place:
        for octets, code in ((20480, 250), (20481, 552)):
            text = of_size(octets)
            assert len(text) == octets
            smtp = place.connect()
            smtp.ehlo()
            said = smtp.docmd(f"MAIL FROM:<{VISITOR}>" + (f" SIZE={octets}" if declared else ""))
            if declared and code == 552:
                assert said[0] == 552 and said[1].startswith(b"5.3.4")
                continue
            smtp.docmd(f"RCPT TO:<{FORM}>")
            smtp.docmd("DATA")
            smtp.send(text.encode() + b".\r\n")
            answer = smtp.getreply()
            assert answer[0] == code, answer
            assert code == 250 or answer[1].startswith(b"5.3.4"), answer
            smtp.close()
        assert len(place.lmtp.wait_for(1, log=place.mx.log)) == 1
        place.nothing_left()


LISTS = ' inbound_domains = { "mailform.example.com" }  bounce_domains = {}'


@pytest.fixture(scope="module", params=["before_queue", "after_queue"])
def listed(request, programs):
    listeners = {"door": INBOUND + LISTS,
                 "near": INBOUND + ' networks = { "127.0.0.2" }',
                 "returns": INBOUND + ' inbound_domains = {}',
                 "proxied": INBOUND + ' proxy_protocol = yes  networks = { "192.0.2.0/24" }',
                 "out": 'class = outbound  address = "127.0.0.1"  networks = { "127.0.0.2" }'}
    with Place(request.param, listeners) as place:
        yield place


@pytest.fixture
def place(listed):
    for sink in (listed.relay, listed.default, listed.lmtp):
        sink.clear()
    return listed


def test_the_example_word_for_word(place):
    """info@mailform.example.com with the pattern info@mailform\\.example\\.com
    on To, through the listener's port."""
    reply = place.send([FORM])[0]
    assert reply.code == 250, reply
    message = place.lmtp.wait_for(1, log=place.mx.log)[0]
    assert message.rcpt_to[0].startswith("info@mailform.example.com.crm.mailform.")
    assert message.header("X-Waybill-Webhook") == "crm; filter=mailform"
    place.nothing_left()


# from 127.0.0.1, which is in mynetworks of main.cf and in networks
TRICKS = ["<a@elsewhere.test>", "<a%elsewhere.test@mailform.example.com>",
          "<elsewhere.test!a@mailform.example.com>", "<elsewhere.test!a>", "<a%elsewhere.test>",
          '<"a@elsewhere.test"@mailform.example.com>', '<"a@elsewhere.test">',
          "<@mailform.example.com:a@elsewhere.test>", "<a@elsewhere.test@mailform.example.com>",
          "<a@[192.0.2.1]>", "<a@[127.0.0.1]>", "<info@mailform.example.com@elsewhere.test>",
          "<info@sub.mailform.example.com>", "<info@xmailform.example.com>",
          "<info@desk.example.com>", f"<{RETURN}>", "<news@mx.test>", "<news>",
          "<a@mailform.example.com.waybill.invalid>", "<a@elsewhere.test.>",
          "<postmaster@elsewhere.test>", "<postmaster%elsewhere.test>"]


@pytest.mark.parametrize("sender", [VISITOR, "", "info@example.com", "news@mx.test"])
@pytest.mark.parametrize("recipient", TRICKS)
def test_no_open_relay(place, recipient, sender):
    code, text = place.rcpt(recipient, sender=sender)
    assert code // 100 == 5, (code, text)
    assert text.split(b" ")[0] in (b"5.7.1", b"5.1.2", b"5.1.3"), (code, text)
    place.nothing_left()


def test_an_address_in_no_list(place):
    code, text = place.rcpt("<a@elsewhere.test>")
    assert (code, text[:5]) == (550, b"5.7.1"), text
    code, text = place.rcpt(f"<{RETURN}>")
    assert (code, text[:5]) == (550, b"5.7.1"), text
    assert place.rcpt(f"<{FORM}>")[0] == 250


def test_the_postmaster_hears(place):
    assert place.rcpt("<postmaster>")[0] == 250


def test_nobody_becomes_another_there(place):
    with place.connect() as smtp:
        smtp.ehlo()
        assert not {"xclient", "xforward", "auth"} & set(smtp.esmtp_features)
        assert smtp.docmd("XCLIENT", "ADDR=192.0.2.1 LOGIN=shop")[0] // 100 == 5
        assert smtp.docmd("AUTH", "PLAIN AHUAcA==")[0] // 100 == 5


def test_the_list_of_bounce_domains(place):
    assert place.rcpt(f"<{RETURN}>", "returns", sender="")[0] == 250
    assert place.rcpt(f"<{FORM}>", "returns")[0] == 550


def test_allowed_networks(place):
    code, text = place.rcpt(f"<{FORM}>", "near")
    assert (code, b"5.7.1" in text) == (550, True), text
    reply = place.send([FORM], name="near", source="127.0.0.2")[0]
    assert reply.code == 250, reply
    place.lmtp.wait_for(1, log=place.mx.log)
    place.nothing_left()


def proxied(place, header):
    """A client that comes by a proxy. Returns its socket's file."""
    s = socket.create_connection(("127.0.0.1", place.ports["proxied"]), timeout=20)
    s.sendall(header)
    smtp = smtplib.SMTP()
    smtp.sock, smtp.file = s, None
    return smtp, smtp.getreply()


@pytest.mark.parametrize("client, code", [("192.0.2.7", 250), ("198.51.100.7", 550)])
def test_the_proxy_protocol(place, client, code):
    """The client is who the proxy says: in networks or not."""
    smtp, greeting = proxied(place, f"PROXY TCP4 {client} 192.0.2.99 40000 25\r\n".encode())
    assert greeting[0] == 220
    smtp.ehlo_or_helo_if_needed()
    assert smtp.docmd(f"MAIL FROM:<{VISITOR}>")[0] == 250
    got, text = smtp.docmd(f"RCPT TO:<{FORM}>")
    assert got == code, text
    smtp.close()
    place.mx.wait_for_log("proxied/smtpd", f"[{client}]")


def test_without_the_proxy_s_word_nobody_comes_in(place):
    smtp, greeting = proxied(place, b"EHLO client.test\r\n")
    assert greeting[0] // 100 != 2, greeting
    smtp.close()


def test_own_clients_send_by_an_outbound_listener(place):
    reply = place.send(["a@elsewhere.test"], name="out", sender="info@example.com",
                       source="127.0.0.2")[0]
    assert reply.code == 250, reply
    message = place.relay.wait_for(1, log=place.mx.log)[0]
    assert (message.mail_from, message.rcpt_to) == (RETURN, ["a@elsewhere.test"])
    place.mx.wait_until_empty()
    assert place.default.rcpt_to == []


@pytest.mark.parametrize("recipient", ["<a@elsewhere.test>", f"<{FORM}>", "<news@mx.test>"])
def test_nobody_else_does(place, recipient):
    """Not even who is in mynetworks."""
    code, text = place.rcpt(recipient, "out", sender="info@example.com")
    assert code // 100 == 5 and b"5.7.1" in text, (code, text)
    place.nothing_left()


@pytest.mark.parametrize("port_25", ["yes", "no"])
def test_bounces_at_the_ordinary_port(programs, port_25):
    with Place("before_queue", {"door": INBOUND}, f"port_25 = {port_25}") as place:
        with place.mx.connect() as smtp:
            smtp.docmd("MAIL FROM:<>")
            code, text = smtp.docmd(f"RCPT TO:<{RETURN}>")
        assert (code == 250) == (port_25 == "yes"), text
        assert port_25 == "yes" or (code, text[:5]) == (550, b"5.7.1")
        reply = place.send([RETURN], letter("MAILER-DAEMON@remote.test", RETURN), sender="")[0]
        assert reply.code == 250, reply
        message = place.lmtp.wait_for(1, log=place.mx.log)[0]
        assert message.header("X-Waybill-Webhook") == "crm; filter=bounces"
        place.nothing_left()


def test_ipv6(programs):
    """A listener of one family, and one of both."""
    listeners = {"six": 'class = inbound  address = "::1"  max_connections = 1',
                 "both": "class = inbound  max_connections = 1"}
    with Place("before_queue", listeners,
               main={"inet_protocols": "all", "inet_interfaces": "127.0.0.1, [::1]"}) as place:
        for name in ("six", "both"):
            with smtplib.SMTP("::1", place.ports[name], "client.test", timeout=20) as smtp:
                assert smtp.ehlo()[0] == 250
                with pytest.raises(smtplib.SMTPConnectError):
                    smtplib.SMTP("::1", place.ports[name], timeout=20)
                if name == "both":
                    with pytest.raises(smtplib.SMTPConnectError):
                        place.connect("both")


def ready(lab, text, main=None, services=()):
    """A Postfix, and waybill that is not applied yet."""
    mx = lab.postfix("mx", start=False, services=services)
    mx._main.update(main or {})
    waybill = lab.waybill(mx, SITE.replace("SINK", "25").replace("BOUNCES", "") + text,
                          relayhosts=[])
    mx.start()
    return mx, waybill


def test_apply_refuses_a_port_that_the_site_has(programs):
    with Lab() as lab:
        port = free_port()
        mx, waybill = ready(lab, f"listener door {{ {INBOUND}  port = {port} }}\n",
                            services=[f"127.0.0.1:{port} inet n - n - - smtpd"])
        done = waybill.apply(ok=(78,))
        assert f"door listens on 127.0.0.1:{port}, which 127.0.0.1:{port}/inet" in done.stderr
        assert "waybill" not in (mx.etc / "master.cf").read_text()


def test_apply_refuses_a_port_that_another_program_has(programs):
    with Lab() as lab, socket.socket() as other:
        port = free_port()
        other.bind(("127.0.0.1", port))
        other.listen()
        mx, waybill = ready(lab, f"listener door {{ class = inbound  port = {port} }}\n"
                                 f"listener two {{ {INBOUND}  port = {free_port()} }}\n")
        done = waybill.apply(ok=(78,))
        assert f"door: another program has port {port} of this host" in done.stderr
        assert "waybill" not in (mx.etc / "master.cf").read_text()


def test_undo_takes_a_listener_out(programs):
    with Place("before_queue", {"door": INBOUND + " max_size_kb = 10"}) as place:
        before = (place.mx.etc / "master.cf").read_text()
        assert f"127.0.0.1:{place.ports['door']} inet n - n - 120 smtpd" in before
        place.waybill.apply()       # again, with its own service there
        assert (place.mx.etc / "master.cf").read_text() == before
        place.waybill.undo()
        assert "door" not in (place.mx.etc / "master.cf").read_text()

        def is_closed():
            try:
                place.connect().close()
            except OSError:
                return True
            return False
        wait_for("the end of the listener", is_closed)


@pytest.fixture(scope="module")
def guarded(programs):
    """Postfix with accounts and TLS for its own submission, and a listener of
    each class."""
    need(DovecotSasl.missing(), Certificates.missing())
    with Lab() as lab:
        tls = Certificates(lab.dir / "tls")
        tls.make()
        sasl = lab.adopt(DovecotSasl(lab.dir / "dovecot", {"shop": "its password"}, "PLAIN"))
        sasl.start()
        main = sasl.main() | {"smtpd_sasl_auth_enable": "yes", "smtpd_tls_security_level": "may",
                              "smtpd_tls_cert_file": tls.cert_file("good"),
                              "smtpd_tls_key_file": tls.key_file("good")}
        listeners = {"door": INBOUND,
                     "out": 'class = outbound  address = "127.0.0.1"  login = yes'}
        with Place("before_queue", listeners, main=main) as place:
            yield place


def test_an_account_is_of_no_use_at_an_inbound_listener(guarded):
    with guarded.connect() as smtp:
        smtp.starttls()
        smtp.ehlo()
        assert "auth" not in smtp.esmtp_features
        with pytest.raises(smtplib.SMTPNotSupportedError):
            smtp.login("shop", "its password")
        smtp.docmd("MAIL FROM:<info@example.com>")
        assert smtp.docmd("RCPT TO:<a@elsewhere.test>")[0] == 550


def test_who_logs_in_sends_by_an_outbound_listener(guarded):
    with guarded.connect("out") as smtp:
        smtp.ehlo()
        assert "auth" not in smtp.esmtp_features     # not in clear
        smtp.starttls()
        smtp.ehlo()
        smtp.docmd("MAIL FROM:<info@example.com>")
        assert smtp.docmd("RCPT TO:<a@elsewhere.test>")[0] == 554
        smtp.rset()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login("shop", "a wrong one")
        smtp.login("shop", "its password")
        reply = guarded.mx.send("info@example.com", ["a@elsewhere.test"], smtp=smtp)
        assert reply.code == 250, reply
    guarded.relay.wait_for(1, log=guarded.mx.log)
    guarded.mx.wait_until_empty()
    assert guarded.default.rcpt_to == []


def test_a_message_in_chunks_keeps_the_interval(programs):
    """BDAT (RFC 3030) has no DATA."""
    with Place("before_queue", {"door": INBOUND + " interval_ms = 1000"}) as place:
        text, times = letter(VISITOR, FORM).encode(), []
        with place.connect() as smtp:
            smtp.ehlo()
            assert "chunking" in smtp.esmtp_features
            for _ in range(2):
                smtp.docmd(f"MAIL FROM:<{VISITOR}>")
                assert smtp.docmd(f"RCPT TO:<{FORM}>")[0] == 250
                smtp.send(f"BDAT {len(text)} LAST\r\n".encode() + text)
                assert smtp.getreply()[0] == 250
                times.append(time.monotonic())
        assert times[1] - times[0] >= 0.9
        place.lmtp.wait_for(2, log=place.mx.log)
        place.nothing_left()


@pytest.mark.parametrize("name, address", [
    ("smtp", ""), ("127.0.0.1:smtp", ""), ("127.0.0.1:25", "0.0.0.0"), ("smtp", "127.0.0.1"),
    ("localhost:25", "::1"), ("[::]:25", "::1")])
def test_apply_refuses_what_master_cf_has_by_another_name(programs, name, address):
    """Nothing is started: the port is 25."""
    with Lab() as lab:
        mx = lab.postfix("mx", start=False, services=[f"{name} inet n - n - - smtpd"])
        mx.write()
        where = f'address = "{address}"' if address else ""
        text = SITE.replace("SINK", "25").replace("BOUNCES", "")
        waybill = lab.waybill(mx, f"{text}listener door {{ class = inbound  {where}  port = 25 }}\n",
                              relayhosts=[])
        done = waybill.apply("--no-reload", ok=(78,))
        assert f"which {name}/inet of" in done.stderr, done.stderr


@pytest.mark.parametrize("attach", ["before_queue", "after_queue"])
def test_a_site_without_milters_has_no_listener(programs, attach):
    with Lab() as lab:
        mx = lab.postfix("mx", start=False, main={"receive_override_options": "no_milters"})
        mx.write()
        text = SITE.replace("SINK", "25").replace("BOUNCES", "")
        waybill = lab.waybill(mx, f"{text}listener door {{ {INBOUND}  port = {free_port()} }}\n",
                              attach=attach, relayhosts=[])
        done = waybill.apply("--no-reload", ok=(78,))
        assert "which would hold for the listeners of" in done.stderr, done.stderr


def test_nothing_comes_in_while_the_milter_is_away(programs):
    with Place("before_queue", {"door": INBOUND}) as place:
        place.waybill.stop()
        try:
            code = place.send([FORM])[0].code
        except smtplib.SMTPConnectError as refused:
            code = refused.smtp_code
        assert code // 100 == 4
        place.waybill.start()
        assert place.send([FORM])[0].code == 250
        place.lmtp.wait_for(1, log=place.mx.log)
