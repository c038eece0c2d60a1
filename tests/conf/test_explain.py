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
