"""`waybill presets`: what it prints, octet for octet.

After a wanted change of a preset or of the command:

    UPDATE_GOLDEN=1 /usr/bin/python3 -m pytest tests/golden/test_presets_shown.py

rewrites tests/golden/expected/presets; read the difference before you keep it."""

import os
import subprocess

import pytest
from golden_bench import HERE

EXPECTED = HERE / "expected" / "presets"


@pytest.mark.parametrize("name, arguments", [
    ("list.txt", []),
    ("gmail.txt", ["gmail"]),
    ("gmail.json", ["--json", "gmail"]),
    ("outlook.txt", ["outlook"]),
    ("ses.txt", ["ses"]),
])
def test_it_is_as_expected(build, tmp_path, name, arguments):
    done = subprocess.run([build / "waybill", "presets", "-c", tmp_path / "w.conf", *arguments],
                          text=True, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    got = done.stdout.replace(str(build), "/BUILD")
    if os.environ.get("UPDATE_GOLDEN"):
        EXPECTED.mkdir(exist_ok=True)
        (EXPECTED / name).write_text(got)
    assert got == (EXPECTED / name).read_text()
