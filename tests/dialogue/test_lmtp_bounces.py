"""Bounces and other payloads on their way through waybill-lmtp."""

import fcntl
import json
import pathlib
import sys
import threading

import pytest

from lmtp import mark, webhook

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "unit"))
import formdata  # noqa: E402

SAMPLES = TESTS / "samples"
RETURN = "info@return.example.com"
BOUNCE = mark(RETURN, filter_="bounces")
FORM = mark("info@form.test")


def sample(kind, name):
    return (SAMPLES / kind / f"{name}.eml").read_bytes()


def configure(daemon, receiver, *options, report=""):
    daemon.configure(
        webhook("crm", receiver.url(), *options).replace("format = raw", "", 1)
        + f'bounces {{ domains = "return.example.com"  webhook = crm  {report} }}\n')


@pytest.fixture(name="start")
def fixture_start(make_lmtp, receiver):
    """start(option ..., report=...): waybill-lmtp, whose webhook has format
    cmc unless an option says otherwise."""
    def start(*options, report=""):
        daemon = make_lmtp("")
        configure(daemon, receiver, *options, report=report)
        return daemon.start()
    return start


def send(daemon, recipient, octets, sender=""):
    with daemon.connect() as client:
        return client.send([recipient], octets, sender)[0]


def fields(request):
    return formdata.by_name(formdata.read(request.header("Content-Type"), request.body))


def lines(daemon):
    path = daemon.dir / "bounces.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# ---- posted -----------------------------------------------------------------

def test_mail_as_a_form(start, receiver):
    daemon = start('server_composition = "site"', 'signing_key_file = "keys"')
    reply = send(daemon, FORM, sample("mail", "shift-jis-outlook"), "a@remote.test")
    assert reply.startswith("250 2.0.0 webhook crm: posted (status 200), id ")
    request, = receiver.requests
    got = fields(request)
    assert (got["server_composition"].text, got["filter"].text) == ("site", "mailform")
    assert (got["envelope-from"].text, got["envelope-to"].text) == (
        "a@remote.test", "info@form.test")
    assert got["subject"].text == "①㈱の～件"
    assert got["attachment1"].filename == "①見積 表.xls"
    assert got["attachment1"].value == bytes(range(256))
    assert request.header("X-Waybill-Signature")
    assert request.header("X-Waybill-From") is None


def test_api_key(make_lmtp, receiver):
    daemon = make_lmtp("")
    daemon.write("api", "geheim\n")
    configure(daemon, receiver, 'api_key_file = "api"')
    daemon.start()
    send(daemon, FORM, sample("mail", "nested"))
    assert fields(receiver.requests[0])["api_key"].text == "geheim"
    assert "geheim" not in daemon.text()


@pytest.mark.parametrize("form, type_", [("cmc-json", "application/json"),
                                         ("mailgun", "multipart/form-data"),
                                         ("raw", "message/rfc822")])
def test_other_formats(start, receiver, form, type_):
    message = sample("mail", "euc-jp")
    send(start(f"format = {form}"), FORM, message, "a@remote.test")
    request, = receiver.requests
    assert request.header("Content-Type").split(";")[0] == type_
    if form == "cmc-json":
        assert json.loads(request.body)["subject"] == "日本語の題名"
    elif form == "mailgun":
        assert fields(request)["body-plain"].text == "本文です。\nカタカナ ｱｲｳ\n"
    else:
        assert request.body == message


def test_bounce_as_an_event(start, receiver):
    reply = send(start(), BOUNCE, sample("bounce", "marked"))
    assert reply.startswith("250 2.0.0 webhook crm: posted")
    request, = receiver.requests
    got = fields(request)
    assert got["event_type"].text == "bounces"
    bounce, = json.loads(got["event"].text)["bounces"]
    assert (bounce["from"], bounce["to"], bounce["kind"], bounce["returnPath"]) == (
        "info@example.com", "a@remote.test", "hard", RETURN)
    assert bounce["id"] == request.header("X-Waybill-Id")


def test_each_try_posts_the_same_event(start, receiver):
    daemon, octets = start("format = cmc-json"), sample("bounce", "postfix-hard")
    receiver.answer(503)
    assert send(daemon, BOUNCE, octets).startswith("451")
    receiver.answer(200)
    assert send(daemon, BOUNCE, octets).startswith("250")
    first, second = (request.body for request in receiver.requests)
    assert first == second


def test_reply_to_a_return_path_is_posted_as_mail(start, receiver):
    send(start(), BOUNCE, sample("bounce", "person"), "a@remote.test")
    got = fields(receiver.requests[0])
    assert got["filter"].text == "bounces" and got["subject"].text == "Re: order"


# ---- logged -----------------------------------------------------------------

LOG = 'report = log  log_file = "bounces.log"'
BOTH = 'report = both  log_file = "bounces.log"'


def test_log_instead_of_posting(start, receiver):
    daemon = start(report=LOG)
    reply = send(daemon, BOUNCE, sample("bounce", "postfix-two-recipients"))
    assert reply.startswith("250 2.0.0 webhook crm: the bounce is in the log, id ")
    assert receiver.requests == []
    first, second = lines(daemon)
    assert (first["to"], first["kind"], second["to"], second["kind"]) == (
        "a@remote.test", "hard", "b@remote.test", "full")
    assert first["id"] == second["id"] == reply.split("id ")[1]
    assert (daemon.dir / "bounces.log").stat().st_mode & 0o777 == 0o640


def test_what_is_no_bounce_is_not_logged_but_posted(start, receiver):
    daemon = start(report=LOG)
    for name in ("person", "auto-reply", "postfix-delayed"):
        assert send(daemon, BOUNCE, sample("bounce", name)).startswith("250")
    assert send(daemon, FORM, sample("bounce", "postfix-hard")).startswith("250")
    assert len(receiver.requests) == 4 and lines(daemon) == []


def test_log_as_well(start, receiver):
    daemon = start(report=BOTH)
    octets = sample("bounce", "qmail-full")
    receiver.answer(503)
    assert send(daemon, BOUNCE, octets).startswith("451")
    assert lines(daemon) == []                    # the queue tries again
    receiver.answer(200)
    assert send(daemon, BOUNCE, octets).startswith("250")
    assert [line["kind"] for line in lines(daemon)] == ["full", "blocked"]
    receiver.answer(410)                          # this one will not come again
    assert send(daemon, BOUNCE, octets).startswith("550")
    assert len(lines(daemon)) == 4


def test_log_moved_away(start):
    daemon = start(report=LOG)
    send(daemon, BOUNCE, sample("bounce", "qmail-hard"))
    (daemon.dir / "bounces.log").rename(daemon.dir / "bounces.log.1")
    send(daemon, BOUNCE, sample("bounce", "qmail-soft"))
    assert [line["kind"] for line in lines(daemon)] == ["soft"]


def test_log_on_a_full_disk(start, receiver):
    daemon = start(report=LOG.replace("bounces.log", "/dev/full"))
    reply = send(daemon, BOUNCE, sample("bounce", "qmail-hard"))
    assert reply.startswith("452 4.3.1 ") and receiver.requests == []
    daemon.wait_for_log("/dev/full is not a regular file")


def test_log_that_is_a_folder(start, receiver):
    daemon = start(report=LOG)
    (daemon.dir / "bounces.log").mkdir()
    reply = send(daemon, BOUNCE, sample("bounce", "qmail-hard"))
    assert reply.startswith("452 4.3.1 ") and receiver.requests == []
    daemon.wait_for_log("bounces.log: cannot be opened: Is a directory")


def test_log_that_another_holds(start):
    daemon = start(report=LOG)
    with (daemon.dir / "bounces.log").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert send(daemon, BOUNCE, sample("bounce", "qmail-hard")).startswith("452 4.3.1 ")
        daemon.wait_for_log("holds its lock")
    assert send(daemon, BOUNCE, sample("bounce", "qmail-hard")).startswith("250")
    assert len(lines(daemon)) == 1


def test_many_at_once(start):
    """Lines of several threads are never mixed."""
    daemon = start(report=LOG)
    replies = []
    octets = sample("bounce", "postfix-two-recipients")
    threads = [threading.Thread(target=lambda: replies.append(send(daemon, BOUNCE, octets)))
               for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(replies) == 20 and all(reply.startswith("250") for reply in replies)
    assert [line["to"] for line in lines(daemon)] == ["a@remote.test", "b@remote.test"] * 20
