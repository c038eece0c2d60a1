"""What `waybill explain` takes for a client's address, and how it shows a
second pass."""
import json

import pytest

from test_conf import WAYBILL, folder, subprocess, write  # noqa: F401

TEXT = """\
route a { host = "relay.example.com" }
rule r { route = a }
networks = { "127.0.0.0/8", "::1/128" }
"""


@pytest.mark.parametrize("client, status", [
    ("127.0.0.1", 0), ("::1", 0), ("::ffff:127.0.0.1", 0), ("[::1]", 64),
    ("127.0.0.0/8", 64), ("unknown", 64), ("", 64)])
def test_client(folder, client, status):  # noqa: F811
    write(folder / "w.conf", TEXT)
    done = subprocess.run(
        [WAYBILL, "explain", "-c", "w.conf", "--sender", "a@b.test",
         "--recipient", "c@d.test", "--client", client],
        cwd=folder, text=True, capture_output=True, timeout=60)
    assert done.returncode == status
    assert ("class      outbound" in done.stdout) == (status == 0)


SHOP = """\
route a { host = "relay.example.com"  from = "ショップ, 東京 <shop@docomo.ne.jp>" }
rule r { route = a }
"""


@pytest.mark.parametrize("signature, last", [
    ([], "  reply-to   =?x?= 店 <me@example.com>"),
    (["--header", "DKIM-Signature: v=1"],
     "  dkim       broken: a signer must stand behind waybill")])
def test_from_is_shown_as_people_read_it(folder, signature, last):  # noqa: F811
    write(folder / "w.conf", SHOP)
    done = subprocess.run(
        [WAYBILL, "explain", "-c", "w.conf", "--sender", "a@b.test", "--recipient", "c@d.test",
         "--header", "From: =?x?= =?utf-8?B?5bqX?=\n <me@example.com>", *signature],
        cwd=folder, text=True, capture_output=True, timeout=60)
    lines = done.stdout.splitlines()
    assert lines[1:5] == ["  becomes    shop@docomo.ne.jp", "  because    from", "header From",
                          "  becomes    ショップ, 東京 <shop@docomo.ne.jp>"]
    assert last in lines[5:7] and lines[5].startswith("  reply-to ")
    assert ("dkim" in done.stdout) == bool(signature)
    assert done.returncode == 0


@pytest.mark.parametrize("size, status, verdict", [
    ([], 0, "accept"), (["--size", "10240"], 0, "accept"),
    (["--size", "10241"], 0, "reject\n  reply      552 5.3.4 <c@d.test>: larger than the 10 KB that route a "
     "takes"), (["--size", "x"], 64, None), (["--size", "-1"], 64, None)])
def test_size(folder, size, status, verdict):  # noqa: F811
    write(folder / "w.conf", TEXT.replace('com" }', 'com" max_size_kb = 10 }', 1))
    done = subprocess.run(
        [WAYBILL, "explain", "-c", "w.conf", "--sender", "a@b.test",
         "--recipient", "c@d.test", *size], cwd=folder, text=True, capture_output=True, timeout=60)
    assert done.returncode == status
    assert verdict is None or f"verdict {verdict}" in done.stdout


def test_fallback(folder):  # noqa: F811
    write(folder / "w.conf", TEXT.replace('com" }', 'com" fallback = { "b", "[c.test]:26" } }', 1)
          + 'route b { host = "b.test" port = 2525 }\n')
    done = subprocess.run(
        [WAYBILL, "explain", "-c", "w.conf", "--sender", "a@b.test", "--recipient", "c@d.test"],
        cwd=folder, text=True, capture_output=True, timeout=60)
    assert [line for line in done.stdout.splitlines() if line.startswith("  then")] == [
        "  then       b.test port 2525", "  then       c.test port 26"]


TWO_PASSES = """\
secret_file = "secret"
route a { host = "relay.example.com" }
route kept { host = "relay.example.net"  return_path = keep }
rule a { recipients = { "a.test" }  route = a }
rule kept { recipients = { "kept.test" }  route = kept }
return_path main { senders = { "example.com" }  domain = "return.example.com" }
"""


def explain(where, *more, secret=True):
    write(where / "w.conf", TWO_PASSES)
    if not secret:
        (where / "secret").unlink()
    done = subprocess.run([WAYBILL, "explain", "-c", "w.conf", *more],
                          cwd=where, text=True, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


TO = ["--sender", "info@example.com", "--recipient", "x@a.test"]
TO_BOTH = [*TO, "--recipient", "y@kept.test"]


def test_json_of_two_passes(folder):  # noqa: F811
    first = json.loads(explain(folder, "--json", *TO_BOTH))
    assert (first["verdict"], first["passes"], first["headers"]) == ("accept", 2, [])
    assert first["sender"]["to"] == "info@example.com"
    assert [(r["sender"], r["return_path"]) for r in first["recipients"]] == [
        ("info@return.example.com", "main"), ("info@example.com", None)]
    for r, before in zip(first["recipients"], ("x@a.test.a.", "y@kept.test.kept.")):
        assert r["rewritten"].startswith(before) and ".again." in r["rewritten"]
    second = json.loads(explain(folder, "--json", "--listener", "waybill-again", *TO[:2],
                                "--recipient", first["recipients"][0]["rewritten"]))
    assert (second["verdict"], second["passes"]) == ("accept", 1)
    assert second["sender"] == {"from": "info@example.com", "to": "info@return.example.com",
                                "mode": "domain", "return_path": "main"}
    assert second["recipients"][0]["rewritten"].startswith("x@a.test.a.")
    assert second["headers"] == [{"action": "add", "name": "X-Waybill-Route", "value": "a"}]


def test_json_of_one_pass_and_of_local_mail(folder):  # noqa: F811
    one = json.loads(explain(folder, "--json", *TO))
    assert (one["passes"], one["recipients"][0]["sender"]) == (1, "info@return.example.com")
    local = json.loads(explain(folder, "--json", *TO, "--mailer", "local"))
    assert (local["recipients"][0]["sender"], local["recipients"][0]["return_path"]) == (None, None)


def test_text_of_two_passes_without_the_secret(folder):  # noqa: F811
    text = explain(folder, *TO_BOTH, secret=False)
    assert "becomes    x@a.test.a.SECRET.again.SECRET.waybill.invalid\n" in text
    assert "sender     info@return.example.com\n  because    main\n" in text
    assert "passes 2\n  because    the recipients need different senders" in text
    text = explain(folder, "--listener", "waybill-again", *TO[:2], "--recipient",
                   "x@a.test.a.SECRET.again.SECRET.waybill.invalid")
    assert "was        x@a.test\n" in text
    assert "becomes    x@a.test.a.SECRET.waybill.invalid\n" in text
    assert text.endswith("verdict accept\n")
