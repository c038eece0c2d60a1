"""What is read from bounces of every form that is known, and how it is posted.
The samples have each program's layout and the words by which it is known; all
else in them was made up."""

import json
import pathlib
import subprocess

import pytest

import formdata

SAMPLES = pathlib.Path(__file__).resolve().parent.parent / "samples/bounce"

# name, kind, form, (kind, recipient, code) of each recipient
ROWS = [
    ("au-disabled", "hard", "au", [("hard", "a@ezweb.ne.jp", "5.0.0")]),
    ("au-expired", "soft", "au", [("soft", "a@ezweb.ne.jp", "")]),
    ("au-filter", "blocked", "dsn", [("blocked", "a@au.com", "5.0.0")]),
    ("au-full", "full", "au", [("full", "a@ezweb.ne.jp", "")]),
    ("au-mailbox", "full", "au", [("full", "a@auone.test", "")]),
    ("au-rejected", "hard", "au", [("hard", "a@ezweb.ne.jp", "5.0.0")]),
    ("auto-reply", "auto-reply", "", []),
    ("broken-boundary", "hard", "text", [("hard", "a@remote.test", "5.1.1")]),
    ("complaint", "complaint", "arf", [("complaint", "a@remote.test", "")]),
    ("docomo-filter", "blocked", "dsn", [("blocked", "a@docomo.ne.jp", "5.2.0")]),
    ("docomo-full", "full", "dsn", [("full", "a@docomo.ne.jp", "5.0.0")]),
    ("docomo-hard", "hard", "dsn", [("hard", "a@docomo.ne.jp", "5.1.1")]),
    ("empty-status", "hard", "text", [("hard", "a@remote.test", "5.1.1")]),
    ("exchange-2003", "hard", "exchange", [("hard", "a@remote.test", "5.1.1")]),
    ("exchange-2007", "hard", "exchange", [("hard", "a@remote.test", "5.1.1")]),
    ("exchange-access-denied", "hard", "dsn", [("hard", "a@remote.test", "5.4.1")]),
    ("exchange-full", "full", "exchange", [("full", "a@remote.test", "5.2.2")]),
    ("exchange-hard", "hard", "dsn", [("hard", "a@remote.test", "5.1.10")]),
    ("exim-delayed", "delayed", "exim", [("delayed", "a@remote.test", "")]),
    ("exim-full", "full", "exim", [("full", "a@remote.test", ""), ("soft", "b@remote.test", "")]),
    ("exim-hard", "hard", "exim", [("hard", "a@remote.test", "5.0.0")]),
    ("exim-header-only", "soft", "exim", [("soft", "a@remote.test", "")]),
    ("gmail-delay", "delayed", "gmail", [("delayed", "a@gmail.test", "")]),
    ("gmail-full", "full", "dsn", [("full", "a@gmail.test", "4.2.2")]),
    ("gmail-hard", "hard", "dsn", [("hard", "a@gmail.test", "5.1.1")]),
    ("gmail-old", "hard", "gmail", [("hard", "a@gmail.test", "5.1.1")]),
    ("gmail-unauthenticated", "blocked", "dsn", [("blocked", "a@gmail.test", "5.7.26")]),
    ("japanese", "full", "text", [("full", "a@remote.test", "")]),
    ("marked-srs", "hard", "qmail", [("hard", "other@elsewhere.test", "5.1.1")]),
    ("marked", "hard", "dsn", [("hard", "a@remote.test", "5.1.1")]),
    ("newsletter", "none", "", []),
    ("no-address", "hard", "dsn", [("hard", "a@remote.test", "5.0.0")]),
    ("null-sender", "none", "", []),
    ("out-of-office", "auto-reply", "", []),
    ("person", "none", "", []),
    ("postfix-blocked", "blocked", "dsn", [("blocked", "a@remote.test", "5.7.1")]),
    ("postfix-delayed", "delayed", "dsn", [("delayed", "a@remote.test", "4.4.1")]),
    ("postfix-delivered", "delivered", "dsn", [("delivered", "a@remote.test", "")]),
    ("postfix-expired", "soft", "dsn", [("soft", "a@remote.test", "4.4.1")]),
    ("postfix-full", "full", "dsn", [("full", "a@remote.test", "5.2.2")]),
    ("postfix-hard", "hard", "dsn", [("hard", "a@remote.test", "5.1.1")]),
    ("postfix-own-suffix", "hard", "dsn", [("hard", "a@docomo.ne.jp", "5.0.0")]),
    ("postfix-text", "hard", "postfix",
     [("hard", "a@remote.test", "5.1.1"),
      ("soft", "c@remote.test", "")]),
    ("postfix-two-recipients", "hard", "dsn",
     [("hard", "a@remote.test", "5.1.1"),
      ("full", "b@remote.test", "4.2.2"),
      ("delivered", "c@remote.test", "")]),
    ("postfix-utf8", "hard", "dsn", [("hard", "ä@remote.test", "5.1.1")]),
    ("qmail-full", "full", "qmail",
     [("full", "a@remote.test", "5.2.2"),
      ("blocked", "b@remote.test", "5.0.0")]),
    ("qmail-hard", "hard", "qmail", [("hard", "a@remote.test", "5.1.1")]),
    ("qmail-host", "hard", "qmail", [("hard", "a@nowhere.test", "5.1.2")]),
    ("qmail-soft", "soft", "qmail", [("soft", "a@remote.test", "4.4.1")]),
    ("receipt", "auto-reply", "", []),
    ("sendmail-full", "full", "sendmail", [("full", "a@remote.test", "5.0.0")]),
    ("sendmail-hard", "hard", "dsn", [("hard", "a@remote.test", "5.1.1")]),
    ("sendmail-text", "blocked", "sendmail", [("blocked", "a@remote.test", "5.7.1")]),
    ("sendmail-warning", "delayed", "sendmail", [("delayed", "a@remote.test", "")]),
    ("softbank-filter", "blocked", "dsn", [("blocked", "a@softbank.ne.jp", "5.2.0")]),
    ("softbank-hard", "hard", "dsn", [("hard", "a@softbank.ne.jp", "5.0.0")]),
    ("softbank-sender", "blocked", "dsn", [("blocked", "a@i.softbank.jp", "5.1.8")]),
]
NAMES = [row[0] for row in ROWS]

FAILURES = {"hard", "soft", "full", "blocked", "complaint"}

# What else is read from some of them: of the first recipient, or of all.
MORE = {
    "postfix-hard": {
        "reason": "550 5.1.1 <a@remote.test>: Recipient address rejected: "
                  "User unknown in virtual mailbox table",
        "remoteMta": "mx1.remote.test", "from": "info@example.com", "subject": "ご注文",
        "messageId": "<order1@example.com>", "created": "2023-11-14 22:13:20",
        "status": "bounced", "senderIp": "", "sourceIp": "", "apiData": ""},
    "postfix-utf8": {"finalRecipient": "ä@remote.test",
                     "reason": "550 5.1.1 宛先が存在しません"},
    "postfix-own-suffix": {"finalRecipient": "a@docomo.ne.jp"},
    "qmail-hard": {"reason": "192.0.2.1 does not like recipient. Remote host said: 550 5.1.1 "
                             "no mailbox here by that name Giving up on 192.0.2.1.",
                   "messageId": "<order1@example.com>", "subject": "ご注文"},
    "exim-full": {"reason": "mailbox is full (MTA-imposed quota exceeded while writing to file)"},
    "au-full": {"from": "info@example.com"},
    "exchange-2003": {"messageId": "", "from": ""},
    "gmail-old": {"messageId": "<order1@example.com>"},
    "japanese": {"reason": "メールボックスがいっぱいです mailbox full"},
    "marked": {"from": "info@example.com", "to": "a@remote.test",
               "finalRecipient": "forwarded@elsewhere.test"},
    "marked-srs": {"from": "Info@example.com", "to": "other@elsewhere.test"},
    "complaint": {"reason": "complaint: abuse, by Mailbox/1.0", "subject": "ご注文"},
    "broken-boundary": {"reason": "550 5.1.1 User unknown", "subject": "ご注文"},
}


@pytest.fixture(name="bounce", scope="module")
def fixture_bounce(build):
    def bounce(*args, stdin=b""):
        done = subprocess.run([build / "waybill", "bounce", *args], input=stdin,
                              capture_output=True, timeout=60, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()
    return bounce


def sample(name):
    return (SAMPLES / f"{name}.eml").read_bytes()


def read(bounce, name):
    status, out, err = bounce("--json", SAMPLES / f"{name}.eml")
    assert (status, err) == (0, "")
    return json.loads(out)


def test_every_sample_has_a_row():
    assert sorted(NAMES) == sorted(path.stem for path in SAMPLES.glob("*.eml"))


@pytest.mark.parametrize("name, kind, form, items", ROWS, ids=NAMES)
def test_sample(bounce, name, kind, form, items):
    got = read(bounce, name)
    assert (got["kind"], got["form"]) == (kind, form)
    assert [(b["kind"], b["to"], b["code"]) for b in got["bounces"]] == items
    for member, value in MORE.get(name, {}).items():
        assert got["bounces"][0][member] == value, member


def test_what_the_milter_told(bounce):
    got = read(bounce, "marked")
    assert (got["sender"], got["recipient"], got["age"]) == (
        "info@example.com", "a@remote.test", 3)
    got = read(bounce, "marked-srs")
    assert (got["sender"], got["recipient"], got["age"]) == ("Info@example.com", "", 0)
    assert read(bounce, "postfix-hard")["age"] == -1


def test_for_people(bounce):
    assert bounce(SAMPLES / "marked.eml") == (0, """\
hard
  form          dsn
  sender        info@example.com
  recipient     a@remote.test
  age           3 days
  reporting-mta mx.remote.test
  from          info@example.com
  subject       ご注文
  message-id    <order1@example.com>
hard <a@remote.test>
  final         forwarded@elsewhere.test
  code          5.1.1
  reason        550 5.1.1 unknown
""", "")


def test_standard_input_and_errors(bounce):
    assert bounce("-", stdin=sample("auto-reply")) == (0, "auto-reply\n", "")
    assert bounce("-") == (0, "none\n", "")
    assert bounce("/nowhere")[::2] == (
        66, "waybill bounce: /nowhere: No such file or directory\n")
    assert bounce("/")[0] == 66
    assert bounce()[0] == 64
    assert bounce("-", "-")[0] == 64
    assert bounce("--bogus", "-")[0] == 64


# ---- what is posted ---------------------------------------------------------

@pytest.mark.parametrize("name, kind, form, items", ROWS, ids=NAMES)
def test_event(post, name, kind, form, items):
    content_type, body = post("cmc", sample(name), api_key="geheim", filter_="bounces")
    got = formdata.by_name(formdata.read(content_type, body))
    failed = [item for item in items if item[0] in FAILURES]
    if kind not in FAILURES:
        assert not failed
        assert got["filter"].text == "bounces" and "event" not in got
        return
    assert set(got) == {"event_type", "server_composition", "api_key", "event"}
    assert (got["event_type"].text, got["api_key"].text) == ("bounces", "geheim")
    event = json.loads(got["event"].text)
    assert [(b["kind"], b["to"], b["code"]) for b in event["bounces"]] == failed
    for b in event["bounces"]:
        assert set(b) == {"created", "returnPath", "from", "to", "messageId", "reason",
                          "senderIp", "sourceIp", "status", "subject", "apiData",
                          "id", "kind", "code", "finalRecipient", "remoteMta"}
        assert (b["returnPath"], b["id"], b["status"]) == ("b@example.net", "id", "bounced")


def test_event_as_json(post):
    content_type, body = post("cmc-json", sample("postfix-two-recipients"), filter_="bounces")
    got = json.loads(body)
    assert content_type == "application/json"
    assert got["event_type"] == "bounces"
    assert [b["to"] for b in got["event"]["bounces"]] == ["a@remote.test", "b@remote.test"]


def test_a_persons_mail_is_not_lost(post):
    content_type, body = post("cmc", sample("person"), filter_="bounces")
    got = formdata.by_name(formdata.read(content_type, body))
    assert got["subject"].text == "Re: order"
    assert "550 5.1.1 User unknown" in got["text"].text


@pytest.mark.parametrize("form", ["mailgun", "raw"])
def test_other_formats_post_it_as_mail(post, form):
    message = sample("postfix-hard")
    posted, as_mail = post(form, message, filter_="bounces"), post(form, message)
    if form == "raw":
        assert posted == as_mail == ("message/rfc822", message)
    else:
        assert "attachment-2" in formdata.by_name(formdata.read(*posted))


def test_same_words_in_an_inbound_section_are_no_event(post):
    got = formdata.by_name(formdata.read(*post("cmc", sample("postfix-hard"))))
    assert "event" not in got and got["attachments"].text == "2"
