"""waybill deliver-test: one post, shown."""

import json
import subprocess

import pytest

from lmtp import LETTER, SIGNING_KEYS, webhook


@pytest.fixture
def make(build, make_lmtp, receiver):
    """make(*options of the webhook): a function that runs deliver-test."""
    def configure(*options, url=None):
        daemon = make_lmtp(webhook("crm", url or receiver.url("/hook?a=b"), *options))
        daemon.write("key", "t0ken\n")

        def run(*arguments, message="letter", stdin=b""):
            (daemon.dir / "letter").write_bytes(LETTER)
            words = [build / "waybill", "deliver-test", "-c", daemon.conf, "--webhook", "crm",
                     *arguments, "-" if message == "-" else daemon.dir / message]
            done = subprocess.run(words, input=stdin, capture_output=True, timeout=60,
                                  check=False)
            done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
            assert "t0ken" not in done.stdout + done.stderr
            assert not any(key in done.stdout + done.stderr for key in SIGNING_KEYS)
            return done
        return run
    return configure


def test_the_request_and_the_answer_are_shown(make, receiver):
    receiver.answer(202, headers=("X-Odd: \x1b[1m",), body_octets=3)
    done = make('signing_key_file = "keys"', 'token_file = "key"')()
    request, = receiver.requests
    assert done.returncode == 0, done.stderr
    assert request.body == LETTER and request.is_signed_by(*SIGNING_KEYS)
    assert request.header("Authorization") == "Bearer t0ken"
    lines = done.stdout.splitlines()
    assert lines[0] == f"webhook crm: {receiver.url('/hook?a=b')}"
    for line in ("> POST /hook?a=b HTTP/1.1", "> Authorization: Bearer (not shown)",
                 "> Content-Type: message/rfc822", f"> X-Waybill-Id: {request.id}",
                 f"> X-Waybill-Signature: {request.header('X-Waybill-Signature')}",
                 "> X-Waybill-From: sender@example.com", "> X-Waybill-To: recipient@example.com",
                 "> X-Waybill-Filter: test", f"> ({len(LETTER)} octets)",
                 "< HTTP/1.1 202 Said", "< X-Odd: \\x1B[1m", "< xxx", "outcome done",
                 f"reply   250 2.0.0 webhook crm: posted (status 202), id {request.id}"):
        assert line in lines, done.stdout


def test_basic_is_not_shown(make, receiver):
    done = make('username = "shop"', 'password_file = "key"')()
    assert receiver.requests[0].header("Authorization").startswith("Basic ")
    assert "> Authorization: Basic (not shown)" in done.stdout.splitlines()


def test_json(make, receiver):
    receiver.answer(500, body_octets=4, headers=("Retry-After: 7",))
    done = make('token_file = "key"')("--json", "--from", "", "--to", "Info@Form.test",
                                      "--filter", "mailform")
    assert done.returncode == 75
    got, request = json.loads(done.stdout), receiver.requests[0]
    assert (got["webhook"], got["outcome"], got["error"], got["id"]) == \
        ("crm", "retry", None, request.id)
    assert got["reply"].startswith("451 4.3.0 ")
    assert got["request"]["line"] == "POST /hook?a=b HTTP/1.1"
    assert got["request"]["octets"] == len(LETTER)
    sent = {h["name"]: h["value"] for h in got["request"]["headers"]}
    assert sent["Authorization"] == "(not shown)" and sent["X-Waybill-From"] == "<>"
    assert sent["X-Waybill-To"] == "Info@Form.test" and sent["X-Waybill-Filter"] == "mailform"
    assert got["response"]["status"] == 500 and got["response"]["body"] == "xxxx"
    assert {"name": "Retry-After", "value": "7"} in got["response"]["headers"]


@pytest.mark.parametrize("status, code, outcome", [
    (200, 0, "done"), (307, 75, "retry"), (403, 75, "retry"), (429, 75, "retry"),
    (503, 75, "retry"), (406, 69, "reject"), (410, 69, "reject")])
def test_exit_codes(make, receiver, status, code, outcome):
    receiver.answer(status)
    done = make()()
    assert done.returncode == code and f"outcome {outcome}\n" in done.stdout
    assert len(receiver.requests) == 1


def test_no_answer(make):
    done = make(url="http://127.0.0.1:1/")("--json")
    got = json.loads(done.stdout)
    assert done.returncode == 75 and got["response"] is None and got["request"] is None
    assert got["reply"].startswith("451 4.4.1 ") and "127.0.0.1" in got["error"]


@pytest.mark.parametrize("octets, body", [
    (b"a\nb\n", b"a\r\nb\r\n"), (b"a\r\nb\n\n", b"a\r\nb\r\n\r\n"), (b"", b""),
    (b"\n" * 40000, b"\r\n" * 40000), (b"x" * 16383 + b"\r\n", b"x" * 16383 + b"\r\n"),
    (b"a\rb", b"a\rb")], ids=["lf", "mixed", "nothing", "many", "split-crlf", "lone-cr"])
def test_lines_end_as_lmtp_ends_them(make, receiver, octets, body):
    done = make()(message="-", stdin=octets)
    assert done.returncode == 0 and [r.body for r in receiver.requests] == [body]


@pytest.mark.parametrize("arguments, message, code, told", [
    ((), "no-such", 66, "No such file"),
    ((), ".", 66, "directory"),
    (("--to", "a b@c"), "letter", 65, "a b@c"),
    (("--webhook", "desk"), "letter", 78, "there is no such webhook"),
    (("--foo",), "letter", 64, "not understood"),
])
def test_what_goes_wrong(make, receiver, arguments, message, code, told):
    done = make()(*arguments, message=message)
    assert done.returncode == code and told in done.stderr
    assert receiver.requests == []


def test_usage(build):
    def run(*arguments):
        return subprocess.run([build / "waybill", "deliver-test", *arguments], text=True,
                              capture_output=True, timeout=60, check=False)
    assert run("--help").stdout.startswith("usage: waybill deliver-test ")
    assert run().returncode == 64
    assert run("letter").returncode == 64
    assert run("--webhook", "crm").returncode == 64
