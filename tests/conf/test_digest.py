"""The digest of a configuration: what it says counts, not how it is written.
`waybill graph --html` shows its beginning."""
import re
import subprocess

import pytest

from test_conf import WAYBILL, folder, write  # noqa: F401

TEXT = """\
secret_file = "secret"
route a { host = "a.test" }
rule r { recipients = { "x.test" }  route = a }
"""
TABLE = "name\trecipients\troute\nt1\ty.test\ta\n"


def digest(folder, text, **files):  # noqa: F811
    write(folder / "w.conf", text)
    for name, more in files.items():
        write(folder / name, more)
    done = subprocess.run([WAYBILL, "graph", "-c", "w.conf", "--html", "--no-picture"], cwd=folder,
                          text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return re.search("configuration <code>([0-9a-f]{8})</code>", done.stdout)[1]


@pytest.mark.parametrize("same", [
    "# comment\n\n" + TEXT, TEXT.replace("{ host", "{\n\t# more\n   host"),
    TEXT.replace('"a.test"', "'a.test'"), TEXT.replace("  route", "\n route")])
def test_how_it_is_written_does_not_count(folder, same):  # noqa: F811
    assert digest(folder, same) == digest(folder, TEXT)


@pytest.mark.parametrize("other", [
    TEXT.replace("a.test", "b.test"), TEXT.replace("x.test", "z.test"), TEXT.replace("rule r", "rule s"),
    TEXT + "control_group = adm\n", TEXT + "rule q { route = a }\n",
    TEXT.replace('{ "x.test" }', '{ "x", "test" }')])
def test_what_it_says_counts(folder, other):  # noqa: F811
    assert digest(folder, other) != digest(folder, TEXT)


def test_rows_and_presets_count(folder):  # noqa: F811
    text = TEXT + 'rule_table = "table"\n'
    first = digest(folder, text, table=TABLE)
    assert first != digest(folder, TEXT)
    assert digest(folder, text, table=TABLE.replace("y.test", "w.test")) != first
    (folder / "presets").mkdir()
    preset = 'preset own { title = "x"  host = "p.test"  ports = { "25 none" }  source = { "x" }' \
             '  checked = "2026-11-23" }\n'
    text = TEXT.replace('host = "a.test"', "preset = own")
    write(folder / "presets/own.conf", preset)
    first = digest(folder, text)
    write(folder / "presets/own.conf", preset.replace("p.test", "q.test"))
    assert digest(folder, text) != first


def test_the_secret_does_not_count(folder):  # noqa: F811
    write(folder / "secret", "a" * 40 + "\n", 0o640)
    first = digest(folder, TEXT)
    write(folder / "secret", "b" * 40 + "\n", 0o640)
    assert digest(folder, TEXT) == first
