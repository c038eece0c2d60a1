"""`waybill dns`: what it prints is compared octet for octet; then BIND reads it
as a zone, and an SPF checker judges mail by it.

After a wanted change of the texts:

    UPDATE_GOLDEN=1 /usr/bin/python3 -m pytest tests/golden/test_dns.py

rewrites tests/golden/dns; read the difference before you keep it."""

import ipaddress
import json
import os
import re
import shutil
import subprocess

import pytest
import spf
from golden_bench import HERE

SAMPLES = sorted(p.stem for p in (HERE / "dns").glob("*.conf"))
HOST = "mx.example.com"


class Dns:
    """The command, on a copy of the samples with a secret and a password."""

    def __init__(self, bench):
        self.bench = bench
        for path in (HERE / "dns").iterdir():
            shutil.copy(path, bench.conf)

    def run(self, conf, *more, **options):
        return self.bench.run("dns", "-c", self.bench.conf / conf, *more, **options)

    def zone(self, name):
        return self.run(f"{name}.conf", "--host", HOST).stdout

    def json(self, name):
        return json.loads(self.run(f"{name}.conf", "--host", HOST, "--json").stdout)

    def text(self, text):
        (self.bench.conf / "w.conf").write_text(text)
        return self.run("w.conf", "--host", HOST)


@pytest.fixture
def dns(bench):
    return Dns(bench)


@pytest.mark.parametrize("name", SAMPLES)
def test_output_is_as_expected(dns, name):
    done = dns.run(f"{name}.conf", "--host", HOST)
    place = str(dns.bench.conf)
    got = {"zone": done.stdout.replace(place, "/CONF"), "err": done.stderr.replace(place, "/CONF"),
           "json": dns.run(f"{name}.conf", "--host", HOST, "--json").stdout}
    for suffix, text in got.items():
        path = HERE / "dns" / f"{name}.{suffix}"
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(text)
            if not text:
                path.unlink()
        assert text == (path.read_text() if path.exists() else ""), path


# What others read in it.

WHOLE = """\
$TTL 60
. IN SOA ns.test. hostmaster.test. 1 3600 600 86400 60
. IN NS ns.test.
ns.test. IN A 192.0.2.53
mx.example.com. IN A 192.0.2.1
"""


def read_by_bind(folder, zone):
    """{(name, type, value)}: the root zone may hold every absolute name."""
    path = folder / "zone"
    path.write_text(WHOLE + zone)
    done = subprocess.run(["named-checkzone", "-i", "full", "-F", "text", "-s", "full", "-o", "-",
                           ".", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    said = re.sub(r"zone \./IN: loaded serial 1|OK", "", done.stderr).strip()
    assert said == "", said
    found = set()
    for line in done.stdout.splitlines():
        name, _, _, kind, value = line.split(None, 4)
        if kind == "TXT":
            value = "".join(re.findall(r'"([^"]*)"', value))
        elif kind == "MX":
            value = value.removesuffix(".")
        else:
            continue
        found.add((name.removesuffix("."), kind, value))
    return found


@pytest.mark.parametrize("name", SAMPLES)
def test_bind_reads_the_zone_as_the_json_tells_it(dns, name, tmp_path):
    wanted = {(r["name"], r["type"], r["value"]) for r in dns.json(name)["records"]}
    assert read_by_bind(tmp_path, dns.zone(name)) == wanted
    assert all(name == name.lower() and name.isascii() for name, _, _ in wanted)


def test_comments_hold_records_that_bind_reads_as_well(dns, tmp_path):
    """A template, with a domain in DOMAIN's place and without its ";"."""
    zone = dns.zone("open")
    lines = [line[2:] for line in zone.splitlines() if re.match(r"; \S+\. +IN ", line)]
    assert len(lines) > 5
    text = "\n".join(lines).replace("DOMAIN", "shop.test").replace("SUB", "tokyo")
    found = read_by_bind(tmp_path, text + "\n")
    assert ("shop.test.bounces.example.net", "MX", f"10 {HOST}") in found
    assert len(found) == len(lines)


ADDRESSES = {HOST: "192.0.2.1", "relay.example.com": "192.0.2.2", "smtp.docomo.test": "192.0.2.3",
             "smtp.provider.test": "192.0.2.4", "smtp.gmail.test": "192.0.2.5",
             "smtp.au.test": "192.0.2.6"}


@pytest.fixture
def judge(dns, monkeypatch):
    """SPF by another's code: judge(sample, domain, address) is its result, by
    the records of a sample and by ADDRESSES."""
    def by(sample, domain, address):
        records = {}
        for r in dns.json(sample)["records"]:
            records.setdefault((r["name"], r["type"]), []).append(r["value"])

        def lookup(name, kind, *_, **__):
            name = name.rstrip(".").lower()
            if kind == "A":
                value = ADDRESSES.get(name) or (re.match(r"a-name.*\.example\.net$", name)
                                                and "203.0.113.1")
                return [((name, kind), ipaddress.ip_address(value).packed)] if value else []
            values = records.get((name, kind), [])
            if (name, kind) == ("mailgun.org", "TXT"):
                values = ["v=spf1 ip4:192.0.2.7 ~all"]
            if kind == "MX":
                return [((name, kind), (int(v.split()[0]), v.split()[1])) for v in values]
            return [((name, kind), [v.encode()]) for v in values]
        monkeypatch.setattr(spf, "DNSLookup", lookup)
        return spf.check2(address, f"x@{domain}", "client.test")[0]
    return by


@pytest.mark.parametrize("sample, domain, address, result", [
    ("own", "return.example.com", "192.0.2.1", "pass"),
    ("own", "return.example.com", "192.0.2.25", "pass"),
    ("own", "return.example.com", "192.0.2.2", "pass"),
    ("own", "return.example.com", "203.0.113.9", "fail"),
    ("own", "return.example.org", "192.0.2.25", "pass"),
    ("own", "return.example.org", "192.0.2.2", "fail"),
    ("carriers", "return.example.com", "192.0.2.3", "pass"),
    ("carriers", "return.example.com", "192.0.2.4", "pass"),
    ("carriers", "return.example.com", "198.51.100.7", "pass"),
    ("carriers", "return.example.com", "192.0.2.6", "softfail"),
    ("carriers", "return.example.com", "203.0.113.9", "softfail"),
    ("open", "return.example.org", "2001:db8::25", "pass"),
    ("open", "return.example.org", "192.0.2.1", "pass"),
    ("open", "return.example.org", "2001:db8::26", "fail"),
    ("backup", "return.example.com", "192.0.2.1", "pass"),
    ("backup", "return.example.com", "192.0.2.2", "pass"),
    ("backup", "return.example.com", "192.0.2.7", "pass"),
    ("backup", "return.example.com", "203.0.113.9", "softfail"),
    ("from", "return.example.com", "192.0.2.25", "pass"),
    ("from", "return.example.com", "192.0.2.9", "fail"),
    ("many", "return.example.com", "192.0.2.7", "pass"),
    ("many", "return.example.com", "203.0.113.1", "pass"),
    ("many", "return.example.com", "203.0.113.9", "softfail"),
])
def test_an_spf_checker_judges_so(judge, sample, domain, address, result):
    """"many" would be permerror with one look-up more."""
    assert judge(sample, domain, address) == result


# Single answers.

def meetings(done):
    return {(m["sender"], m["route"], m["return_path"]): m for m in done["alignment"]}


def test_the_public_suffix_list_decides(dns):
    """co.jp is nobody's organization."""
    (dns.bench.conf / "w.conf").write_text(
        'return_path main { senders = { "shop.co.jp", "a.b.example.co.jp" }'
        '  domain = "return.example.co.jp" }\n')
    got = meetings(dns.json("w"))
    assert got["shop.co.jp", "direct", "main"]["spf_alignment"] == "none"
    assert got["a.b.example.co.jp", "direct", "main"]["spf_alignment"] == "relaxed"


def test_a_providers_domain_gets_no_records(dns):
    """from.conf returns mail to accounts at docomo.test and gmail.test."""
    done = dns.json("from")
    names = {r["name"] for r in done["records"]} | {s["domain"] for s in done["spf"]}
    assert not [name for name in names if name.endswith(".test")]
    got = meetings(done)
    assert got["example.com", "docomo", "from"]["spf_alignment"] == "strict"
    assert got["example.com", "gmail", "account"]["spf_alignment"] == "none"


def test_a_rule_that_takes_all_leaves_nothing_direct(dns):
    text = 'route bulk {{ host = "[192.0.2.25]" }}\nrule all {{ {} route = bulk }}\n' \
           'return_path main {{ senders = {{ "example.com" }}  domain = "return.%d" }}\n'
    for criteria, has_direct in [("", False), ('recipients = { "*" }', False),
                                 ('recipients = { "docomo.ne.jp" }', True),
                                 ('header = { "X-A", "b" }', True),
                                 ('clients = { "192.0.2.1" }', True),
                                 ('senders = { "info@example.com" }', True),
                                 ('senders = { "/./" }', True)]:
        (dns.bench.conf / "w.conf").write_text(text.format(criteria))
        assert (("example.com", "direct", "main") in meetings(dns.json("w"))) == has_direct, criteria


def test_a_sender_too_long_for_a_signature_is_told(dns):
    done = dns.text(f'return_path main {{ senders = {{ "{"a" * 60}.example.com" }}  mode = srs'
                    '  domain = "return.example.com" }\n')
    assert "the signed return address would have" in done.stderr


@pytest.mark.parametrize("host, why", [
    ("mx", "has no dot, so nobody else can look it up"),
    ("192.0.2.1", "is an address, and an MX record needs a name (RFC 1035, 3.3.9)"),
    ("[192.0.2.1]", "is an address, and an MX record needs a name (RFC 1035, 3.3.9)"),
    ("2001:db8::1", "is an address, and an MX record needs a name (RFC 1035, 3.3.9)"),
    ("mx..example.com", "is not a host name"),
    ("mx.example.com/x", "is not a host name"),
    ("mx.localdomain", "is known to this network alone"),
    ("", "is not a host name"),
])
def test_a_host_that_cannot_be_one(dns, host, why):
    done = dns.run("own.conf", "--host", host, ok=64)
    assert done.stderr == (f'waybill dns: --host "{host}" {why}; --host mx.example.com, the name at '
                           "which mail comes in, is right; try waybill dns --help\n")
    assert done.stdout == ""


def test_a_host_in_other_forms(dns):
    for given, host in [("MX.Example.Com.", "mx.example.com"),
                        ("mx.bücher.example", "mx.xn--bcher-kva.example")]:
        done = dns.run("own.conf", "--host", given, "--json")
        assert json.loads(done.stdout)["host"] == host


NO_UNSHARE = subprocess.run(["unshare", "--uts", "true"], capture_output=True).returncode != 0


@pytest.mark.skipif(NO_UNSHARE, reason="a host with another name cannot be made here (unshare --uts)")
@pytest.mark.parametrize("name, status", [("mail.example.net", 0), ("mail", 64), ("localhost", 64)])
def test_this_hosts_name_is_the_default(dns, name, status):
    done = subprocess.run(["unshare", "--uts", "sh", "-c", 'echo "$0" >/proc/sys/kernel/hostname && '
                           'exec "$@"', name, dns.bench.build / "waybill", "dns", "-c",
                           dns.bench.conf / "own.conf"], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    if status == 0:
        assert "mail.example.net (this host's name; --host says another)" in done.stdout
    else:
        assert done.stderr.startswith("waybill dns: this host's name \"")
        assert "--host mx.example.com" in done.stderr


@pytest.mark.parametrize("words, why", [
    (["--nonsense"], 'no such option: "--nonsense"'),
    (["--host"], 'a value is missing after "--host"'),
    (["extra"], '"extra" is not expected'),
])
def test_usage(dns, words, why):
    done = dns.run("own.conf", *words, ok=64)
    assert done.stderr == f"waybill dns: {why}; try waybill dns --help\n"


def test_a_wrong_configuration(dns):
    (dns.bench.conf / "w.conf").write_text("route x {}\n")
    assert dns.run("w.conf", "--host", HOST, ok=78).stdout == ""


def test_help(dns):
    assert "usage: waybill dns" in dns.run("own.conf", "--help").stdout
