"""Every wrong setting of a route that waybill(1) lists gets what stands there:
its error from `waybill check`, or its hint from `waybill test`."""

import json
import re
import shutil
from pathlib import Path

import pytest

from lab import AuthRelay, Lab, free_port
from prerequisites import need
from test_connection import Owned

PASSWORD = "a wrong setting#s password"
MANUAL = Path(__file__).parents[2] / "contrib" / "man" / "waybill.1"
BASE = {"host": '"smtp.example.com"', "tls": "starttls", "ca_file": '"ca.pem"',
        "username": '"shop"', "password_file": '"secrets/shop"'}


def rows():
    """[setting, by check or test, what is told] as the manual page has them."""
    text = re.search(r"BEGIN of the wrong settings.*?\n(.*?)\.\\\" END of the wrong settings",
                     MANUAL.read_text(), re.S).group(1)
    plain = re.sub(r"\\(?:\(aq|\(dq|&|-)", lambda m: {"\\(aq": "'", "\\(dq": '"', "\\-": "-"}
                   .get(m.group(), ""), text)
    found = []
    for item in plain.split(".It Li ")[1:]:
        setting, *rest = item.strip().splitlines()
        by = re.fullmatch(r"\.Cm (check|test)(?: Pq (\w[\w-]*))? :", rest[0])
        told = " ".join(line for line in rest[1:] if not line.startswith("."))
        found.append((setting, by.group(1), by.group(2), told))
    return found


ROWS = rows()


@pytest.fixture(scope="module")
def lab(programs):
    need(AuthRelay.missing())
    with Lab() as lab:
        lab.got, lab.default = lab.sink("got"), lab.sink("default")
        lab.provider = lab.authrelay("provider", {"shop": PASSWORD}, lab.got)
        lab.owned = lab.adopt(Owned(lab.dir / "strict", "strict", {"shop": PASSWORD}, lab.got))
        lab.owned.start()
        lab.certified = lab.authrelay("certified", {"shop": PASSWORD}, lab.got)
        lab.certified.postfix.command(
            "postconf", f"smtpd_tls_CAfile={lab.certified.ca_file}", "smtpd_tls_req_ccert=yes")
        lab.certified.postfix.reload()
        lab.mx = lab.postfix("mx", main={"relayhost": lab.default.nexthop})
        lab.waybill = lab.waybill(lab.mx, "", relayhosts=[lab.default.nexthop])
        lab.relays = {"smtp": lab.provider, "owned": lab.owned, "certified": lab.certified,
                      "mail": lab.provider}
        lab.silent = free_port()
        write_files(lab)
        yield lab


def write_files(lab):
    directory, certificates = lab.waybill.dir, lab.provider.certificates
    shutil.copy(certificates.cert_file("good"), directory / "client.pem")
    shutil.copy(certificates.other_ca_file, directory / "other-ca.pem")
    (directory / "text.txt").write_text("no certificate\n")
    lab.waybill.password("shop", PASSWORD)
    lab.waybill.password("wrong", "another password")
    lab.waybill.password("readable", PASSWORD)
    (directory / "secrets" / "readable").chmod(0o644)
    shutil.copytree(Path(__file__).parents[2] / "rules" / "presets", directory / "presets")


def options(setting):
    """The base with what the row changes: NAME = VALUE, or "no NAME"."""
    merged = dict(BASE)
    for gone, name, value in re.findall(
            r"no (\w+)|(\w+) = (\{[^}]*\}|'[^']*'|\"[^\"]*\"|\S+)", setting):
        if gone:
            merged.pop(gone, None)
        else:
            merged[name] = value
    return merged


def place(lab, merged):
    """Hosts and ports of examples become those of the laboratory; the port
    that a provider has for a kind of TLS is the laboratory's for it."""
    found = re.fullmatch(r'"(\w+)\.example\.com"', merged.get("host", ""))
    if not found or found[1] not in lab.relays:
        return
    relay = lab.relays[found[1]]
    ports = {"587": relay.port("starttls"), "465": relay.port("tls"), "25": relay.port("none"),
             "26": lab.silent}
    kind = {"starttls": "587", "tls": "465", "none": "25"}.get(merged["tls"], "587")
    if found[1] == "mail":
        ports["587"] = relay.port("starttls", "wrong-name")
    merged["host"] = '"localhost"'
    merged["port"] = ports.get(merged.get("port", kind), merged.get("port"))
    merged["fallback"] = merged.get("fallback", "{}").replace(
        "[smtp.example.com]:26", f"[localhost]:{lab.silent}")
    if merged["fallback"] == "{}":
        del merged["fallback"]
    if merged.get("ca_file") == '"ca.pem"':
        merged["ca_file"] = f'"{relay.ca_file}"'


@pytest.mark.parametrize("setting, by, kind, told", ROWS, ids=[row[0] for row in ROWS])
def test_wrong_setting(lab, setting, by, kind, told):
    merged = options(setting)
    place(lab, merged)
    lab.waybill.configure("route r { " + "  ".join(f"{n} = {v}" for n, v in merged.items())
                          + " }\nrule r { route = r }\n")
    checked = lab.waybill.tool("check", ok=None)
    if by == "check":
        assert checked.returncode == 78, checked.stderr
        assert told in checked.stderr
        return
    assert checked.returncode == 0, checked.stderr
    lab.mx.age()
    done = lab.waybill.tool("test", "r", "--json", "--no-tables", "--timeout", "2",
                            "--to", "you@rcpt.test", "--from", "info@return.example.com", ok=None)
    found, = json.loads(done.stdout)
    assert (found["result"], PASSWORD in done.stdout) == (kind, False), done.stdout
    assert found["hint"].startswith(told)


def test_there_is_a_row_for_every_kind_that_a_setting_can_cause():
    kinds = {kind for _, by, kind, _ in ROWS if by == "test"}
    assert kinds == {"resolve", "connect", "tls", "certificate", "login", "sender"}
    assert sum(by == "check" for _, by, _, _ in ROWS) >= 20


def test_right_settings_pass(lab):
    """What the rows change is right before they do."""
    for host in ("smtp", "owned"):
        merged = options(f'host = "{host}.example.com"')
        place(lab, merged)
        lab.waybill.configure("route r { " + "  ".join(f"{n} = {v}" for n, v in merged.items())
                              + " }\nrule r { route = r }\n")
        done = lab.waybill.tool("test", "r", "--json", "--no-tables", "--to", "you@rcpt.test",
                                "--from", "info@return.example.com", ok=None)
        assert done.returncode == 0, done.stdout + done.stderr
