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
