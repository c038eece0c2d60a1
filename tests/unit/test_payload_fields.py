"""What is posted, decoded as a receiver does, field by field."""

import base64
import email
import email.policy
import hashlib
import hmac
import json
import pathlib
import random
from email.message import EmailMessage

import pytest

import formdata

SAMPLES = pathlib.Path(__file__).resolve().parent.parent / "samples/mail"


def sample(name):
    return (SAMPLES / f"{name}.eml").read_bytes()


def fields(posted):
    return formdata.by_name(formdata.read(*posted))


def attachments(got, prefix="attachment"):
    count = int(got["attachments" if prefix == "attachment" else "attachment-count"].text)
    files = [field for name, field in got.items() if field.filename is not None]
    assert [field.name for field in files] == [f"{prefix}{i}" for i in range(1, count + 1)]
    return [(field.filename, field.type, field.value) for field in files]


# name, subject, text, html, attachments
ROWS = [
    ("iso-2022-jp", "お問い合わせの件 (1)", "こんにちは、世界。\n二行目です。", None,
     [("見積書.pdf", "application/pdf", b"%PDF-1.4\n\xff\0")]),
    ("iso-2022-jp-outlook", "①", "① ｱ", None, [("①.pdf", "application/pdf", b"x")]),
    ("shift-jis-outlook", "①㈱の～件", "髙橋様\n表示～ソ能\n", "<p>髙橋様</p>\n",
     [("①見積 表.xls", "application/vnd.ms-excel", bytes(range(256)))]),
    ("euc-jp", "日本語の題名", "本文です。\nカタカナ ｱｲｳ\n", None,
     [("とても長い名前の添付ファイルです.txt", "text/plain", "そのまま".encode("euc-jp"))]),
    ("utf-8", "😀 絵文字 A", "😀 café und so weiter\nFrom here", None,
     [("絵 😀.png", "image/png", b"\x89PNG\r\n"),
      ("長い名前.zip", "application/octet-stream", b"PK\3\4")]),
    ("nested", "nested", "plain\nsecond", "<i>html</i>",
     [("attachment1", "image/gif", b"GIF89a"),
      ("message2.eml", "message/rfc822",
       b"Subject: inner\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n"
       b"--i\r\n\r\ninner text\r\n--i--"),
      ('d_a"t.csv', "text/csv", b"a,b\r\n1,2")]),
    ("no-boundary", "lost", "--x\nContent-Type: text/plain\n\nhere\n--x--\n", None, []),
    ("base64-cut-off", "cut", "text", None,
     [("a.bin", "application/octet-stream", bytes(range(195)))]),
    ("not-base64", "lie", "text", None,
     [("a.bin", "application/octet-stream", b"This is not base64.\r\n\xff")]),
    ("wrong-charset", "=?utf-8?B?k/qWew==?=", "日本 abc\n", None,
     [("attachment1", "text/plain", "日本".encode("cp932") + b" abc\r\n")]),
    ("nul", "ab", "x\0y", None, [("a.bin", "application/octet-stream", b"\0\0")]),
    ("8-bit-headers", "日本語", "x", None,
     [("表計算.xls", "text/plain", b"y"), ("my file (1).pdf", "text/plain", b"z"),
      ("__", "text/plain", b"z")]),
    ("message", "outer", None, None,
     [("message1.eml", "message/rfc822", b"Subject: inner\r\n\r\nbody\r\n")]),
    ("format-flowed-latin", "Grüße", "> quoted line\nGrüße\n>> more\n\n-- \nShop\n> gone\n",
     None, []),
]


def test_every_sample_has_a_row():
    assert sorted(row[0] for row in ROWS) == sorted(path.stem for path in SAMPLES.glob("*.eml"))


@pytest.mark.parametrize("name, subject, text, html, files", ROWS, ids=[row[0] for row in ROWS])
def test_cmc(post, name, subject, text, html, files):
    got = fields(post("cmc", sample(name), api_key="\"geheim'&"))
    assert got["api_key"].text == "\"geheim'&"
    assert got["server_composition"].text == "site"
    assert got["filter"].text == "mailform"
    assert got["envelope-from"].text == "a@example.com"
    assert got["envelope-to"].text == "b@example.net"
    assert got["subject"].text == subject
    assert (got["text"].text if "text" in got else None) == text
    assert (got["html"].text if "html" in got else None) == html
    assert attachments(got) == files
    headers = json.loads(got["headers"].text)
    assert headers[1]["name"] == "From" and set(headers[1]) == {"name", "value"}
    assert [h["value"] for h in headers if h["name"] == "Subject"] == [subject]
    known = {"api_key", "server_composition", "filter", "envelope-from", "envelope-to",
             "subject", "text", "html", "attachments", "headers"}
    assert {n for n in got if not n.startswith("attachment")} <= known


@pytest.mark.parametrize("name, subject, text, html, files", ROWS, ids=[row[0] for row in ROWS])
def test_cmc_json(post, name, subject, text, html, files):
    content_type, body = post("cmc-json", sample(name))
    got = json.loads(body)
    assert content_type == "application/json"
    assert (got["subject"], got.get("text"), got.get("html")) == (subject, text, html)
    assert got["attachments"] == len(files)
    assert "api_key" not in got
    assert got["headers"] == json.loads(fields(post("cmc", sample(name)))["headers"].text)


def test_headers_as_they_are_read(post):
    got = json.loads(post("cmc-json", sample("8-bit-headers"))[1])
    headers = {h["name"]: h["value"] for h in got["headers"]}
    assert headers["From"] == "山田 <a@example.com>"
    assert headers["X-Jis"] == "日本語"
    assert headers["X-Euc"] == "日本語の題名"
    assert headers["X-Latin"] == "Café"
    assert headers["Received"] == (
        "from mail.example.com (mail.example.com [192.0.2.1])\t"
        "by mx.example.net (Postfix) with ESMTP id 4F2A\t"
        "for <b@example.net>; Tue, 14 Nov 2023 22:13:20 +0000 (UTC)")


@pytest.mark.parametrize("name, subject, text, html, files", ROWS, ids=[row[0] for row in ROWS])
def test_mailgun(post, name, subject, text, html, files):
    got = fields(post("mailgun", sample(name), signing_key="k" * 16))
    assert (got["recipient"].text, got["sender"].text) == ("b@example.net", "a@example.com")
    assert got["subject"].text == subject
    assert (got["body-plain"].text if "body-plain" in got else None) == text
    assert (got["body-html"].text if "body-html" in got else None) == html
    assert attachments(got, "attachment-") == files
    headers = json.loads(got["message-headers"].text)
    assert ["Subject", subject] in headers
    assert got["from"].text == dict(headers)["From"]
    assert got["timestamp"].text == "1700000000"
    signed = (got["timestamp"].text + got["token"].text).encode()
    assert got["signature"].text == hmac.new(b"k" * 16, signed, hashlib.sha256).hexdigest()


def test_mailgun_without_a_key_signs_nothing(post):
    got = fields(post("mailgun", sample("nested")))
    assert not {"timestamp", "token", "signature"} & set(got)


def test_mailgun_token_is_new_each_time(post):
    tokens = {fields(post("mailgun", sample("nul"), signing_key="k" * 16))["token"].text
              for _ in range(3)}
    assert len(tokens) == 3 and all(len(token) == 50 for token in tokens)


@pytest.mark.parametrize("text, stripped", [
    ("> a\nb\n>> c\nd\n", "b\nd\n"),
    ("a\n-- \nb\n> c\n", "a\n"),
    ("a\n--\nb\n", "a\n--\nb\n"),
    ("a\n-- b\n--", "a\n-- b\n--"),
    ("-- \nb", ""),
    ("a > b\n", "a > b\n"),
])
def test_stripped_text(post, text, stripped):
    got = fields(post("mailgun", b"\r\n" + text.replace("\n", "\r\n").encode()))
    assert got["stripped-text"].text == stripped


@pytest.mark.parametrize("name", [row[0] for row in ROWS])
def test_raw(post, name):
    assert post("raw", sample(name)) == ("message/rfc822", sample(name))


# ---- bounds -----------------------------------------------------------------

def multipart(parts, boundary="b"):
    start = f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n"
    return (start + "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
            + f"--{boundary}--\r\n").encode()


def test_too_many_parts(post):
    message = multipart([f"Content-Type: image/png\r\n\r\n{i}" for i in range(5000)])
    files = attachments(fields(post("cmc", message)))
    assert len(files) == 1000
    assert [value for _, _, value in files[:999]] == [str(i).encode() for i in range(999)]
    assert files[999][:2] == ("rest-of-message", "application/octet-stream")
    assert files[999][2] == message[message.index(b"--b\r\nContent-Type: image/png\r\n\r\n999\r"):]


def test_too_many_levels(post):
    head = "".join(f"Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n"
                   for i in range(200))
    message = (head + "\r\ndeep\r\n" + "".join(f"--b{i}--\r\n" for i in range(199, -1, -1))).encode()
    got = fields(post("cmc", message))
    assert "text" not in got
    [(_, type_, value)] = attachments(got)
    assert type_ == "application/octet-stream"
    assert value.startswith(b"--b100\r\n") and b"deep" in value and value.endswith(b"--b100--")


def test_as_many_levels_as_there_may_be(post):
    head = "".join(f"Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n"
                   for i in range(100))
    assert fields(post("cmc", (head + "\r\ndeep").encode()))["text"].text == "deep"


@pytest.mark.parametrize("field, count", [("X: " + "a" * 990, 550), ("X:", 2001)],
                         ids=["octets", "fields"])
def test_too_large_header(post, field, count):
    message = ("Subject: a\r\n" + f"{field}\r\n" * count + "\r\nbody\r\n").encode()
    got = fields(post("cmc", message))
    assert attachments(got) == [("message.eml", "message/rfc822", message)]
    assert got["subject"].text == "a"
    assert 500 < len(json.loads(got["headers"].text)) <= 2000


def test_too_large_header_of_a_part(post):
    part = "X: " + "a" * 20000 + "\r\n\r\nbody"
    assert attachments(fields(post("cmc", multipart([part, "\r\nx"])))) == [
        ("attachment1", "application/octet-stream", part.encode())]


@pytest.mark.parametrize("size", [16383, 16384, 16385, 40000])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_lines_as_long_as_buffers(post, size, end):
    message = multipart([end + "a" * size, end + "b" * size]).replace(b"\r\n", end.encode())
    assert fields(post("cmc", message))["text"].text == "a" * size + "\n" + "b" * size


# ---- any message ------------------------------------------------------------

WORDS = ["a", "日本語", "見積書", "Grüße", "😀", "x y", "長い名前の添付ファイル", "o'clock", "a;b", "(c)"]
CHARSETS = ["utf-8", "iso-2022-jp", "shift_jis", "euc-jp", "iso-8859-1", "us-ascii"]


def some_text(rng):
    """A charset and lines that it has."""
    charset = rng.choice(CHARSETS)
    def fits(word):
        try:
            return word.encode(charset) is not None
        except UnicodeEncodeError:
            return False
    words = [word for word in WORDS if fits(word)]
    return charset, "".join(" ".join(rng.choices(words, k=rng.randint(0, 9))) + "\n"
                            for _ in range(rng.randint(1, 6)))


def some_message(rng, depth=0):
    message = EmailMessage(policy=email.policy.SMTP)
    charset, text = some_text(rng)
    if depth == 0:
        message["From"] = "a@example.com"
        message["Subject"] = " ".join(rng.choices(WORDS, k=4))
    message.set_content(text, charset=charset,
                        cte=rng.choice(["base64", "quoted-printable"]))
    if rng.random() < .5:
        charset, text = some_text(rng)
        message.add_alternative(f"<p>{text}</p>\n", subtype="html", charset=charset,
                                cte=rng.choice(["base64", "quoted-printable"]))
    for _ in range(rng.randint(0, 3)):
        name = rng.choice([None, "".join(rng.choices(WORDS, k=rng.randint(1, 5))) + ".bin"])
        content = rng.randbytes(rng.randint(0, 500))
        message.add_attachment(content, "application", "x-test", filename=name)
    if depth < 2 and rng.random() < .3:
        message.add_attachment(some_message(rng, depth + 1))
    return message


@pytest.mark.parametrize("seed", range(60))
def test_same_as_another_reader(post, seed):
    """Python's email package, written by others, reads the same of it."""
    octets = some_message(random.Random(seed)).as_bytes()
    other = email.message_from_bytes(octets, policy=email.policy.SMTP)
    texts, htmls, files = [], [], []
    def walk(part):
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            for child in part.iter_parts():
                walk(child)
        elif part.get_content_type() == "message/rfc822":
            files.append((f"message{len(files) + 1}.eml", "message/rfc822", None))
        elif part.get_filename() is None and part.get_content_maintype() == "text":
            (texts if part.get_content_subtype() == "plain" else htmls).append(
                part.get_payload(decode=True).decode(part.get_content_charset())
                .replace("\r\n", "\n"))
        else:
            files.append((part.get_filename() or f"attachment{len(files) + 1}",
                          part.get_content_type(), part.get_payload(decode=True)))
    walk(other)
    got = fields(post("cmc", octets))
    assert got["subject"].text == other["Subject"]
    assert got["text"].text == "".join(texts)
    assert (got["html"].text if "html" in got else "") == "".join(htmls)
    mine = attachments(got)
    assert [(n, t) for n, t, _ in mine] == [(n.replace("/", "_"), t) for n, t, _ in files]
    for (_, type_, value), (_, _, expected) in zip(mine, files):
        if type_ != "message/rfc822":
            assert value == expected
    assert base64.b64encode(got["headers"].value)  # and it is JSON:
    assert [h["name"] for h in json.loads(got["headers"].text)] == other.keys()
