"""Webhook mail from end to end: a real MTA, the milter, waybill-lmtp, and
nginx with TLS before a receiver that answers as it is told."""

import hashlib
import hmac
import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "unit"))

import formdata    # noqa: E402
from lab import Lab, LabError, free_port, letter, wait_for
from lab.endpoint import Endpoint
from lab.lmtpd import SOCKET, WaybillLmtp
from mailsite import send_many
from octets import MESSAGES
from prerequisites import need

STRANGER = "192.0.2.7"
API_KEY = "a key of the receiver's"
KEYS = ("the new key of the webhook", "the old key of the webhook")
LIMIT_KB = 64 * 1024    # of memory, whatever happens


class HookSite:
    """One MTA, one waybill-lmtp, one endpoint. Mail to info@NAME.test is
    for the webhook NAME."""

    def __init__(self, kind="postfix", main=None, options=(), width=50, keeps_bodies=True):
        self.lab = lab = Lab()
        try:
            self.endpoint = lab.adopt(Endpoint(lab.dir / "endpoint", keeps_bodies=keeps_bodies))
            self.endpoint.start()
            self.receiver = self.endpoint.receiver
            if kind == "sendmail":
                self.mx = lab.sendmail("mx", start=False)
            else:
                self.mx = lab.postfix("mx", start=False)
                self.mx._main.update({"message_size_limit": "60000000",
                                      "mailbox_size_limit": "0", **(main or {})})
            self.lmtpd = lab.adopt(WaybillLmtp(lab.dir))
            self.width = width
            self.waybill = lab.waybill(self.mx, self.configuration(dict(options)),
                                       lmtp_socket=SOCKET)
            self.mx.start()
            self.waybill.start()
            self.waybill.apply()
            self.lmtpd.start(self.waybill)
        except BaseException:
            lab.close()
            raise

    def configuration(self, options):
        e, key = self.endpoint, self.lmtpd.key
        keys = f"signing_key_file = {key('keys', *KEYS)}"
        down = free_port()
        hooks = {
            "crm": (e.url("/crm"), keys, f"concurrency = {self.width}"),
            "desk": (e.url("/desk"), f"token_file = {key('token', 't0ken')}"),
            "strict": (e.url("/strict"), "client_error = reject"),
            "slow": (e.url("/slow"), "timeout_s = 1"),
            "other": (e.url("/other", certificate="other"),),
            "own": (e.url("/own", certificate="own"),),
            "form": (e.url("/form"), "format = cmc", f"api_key_file = {key('api', API_KEY)}"),
            "json": (e.url("/json"), "format = cmc-json"),
            "gun": (e.url("/gun"), "format = mailgun", keys),
            "down": (f"https://localhost:{down}/",),
            "private": (e.url("/private"), "allow_private = no"),
        }
        text = self.lmtpd.options(**options)
        for name, (url, *more) in hooks.items():
            allowed = [] if name == "private" else ["allow_private = yes"]
            raw = [] if any(word.startswith("format") for word in more) else ["format = raw"]
            words = "  ".join([f'url = "{url}"', f'ca_file = "{e.ca_file}"', *raw, *allowed,
                               *more])
            text += f"webhook {name} {{ {words} }}\n"
            text += (f'inbound {name} {{ domains = {{ "{name}.test" }}  match = "."  '
                     f"match_on = envelope  webhook = {name} }}\n")
        return text

    def close(self):
        self.lab.close()

    def clear(self):
        self.mx.empty_queue()
        self.mx.empty_mailboxes()
        self.receiver.clear()

    def send(self, *recipients, text=None, sender="games@mx.test"):
        reply = self.mx.send(sender, list(recipients), text, client=STRANGER)
        assert reply.code == 250, reply
        return reply.queue_id

    def settle(self, timeout=30.0):
        self.mx.wait_until_empty(timeout)

    def said(self, queue_id, status):
        """The MTA's words on what came of it: sent, deferred or bounced."""
        dsn = {"sent": "dsn=2", "deferred": "dsn=4", "bounced": "dsn=5"}[status]
        word = dsn if self.mx.kind == "sendmail" else f"status={status} "
        return self.mx.wait_for_log(f" {queue_id}: ", word)[0]


@pytest.fixture(scope="module", params=("postfix", "sendmail"))
def running(request, programs, sendmail_here):
    need(Endpoint.missing())
    made = HookSite(request.param)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def site(running):
    running.clear()
    return running


def outside(site, queue_id, dsn):
    """The mail is still in the queue, refused for now with dsn."""
    line = site.said(queue_id, "deferred")
    assert f"dsn={dsn}" in line, line
    queued = site.mx.wait_for_deferred()
    assert [message["queue_id"] for message in queued] == [queue_id]
    return line


# delivered

def test_delivered_once_with_all_headers(site):
    queue_id = site.send("Info@crm.test")
    site.settle()
    request, = site.receiver.requests
    assert request.line == "POST /crm HTTP/1.1"
    assert request.header("Content-Type") == "message/rfc822"
    assert re.fullmatch("[a-z2-7]{32}", request.id)
    assert request.is_signed_by(*KEYS)
    assert {name: request.header(f"X-Waybill-{name}") for name in
            ("Webhook", "Filter", "From", "To")} == {
                "Webhook": "crm", "Filter": "crm", "From": "games@mx.test", "To": "Info@crm.test"}
    line = site.said(queue_id, "sent")
    assert "dsn=2.0.0" in line
    if site.mx.kind == "postfix":    # Sendmail logs no reply by LMTP
        assert request.id in line
    # Postfix tells it by XFORWARD; Sendmail tells nobody, but in Received
    known = queue_id if site.mx.kind == "postfix" else "NOQUEUE"
    logged, = site.lmtpd.log_lines(f"{known}: from=<games@mx.test> to=<Info@crm.test>")
    assert f"webhook=crm filter=crm id={request.id}" in logged and "status=200" in logged


def test_the_message_arrives_as_it_was_queued(site):
    """Long lines included, which lmtp(8) would cut: a receiver may verify
    signatures."""
    body = "x" * 1900 + "\r\n.dot\r\n..\r\n\r\n\u3042\r\n"
    text = letter("games@mx.test", "info@crm.test", body=body)
    queue_id = site.send("info@crm.test", text=text)
    site.settle()
    request, = site.receiver.requests
    head, _, rest = request.body.partition(b"\r\n\r\n")
    assert rest == body.encode()
    assert head.startswith(b"Received: ") and queue_id.encode() in head
    assert b"X-Waybill-Webhook: crm; filter=crm" in head
    assert head.count(b"\r\nFrom: games@mx.test\r\n") == 1


def test_bearer(site):
    site.send("info@desk.test")
    site.settle()
    assert [r.header("Authorization") for r in site.receiver.requests] == ["Bearer t0ken"]
    assert "t0ken" not in site.lmtpd.log_text() + site.mx.log_text()


def test_a_report_of_success_says_delivered(site):
    site.mx.send("games@mx.test", ["info@crm.test"], client=STRANGER,
                 rcpt_options=["NOTIFY=SUCCESS"])
    report = site.mx.wait_for_mailbox("games")[0]
    assert "Action: delivered" in report and "waybill.invalid" not in report
    site.settle()


# in each format

all_messages = pytest.mark.parametrize("octets, subject, text, html, files", MESSAGES.values(),
                                       ids=MESSAGES)


def posted(site, name, octets):
    """The one request that this message becomes."""
    site.send(f"info@{name}.test", text=octets)
    site.settle()
    request, = site.receiver.requests
    assert request.path == f"/{name}"
    return request


def form_of(request):
    """Its fields by name: the values, and of files (name, type, octets)."""
    fields = formdata.by_name(formdata.read(request.header("Content-Type"), request.body))
    return {name: field.text if field.filename is None
            else (field.filename, field.type, field.value) for name, field in fields.items()}


def files_of(form, prefix, count):
    """They are numbered from 1."""
    names = [name for name, value in form.items() if isinstance(value, tuple)]
    assert names == [f"{prefix}{i + 1}" for i in range(int(form[count]))]
    return [form[name] for name in names]


@all_messages
def test_as_form_data(site, octets, subject, text, html, files):
    got = form_of(posted(site, "form", octets))
    assert (got["api_key"], got["filter"]) == (API_KEY, "form")
    assert (got["envelope-from"], got["envelope-to"]) == ("games@mx.test", "info@form.test")
    assert (got["subject"], got.get("text"), got.get("html")) == (subject, text, html)
    assert files_of(got, "attachment", "attachments") == files
    headers = [(h["name"], h["value"]) for h in json.loads(got["headers"])]
    assert headers[0][0] == "Received" and ("Subject", subject) in headers


@all_messages
def test_as_json(site, octets, subject, text, html, files):
    """Which has no place for the files, but for how many there are."""
    request = posted(site, "json", octets)
    assert request.header("Content-Type") == "application/json"
    got = json.loads(request.body)
    assert (got["filter"], got["envelope-from"], got["envelope-to"]) == (
        "json", "games@mx.test", "info@json.test")
    assert (got["subject"], got.get("text"), got.get("html")) == (subject, text, html)
    assert got["attachments"] == len(files)


@all_messages
def test_as_mailgun(site, octets, subject, text, html, files):
    request = posted(site, "gun", octets)
    got = form_of(request)
    assert (got["sender"], got["recipient"]) == ("games@mx.test", "info@gun.test")
    assert (got["subject"], got.get("body-plain"), got.get("body-html")) == (subject, text, html)
    assert files_of(got, "attachment-", "attachment-count") == files
    assert ["Subject", subject] in json.loads(got["message-headers"])
    signed = (got["timestamp"] + got["token"]).encode()
    assert got["signature"] == hmac.new(KEYS[0].encode(), signed, hashlib.sha256).hexdigest()
    assert request.is_signed_by(*KEYS)


# refused for now

@pytest.mark.parametrize("status, dsn", [
    (500, "4.3.0"), (502, "4.3.0"), (503, "4.3.2"), (429, "4.3.2"), (408, "4.4.2"),
    (425, "4.3.2"), (403, "4.3.0"), (404, "4.3.0"), (302, "4.3.5"), (308, "4.3.5"),
])
def test_refused_for_now_and_delivered_later(site, status, dsn):
    site.receiver.answer(status, headers=(f"Location: {site.endpoint.url('/elsewhere')}",
                                          "Retry-After: 60"))
    line = outside(site, site.send("info@crm.test"), dsn)
    assert f"status {status}" in line
    site.receiver.answer(200)
    site.mx.retry_until_empty()
    assert [request.path for request in site.receiver.requests] == ["/crm", "/crm"]
    assert list(site.receiver.ids.values()) == [2], "the same id at each try"
    first, second = site.receiver.requests
    assert first.body == second.body and second.is_signed_by(*KEYS)
    assert site.mx.mailbox("games") == []


@pytest.mark.parametrize("webhook, dsn", [
    ("slow", "4.4.2"), ("other", "4.7.5"), ("own", "4.7.5"), ("down", "4.4.1"),
    ("private", "4.3.5"),
])
def test_what_is_no_answer(site, webhook, dsn):
    if webhook == "slow":
        site.receiver.answer(200, stays_s=30)
    outside(site, site.send(f"info@{webhook}.test"), dsn)
    assert [r.path for r in site.receiver.requests] == (["/slow"] if webhook == "slow" else [])
    assert site.mx.mailbox("games") == []


# refused for good

@pytest.mark.parametrize("webhook, status, dsn", [
    ("crm", 406, "5.6.0"), ("crm", 410, "5.1.6"), ("strict", 403, "5.3.0"),
    ("strict", 422, "5.3.0"), ("strict", 406, "5.6.0"),
])
def test_refused_for_good_is_returned(site, webhook, status, dsn):
    site.receiver.answer(status)
    line = site.said(site.send(f"info@{webhook}.test"), "bounced")
    assert f"dsn={dsn}" in line
    report = site.mx.wait_for_mailbox("games")[0]
    assert f"status {status}" in report and f"<info@{webhook}.test>" in report
    assert "waybill.invalid" not in report
    site.settle()
    assert len(site.receiver.requests) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500])
def test_temporary_stays_temporary_with_reject(site, status):
    site.receiver.answer(status)
    site.send("info@strict.test")
    site.mx.wait_for_deferred()


# several recipients

def test_recipients_of_one_message_have_results_of_their_own(site):
    site.receiver.answer(500, path="/desk")
    site.receiver.answer(406, path="/strict")
    site.send("info@crm.test", "info@desk.test", "info@strict.test", "two@crm.test")
    site.mx.wait_for_mailbox("games")
    site.mx.wait_for_deferred()
    site.receiver.answer(200, path="/desk")
    site.mx.retry_until_empty()
    got = [(r.path, r.header("X-Waybill-To")) for r in site.receiver.requests]
    assert sorted(got) == [("/crm", "info@crm.test"), ("/crm", "two@crm.test"),
                           ("/desk", "info@desk.test"), ("/desk", "info@desk.test"),
                           ("/strict", "info@strict.test")]
    assert len(site.receiver.ids) == 4
    assert len(site.mx.mailbox("games")) == 1


# much

def test_a_large_message_needs_little_memory(site):
    site.lmtpd.forget_most_memory()
    line = "y" * 76 + "\r\n"
    text = letter("games@mx.test", "info@crm.test", body=line * (25_000_000 // len(line)))
    site.send("info@crm.test", text=text)
    site.settle(60)
    request, = site.receiver.requests
    assert request.body.endswith(b"y\r\n") and len(request.body) > 25_000_000
    assert request.is_signed_by(*KEYS)
    assert site.lmtpd.most_memory_kb() < LIMIT_KB


def send_numbers(site, numbers):
    """A message to each of u0, u1 and so on."""
    replies = send_many(site.mx, len(numbers), 10,
                        lambda i: ("games@mx.test", [f"u{numbers[i]}@crm.test"], None))
    assert {reply.code for reply in replies} == {250}


def recipients_posted(site):
    return sorted(r.header("X-Waybill-To") for r in site.receiver.requests)


def eager_site(width):
    """Postfix begins with so many at one time, not with 5."""
    need(Endpoint.missing())
    return HookSite(width=width,
                    main={"waybill-lmtp_initial_destination_concurrency": str(width)})


@pytest.fixture
def fifty_site(programs):
    made = eager_site(50)
    try:
        yield made
    finally:
        made.close()


def test_a_thousand_messages_are_posted_exactly_once(fifty_site):
    """50 at one time and never more: the first are held until so many are
    open."""
    site = fifty_site
    site.receiver.hold()
    send_numbers(site, range(100))
    site.receiver.wait_for_waiting(50, 20, site.mx.log)
    site.receiver.release()
    send_numbers(site, range(100, 1000))
    site.receiver.wait_for(1000, 120, site.mx.log)
    site.settle(60)
    assert site.receiver.most_waiting == 50
    assert recipients_posted(site) == sorted(f"u{i}@crm.test" for i in range(1000))
    assert set(site.receiver.ids.values()) == {1}
    assert site.lmtpd.most_memory_kb() < LIMIT_KB


@pytest.fixture
def wide_site(programs):
    made = eager_site(200)
    try:
        yield made
    finally:
        made.close()


def test_two_hundred_posts_at_one_time(wide_site):
    """All of them held by the receiver, while Postfix waits for each."""
    site = wide_site
    site.receiver.hold()
    send_numbers(site, range(200))
    site.receiver.wait_for_waiting(200, 120, site.mx.log)
    assert site.lmtpd.most_memory_kb() < LIMIT_KB
    site.receiver.release()
    site.settle(60)
    assert recipients_posted(site) == sorted(f"u{i}@crm.test" for i in range(200))
    assert site.lmtpd.most_memory_kb() < LIMIT_KB


# killed

def kill_mta(mx):
    """All of its processes, at once."""
    if mx.kind == "sendmail":
        mx.stop()
        return
    pid = mx.master_pid()
    os.killpg(pid, signal.SIGKILL)
    wait_for("the end of Postfix", lambda: not mx.workers())
    mx.running = False


def flush_until(site, wait, tries=60):
    """A flush that comes too early is lost on mail that is deferred after it."""
    for left in reversed(range(tries)):
        site.mx.flush()
        try:
            return wait(1)
        except LabError:
            if left == 0:
                raise


@pytest.mark.parametrize("victim", ["waybill-lmtp", "mta"])
def test_killed_in_the_middle(site, victim):
    """Three times while posts have arrived and nobody has been told. Nothing
    is lost, and what is posted twice has the same id."""
    site.receiver.hold()
    send_numbers(site, range(200))
    for _ in range(3):
        flush_until(site, lambda t: site.receiver.wait_for_waiting(5, t))
        if victim == "mta":
            kill_mta(site.mx)
            site.mx.start()
        else:
            site.lmtpd.kill()
            site.lmtpd.start(site.waybill)
        done = len(site.receiver.requests)
        site.receiver.answer(200, stays_s=0.1)
        site.receiver.release()
        flush_until(site, lambda t: site.receiver.wait_for(done + 20, t))
        site.receiver.hold()
    assert len(site.receiver.ids) < 200, "it was all over before the last kill"
    site.receiver.release()
    site.mx.retry_until_empty(120)
    by_id = {r.id: r.header("X-Waybill-To") for r in site.receiver.requests}
    assert sorted(by_id.values()) == sorted(f"u{i}@crm.test" for i in range(200))
    assert len(site.receiver.requests) > 200, "no kill hit a post"


def test_mail_waits_while_waybill_lmtp_is_away(site):
    site.lmtpd.stop()
    try:
        site.send("info@crm.test")
        site.mx.wait_for_deferred()
    finally:
        site.lmtpd.start(site.waybill)
    site.mx.retry_until_empty()
    assert len(site.receiver.requests) == 1
