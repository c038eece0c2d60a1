"""What the tests of payloads share."""

import subprocess

import pytest


@pytest.fixture(name="post")
def fixture_post(build, tmp_path):
    """Call it with a format and a message: the Content-Type and the body."""
    def post(form, message, api_key="", signing_key="", filter_="mailform"):
        path = tmp_path / "message"
        path.write_bytes(message)
        done = subprocess.run([build / "unit/test_payload", form, path, api_key, signing_key,
                               filter_], capture_output=True, timeout=120, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        content_type, body = done.stdout.split(b"\n", 1)
        return content_type.decode(), body
    return post
