"""The golden files for Sendmail, compiled by m4 and makemap, and what Sendmail
itself says of addresses then (sendmail -bt)."""

import re
from pathlib import Path

import pytest

from lab import Lab, run

EXPECTED = Path(__file__).resolve().parents[1] / "golden" / "expected"
SAMPLES = sorted(path.name for path in EXPECTED.glob("sendmail-*"))
TABLES = ("mailertable", "authinfo", "tls")


@pytest.fixture(scope="module")
def sites(sendmail_here):
    """{sample: a Sendmail that is built, not started}"""
    with Lab() as lab:
        yield {name: build(lab, name) for name in SAMPLES}


def build(lab, name):
    mx = lab.sendmail(name, start=False)
    mx.write()
    folder = mx.etc / "waybill"
    folder.mkdir(mode=0o700)
    for path in (EXPECTED / name).iterdir():
        (folder / path.name).write_text(path.read_text().replace("/TMP/etc", str(mx.etc)))
    for table in TABLES:
        path = folder / table
        made = run([mx.dir / "bin/makemap", "-C", mx.etc / "sendmail.cf", "hash", path],
                   stdin=path.read_text())
        assert complaints(made) == []
    mx.write_mc()
    assert complaints(mx.make()) == []
    return mx


def complaints(done):
    """What a command had to say, but of the place of all labs."""
    return [line for line in done.stderr.splitlines() if line != "WARNING: World writable directory /tmp"]


def label(mx):
    text = (mx.etc / "waybill/mailertable").read_text()
    return re.search(r"^\.([a-z2-7]{8})\.waybill\.invalid\t", text, re.M).group(1)


def ask(mx, ruleset, address):
    """What a ruleset makes of an address, as sendmail -bt prints it, without
    blanks and the numbers of mailers."""
    said = mx.command("-bt", stdin=f"{ruleset} {address}\n").stdout
    last = re.findall(r"^\S+ +returns: (.*)$", said, re.M)[-1].replace(" ", "")
    return re.sub(r"\b(wb-\d+)-\d{8}", r"\1", last)


ROUTED = [
    ("carriers", "u@d.test.docomo", "$#wb-587$@[docomo]$:u<@d.test.docomo."),
    ("carriers", "U@D.test.DoCoMo", "$#wb-587$@[docomo]$:U<@D.test.DoCoMo."),
    ("carriers", '"a b"@d.test.docomo', '$#wb-587$@[docomo]$:"ab"<@d.test.docomo.'),
    ("carriers", "u@d.test.au", "$#wb-465$@[au]$:u<@d.test.au."),
    ("carriers", "u@d.test.softbank", "$#wb-25$@[softbank]$:u<@d.test.softbank."),
    ("accounts", "u@d.test.a01", "$#wb-587$@[a01]$:u<@d.test.a01."),
    ("accounts", "u@d.test.a17", "$#wb-587$@[a17]$:u<@d.test.a17."),
    ("hosts", "u@d.test.six", "$#wb-25$@[six]$:u<@d.test.six."),
    ("hosts", "u@d.test.nosuch", "$#error$@4.3.5$:"),
    ("bare", "u@d.test.docomo", "$#error$@4.3.5$:"),
]


@pytest.mark.parametrize("sample, address, wanted", ROUTED)
def test_a_marked_recipient_goes_to_its_route(sites, sample, address, wanted):
    mx = sites[f"sendmail-{sample}"]
    said = ask(mx, "3,0", f"{address}.{label(mx)}.waybill.invalid")
    assert said.startswith(wanted), said


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_forged_label_goes_nowhere(sites, sample):
    said = ask(sites[sample], "3,0", "u@d.test.docomo.aaaaaaaa.waybill.invalid")
    assert said.startswith("$#error$@5.1.2$:"), said


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_client_may_not_name_a_route(sites, sample):
    mx = sites[sample]
    for mark in ("docomo." + label(mx), "docomo.aaaaaaaa", "x"):
        said = ask(mx, "check_rcpt", f"u@d.test.{mark}.waybill.invalid")
        assert said.startswith("$#error$@5.1.2$:"), said


@pytest.mark.parametrize("sample", SAMPLES)
def test_other_mail_goes_as_it_did(sites, sample):
    assert ask(sites[sample], "3,0", "u@d.test") == "$#esmtp$@d.test.$:u<@d.test.>"


STRIPPED = [
    ("u < @ d.test.docomo.LABEL.waybill.invalid . >", "u<@d.test.>"),
    ('"a b" < @ d.test.docomo.LABEL.waybill.invalid . >', '"ab"<@d.test.>'),
    ('"u@[192.0.2.1]" < @ x.docomo.LABEL.waybill.invalid . >', "u<@[192.0.2.1]>"),
    ("u < @ d.test . >", "u<@d.test.>"),
]


@pytest.mark.parametrize("marked, clean", STRIPPED)
def test_the_relay_sees_no_mark(sites, marked, clean):
    mx = sites["sendmail-carriers"]
    assert ask(mx, "WbEnvTo", marked.replace("LABEL", label(mx))) == clean
