"""`waybill maps` for Sendmail: what it writes is compared octet for octet.
tests/mta/test_sendmail_golden.py has m4, makemap and Sendmail read it.

    UPDATE_GOLDEN=1 /usr/bin/python3 -m pytest tests/golden/test_sendmail_maps.py

rewrites it after a wanted change; read the difference before you keep it."""

import os
import re

import pytest
from golden_bench import HERE

# The same files as for Postfix, and those of what only Sendmail writes.
SAMPLES = {name: HERE / "samples" / name for name in ("accounts", "bare", "carriers")} | \
    {path.name: path for path in (HERE / "sendmail").iterdir()}


def still(texts, bench):
    """{name: text} with the place of this test's files taken out, also out of
    mailers' names, whose last part is made of it: they are numbered instead."""
    found = re.findall(r"\bwb-\d+-([0-9a-f]{8})\b", texts["mailertable"])
    numbers = {mark: f"{i:08}" for i, mark in enumerate(dict.fromkeys(found), 1)}

    def number(match):
        return match[1] + numbers.get(match[2], match[2])
    return {name: re.sub(r"\b(wb-\d+-)([0-9a-f]{8})\b", number, text)
            .replace(str(bench.tmp), "/TMP") for name, text in texts.items()}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_files_are_as_expected(bench, name):
    text = (SAMPLES[name] / "waybill.conf").read_text()
    own = f'mta = sendmail\nmta_config = "{bench.etc}"\n'
    (bench.conf / "waybill.conf").write_text(own + text)
    out = bench.tmp / "out"
    bench.maps(out)
    got = still({path.name: path.read_text() for path in sorted(out.iterdir())}, bench)
    expected = HERE / "expected" / f"sendmail-{name}"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.mkdir(exist_ok=True)
        for old in expected.iterdir():
            old.unlink()
        for file, written in got.items():
            (expected / file).write_text(written)
    assert got == {path.name: path.read_text() for path in sorted(expected.iterdir())}


def test_no_secret_stands_in_the_include_file(bench):
    """The .mc and .cf are readable by all; the passwords have a table."""
    text = (SAMPLES["carriers"] / "waybill.conf").read_text()
    (bench.conf / "waybill.conf").write_text("mta = sendmail\n" + text)
    out = bench.tmp / "out"
    bench.maps(out)
    assert "se:kr=it" not in (out / "waybill.m4").read_text()
    assert {path.stat().st_mode & 0o77 for path in out.iterdir()} == {0}
