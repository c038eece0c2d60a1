"""What waybill-lmtp posts, and what becomes of each answer."""

import base64
import os
import resource
import socket
import threading
import time

import pytest

from lab.basics import free_port
from lmtp import LETTER, SIGNING_KEYS, mark, webhook

TO = mark("info@form.test")


def post(daemon, recipients=(TO,), octets=LETTER):
    with daemon.connect() as client:
        return client.send(list(recipients), octets)


class Later:
    """A message on its way in a thread of its own."""

    def __init__(self, daemon, *recipients):
        self.replies = None
        self._thread = threading.Thread(target=self._run, args=(daemon, recipients))
        self._thread.start()

    def _run(self, daemon, recipients):
        self.replies = post(daemon, recipients or (TO,))

    def wait(self):
        self._thread.join(60)
        assert self.replies, "no reply in 60 s"
        return self.replies


# the request

def test_the_request(lmtpd, receiver):
    assert post(lmtpd)[0].startswith("250 2.0.0 webhook crm: posted (status 200), id ")
    request, = receiver.requests
    assert request.line == "POST /hook HTTP/1.1"
    assert request.body == LETTER
    assert {name: request.header(name) for name in (
        "Content-Type", "Content-Length", "X-Waybill-Webhook", "X-Waybill-Filter",
        "X-Waybill-From", "X-Waybill-To", "Expect", "Transfer-Encoding", "Authorization")} == {
            "Content-Type": "message/rfc822", "Content-Length": str(len(LETTER)),
            "X-Waybill-Webhook": "crm", "X-Waybill-Filter": "mailform",
            "X-Waybill-From": "a@remote.test", "X-Waybill-To": "info@form.test",
            "Expect": None, "Transfer-Encoding": None, "Authorization": None}
    assert request.header("User-Agent").startswith("waybill/")
    assert request.is_signed_by(*SIGNING_KEYS)
    assert not request.is_signed_by(*reversed(SIGNING_KEYS))


def test_signing_keys_rotate(lmtpd, receiver):
    first, second = SIGNING_KEYS
    for keys in ((first,), (second, first), (second,)):
        lmtpd.write("keys", "".join(key + "\n" for key in keys))
        lmtpd.reload()
        post(lmtpd)
        assert receiver.requests[-1].is_signed_by(*keys)
    lmtpd.configure(webhook("crm", receiver.url()))
    lmtpd.reload()
    post(lmtpd)
    assert receiver.requests[-1].header("X-Waybill-Signature") is None


def test_the_id_stays_the_same_at_each_try(lmtpd, receiver):
    receiver.answer(500)
    assert [r[:3] for r in (post(lmtpd) + post(lmtpd))] == ["451", "451"]
    lmtpd.stop()
    lmtpd.start()
    receiver.answer(200)
    assert post(lmtpd)[0].startswith("250")
    assert list(receiver.ids.values()) == [3]


def test_the_id_tells_messages_and_recipients_apart(lmtpd, receiver):
    post(lmtpd, [TO, mark("two@form.test"), mark("info@form.test", filter_="other")])
    post(lmtpd, [TO], LETTER + b"more\r\n")
    with lmtpd.connect() as client:
        client.send([TO], sender="b@remote.test")
    assert sorted(receiver.ids.values()) == [1] * 5


@pytest.mark.parametrize("options, authorization", [
    (('username = "shop"', 'password_file = "key"'),
     "Basic " + base64.b64encode(b"shop:p\xc3\xa4ss w\xc3\xb6rd").decode()),
    (('token_file = "key"',), "Bearer t0ken.~+/=-_"),
])
def test_authorization(make_lmtp, receiver, options, authorization):
    daemon = make_lmtp(webhook("crm", receiver.url(), *options))
    daemon.write("key", "p\u00e4ss w\u00f6rd\n" if len(options) == 2 else "t0ken.~+/=-_\n")
    daemon.start()
    assert post(daemon)[0].startswith("250")
    assert receiver.requests[0].header("Authorization") == authorization
    assert "t0ken" not in daemon.text() and "p\u00e4ss" not in daemon.text()
    assert authorization.split()[1] not in daemon.text()


def test_the_environment_names_no_proxy(make_lmtp, receiver):
    daemon = make_lmtp(webhook("crm", receiver.url()))
    daemon.start(http_proxy="http://127.0.0.1:1", HTTP_PROXY="http://127.0.0.1:1",
                 all_proxy="http://127.0.0.1:1", ALL_PROXY="socks5://127.0.0.1:1")
    assert post(daemon)[0].startswith("250")


def test_connections_are_kept(lmtpd, receiver):
    for _ in range(5):
        post(lmtpd)
    assert len({request.client for request in receiver.requests}) == 1


def test_a_kept_connection_that_died_is_no_error(lmtpd, receiver):
    receiver.answer(200, is_last=True)
    for i in range(4):
        assert post(lmtpd, [mark(f"u{i}@form.test")])[0].startswith("250")
    assert len({request.client for request in receiver.requests}) == 4


def test_connections_are_not_shared_among_webhooks(make_lmtp, receiver):
    """One may allow what the other does not."""
    daemon = make_lmtp(webhook("crm", receiver.url("/a")) + webhook("desk", receiver.url("/b")))
    daemon.start()
    post(daemon, [TO, mark("a@form.test", "desk"), TO, mark("a@form.test", "desk")])
    clients = {request.path: request.client for request in receiver.requests}
    assert clients["/a"] != clients["/b"]


def test_two_recipients_with_different_webhooks(make_lmtp, receiver):
    daemon = make_lmtp(webhook("crm", receiver.url("/a")) + webhook("desk", receiver.url("/b"))
                       + webhook("form", receiver.url("/c"))).start()
    receiver.answer(503, path="/b")
    receiver.answer(406, path="/c")
    replies = post(daemon, [mark("x@form.test", "desk"), mark("x@form.test"),
                            mark("x@form.test", "form")])
    assert [reply[:9] for reply in replies] == ["451 4.3.2", "250 2.0.0", "554 5.6.0"]
    assert [request.path for request in receiver.requests] == ["/b", "/a", "/c"]


# answers

@pytest.mark.parametrize("status, reply", [
    (200, "250 2.0.0"), (201, "250 2.0.0"), (204, "250 2.0.0"), (299, "250 2.0.0"),
    (300, "451 4.3.5"), (301, "451 4.3.5"), (302, "451 4.3.5"), (307, "451 4.3.5"),
    (400, None), (401, None), (403, None), (404, None), (405, None), (413, None), (422, None),
    (406, "554 5.6.0"), (410, "550 5.1.6"),
    (408, "451 4.4.2"), (425, "451 4.3.2"), (429, "451 4.3.2"),
    (500, "451 4.3.0"), (502, "451 4.3.0"), (503, "451 4.3.2"), (504, "451 4.3.0"),
])
def test_statuses(make_lmtp, receiver, status, reply):
    daemon = make_lmtp(webhook("crm", receiver.url("/a"))
                       + webhook("desk", receiver.url("/b"), "client_error = reject")).start()
    receiver.answer(status)
    replies = post(daemon, [TO, mark("info@form.test", "desk")])
    assert [r[:9] for r in replies] == ([reply] * 2 if reply else ["451 4.3.0", "554 5.3.0"])
    assert all(f"status {status}" in r for r in replies)
    assert len(receiver.requests) == 2


def test_redirects_are_not_followed(lmtpd, receiver):
    receiver.answer(307, path="/hook", headers=(f"Location: {receiver.url('/other')}",))
    assert post(lmtpd)[0].startswith("451 4.3.5 ")
    assert [request.path for request in receiver.requests] == ["/hook"]
    lmtpd.wait_for_log("status=307")


def test_retry_after_is_only_logged(lmtpd, receiver):
    receiver.answer(429, headers=("Retry-After: 1234",))
    assert post(lmtpd)[0].startswith("451 4.3.2 ")
    lmtpd.wait_for_log("status=429", "retry_after_s=1234")


def test_a_slow_answer(make_lmtp, receiver):
    daemon = make_lmtp(webhook("crm", receiver.url(), "timeout_s = 1")).start()
    receiver.answer(200, stays_s=20)
    began = time.monotonic()
    assert post(daemon)[0].startswith("451 4.4.2 webhook crm: timed out")
    assert 0.9 < time.monotonic() - began < 10


def test_no_answer_at_all(lmtpd, receiver):
    receiver.answer(0)
    assert post(lmtpd)[0].startswith("451 4.4.2 webhook crm: the connection broke")


def test_an_answer_that_does_not_end(lmtpd, receiver):
    """Its status counts; the rest is not read."""
    receiver.answer(200, body_octets=50_000_000)
    assert post(lmtpd)[0].startswith("250 2.0.0 ")
    receiver.answer(500, body_octets=50_000_000)
    assert post(lmtpd)[0].startswith("451 4.3.0 ")


def test_headers_that_do_not_end(lmtpd, receiver):
    receiver.answer(200, headers=tuple(f"X-{i}: {'x' * 1000}" for i in range(200)))
    assert post(lmtpd)[0].startswith("451 4.4.2 ")


@pytest.fixture
def odd_server():
    """odd_server(octets): the URL of a server that answers so, whatever it is
    asked."""
    listener = socket.create_server(("127.0.0.1", 0))
    said = []

    def run():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.recv(65536)
                client.sendall(said[0])

    def start(octets):
        said.append(octets)
        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize("octets", [b"250 Ok\r\n", b"\0\xff" * 100, b"HTTP/1.1 abc\r\n\r\n",
                                    b"HTTP/1.1 200 Ok\r\nContent-Length: 9\r\n\r\nx"])
def test_what_is_no_http(make_lmtp, odd_server, octets):
    daemon = make_lmtp(webhook("crm", odd_server(octets))).start()
    assert post(daemon)[0].startswith("451 4.4.2 ")


def test_nobody_listens(make_lmtp):
    daemon = make_lmtp(webhook("crm", f"http://127.0.0.1:{free_port()}/")).start()
    assert post(daemon)[0].startswith("451 4.4.1 webhook crm: does not answer")


def test_a_name_that_is_none(make_lmtp):
    daemon = make_lmtp(webhook("crm", "http://no-such-host.invalid/", "timeout_s = 5")).start()
    assert post(daemon)[0][:9] in ("451 4.4.3", "451 4.4.2")  # the latter without any DNS


def test_a_name_for_a_private_address(make_lmtp, receiver):
    """What counts is the address that is connected to."""
    daemon = make_lmtp(f'webhook crm {{ url = "https://localhost:{receiver.port}/" '
                       'format = raw }\n').start()
    assert post(daemon)[0].startswith("451 4.3.5 webhook crm: its address is not a public one")
    assert receiver.requests == []


def test_tls_where_there_is_none(make_lmtp, odd_server):
    url = odd_server(b"HTTP/1.1 400 Bad Request\r\n\r\n").replace("http:", "https:")
    daemon = make_lmtp(webhook("crm", url)).start()
    assert post(daemon)[0].startswith("451 4.7.5 webhook crm: TLS failed")


# many at one time

def test_posts_at_one_time_are_bounded(make_lmtp, receiver):
    """The third waits a while and is left to the queue; another webhook does
    not notice."""
    daemon = make_lmtp(webhook("crm", receiver.url(), "concurrency = 2")
                       + webhook("desk", receiver.url("/b"))).start()
    receiver.hold()
    first, second = Later(daemon), Later(daemon)
    receiver.wait_for_waiting(2, log=daemon.text)
    assert post(daemon)[0].startswith("451 4.3.2 webhook crm: is busy with other posts")
    other = Later(daemon, mark("a@form.test", "desk"))
    receiver.wait_for_waiting(3, log=daemon.text)
    receiver.release()
    assert [later.wait()[0][:3] for later in (first, second, other)] == ["250"] * 3
    assert len(receiver.requests) == 3


def test_who_waits_is_next(make_lmtp, receiver):
    daemon = make_lmtp(webhook("crm", receiver.url(), "concurrency = 1")).start()
    receiver.answer(200, stays_s=0.05)
    assert [later.wait()[0][:3] for later in [Later(daemon) for _ in range(12)]] == ["250"] * 12


def test_a_client_that_goes_is_not_posted_for_any_more(lmtpd, receiver):
    """It will come again: what was posted meanwhile would only be double."""
    receiver.hold()
    with lmtpd.connect() as client:
        assert client.envelope("a@b.test", [mark(f"u{i}@form.test") for i in range(5)])
        client.content(LETTER)
        receiver.wait_for_waiting(1, log=lmtpd.text)
    receiver.release()
    lmtpd.wait_for_log("to=<u0@form.test>", "status=200")
    with lmtpd.connect() as client:
        assert client.send([TO])[0].startswith("250")
    assert [r.header("X-Waybill-To") for r in receiver.requests] == ["u0@form.test",
                                                                     "info@form.test"]


def spool_files(daemon):
    """The files without a name that it has open."""
    fds = f"/proc/{daemon.process.pid}/fd"
    return [link for link in (os.readlink(f"{fds}/{fd}") for fd in os.listdir(fds))
            if "(deleted)" in link]


def test_nothing_is_left_in_the_spool(lmtpd, receiver):
    before = sorted(path.name for path in lmtpd.dir.iterdir())
    receiver.hold()
    with lmtpd.connect() as client:
        client.envelope("a@b.test", [TO])
        client.content(LETTER)
        receiver.wait_for_waiting(1, log=lmtpd.text)
        assert len(spool_files(lmtpd)) == 2
        assert sorted(path.name for path in lmtpd.dir.iterdir()) == before
        receiver.release()
        assert client.reply().startswith("250")
        assert client.say("NOOP").startswith("250")
        assert spool_files(lmtpd) == []


def test_a_spool_that_is_full(lmtpd, receiver):
    """As a limit on the size of files makes it."""
    resource.prlimit(lmtpd.process.pid, resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
    with lmtpd.connect() as client:
        assert client.send([TO], LETTER * 1000)[0] == "452 4.3.1 resources are missing here"
        assert client.send([TO])[0].startswith("250 2.0.0 ")
    assert len(receiver.requests) == 1
    lmtpd.wait_for_log("452 4.3.1", "a spool file cannot be written")
