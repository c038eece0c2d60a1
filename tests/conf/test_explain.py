"""What `waybill explain` takes for a client's address."""
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
