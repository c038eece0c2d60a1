"""Very many rules and inbound sections, as rows and as sections, in one file
and in many: they load, and the right one is found among them. How fast is for
make bench-rules to say."""
import json

import pytest

from test_conf import WAYBILL, folder, subprocess, write  # noqa: F401

ROWS, SECTIONS = 100000, 10000

CONF = """\
route direct-mail { host = "relay.example.com" }
webhook crm { url = "https://app.example.com/hook" }
rule rest { priority = 1000 senders = { "example.com" } route = direct-mail }
inbound rest { domains = { "rest.example.com" } match = '^' match_on = envelope webhook = crm }
"""


def explain(where, *recipients):
    """What is decided for each, in one message: loading is what takes time."""
    asked = [word for r in recipients for word in ("--recipient", r)]
    done = subprocess.run([WAYBILL, "explain", "-c", "w.conf", "--sender", "a@example.com",
                           "--json", *asked],
                          cwd=where, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr[:1000]
    return json.loads(done.stdout)["recipients"]


def rule(i):
    return f'rule s{i} {{ recipients = {{ "user{i}@d{i % 100}.example.org" }} route = direct-mail }}\n'


def inbound(i):
    return (f'inbound s{i} {{ domains = {{ "form.example.com" }} '
            f"match = '^info{i}@form\\.example\\.com$' match_on = envelope webhook = crm }}\n")


def in_one_file(where):
    write(where / "w.conf", CONF + "".join(rule(i) + inbound(i) for i in range(SECTIONS)))
    return SECTIONS


def in_many_files(where):
    (where / "conf.d").mkdir()
    for i in range(SECTIONS):
        (where / "conf.d" / f"{i}.conf").write_text(rule(i) + inbound(i))
    write(where / "w.conf", 'include = { "conf.d/*.conf" }\n' + CONF)
    return SECTIONS


def in_tables(where):
    write(where / "w.conf", 'rule_table = "r.tsv"\ninbound_table = "i.tsv"\n' + CONF)
    (where / "r.tsv").write_text("name\trecipients\troute\n" + "".join(
        f"s{i}\tuser{i}@d{i % 100}.example.org\tdirect-mail\n" for i in range(ROWS)))
    (where / "i.tsv").write_text("name\tdomains\tmatch\tmatch_on\twebhook\n" + "".join(
        f"s{i}\tform.example.com\t^info{i}@form\\.example\\.com$\tenvelope\tcrm\n"
        for i in range(ROWS)))
    return ROWS


@pytest.mark.parametrize("make", [in_one_file, in_many_files, in_tables])
def test_the_right_one_among_very_many(folder, make):  # noqa: F811
    count = make(folder)
    last = count - 1
    found = explain(folder, f"user{last}@d{last % 100}.example.org", "user@d1.example.org",
                    f"info{last}@form.example.com", "info@rest.example.com")
    assert [r["rule"] for r in found] == [f"s{last}", "rest", None, None]
    assert [r["filter"] for r in found] == [None, None, f"s{last}", "rest"]


def test_very_many_errors_are_all_told(folder):  # noqa: F811
    write(folder / "w.conf", 'rule_table = "r.tsv"\n' + CONF)
    (folder / "r.tsv").write_text("recipients\theader\troute\n" + "".join(
        f"d{i}.example.org\tTo: ({i}\tdirect-mail\n" for i in range(SECTIONS)))
    done = subprocess.run([WAYBILL, "check", "-c", "w.conf"], cwd=folder, text=True,
                          capture_output=True, timeout=300)
    lines = done.stderr.splitlines()
    assert done.returncode == 78 and len(lines) == SECTIONS
    assert lines[-1].startswith(f"r.tsv:{SECTIONS + 1}: header: ")
