"""`waybill apply` and --undo with a real Sendmail: all or nothing, through the
site's own make, and the site's own rules go on working."""

import pytest

from lab import Lab

CONF = """
route docomo {{ host = "127.0.0.1" port = {docomo} }}
route bulk   {{ host = "127.0.0.1" port = {bulk} }}
rule mobile {{ recipients = "docomo.test" route = docomo }}
rule literal {{ recipients = '/@\\[/' route = docomo }}
rule rest {{ priority = 200 route = bulk }}
"""

# What an admin may have of his own.
OWN_RULES = """\
LOCAL_CONFIG
Kown dequote
LOCAL_RULE_0
R$+ < @ own-rule.test . > $*\t$#error $@ 5.7.7 $: "550 the own rule was here"
LOCAL_RULESETS
SLocal_check_rcpt
R$*\t$: $1 $| $>canonify $1
R$* $| nobody < @ $* > $*\t$#error $@ 5.7.8 $: "550 the own check was here"
R$* $| $*\t$: $1
LOCAL_TRY_TLS
R$*\t$: $1
LOCAL_TLS_SERVER
R$*\t$: $1
"""


@pytest.fixture(name="site")
def a_site(sendmail_here):
    with Lab() as lab:
        docomo, bulk, default = lab.sink("docomo"), lab.sink("bulk"), lab.sink("default")
        mx = lab.sendmail("mx", relay=default.nexthop, mc_end=OWN_RULES)
        waybill = lab.waybill(mx, CONF.format(docomo=docomo.port, bulk=bulk.port),
                              relayhosts=[default.nexthop])
        waybill.start()
        yield lab, mx, waybill, docomo, bulk, default


def test_routes_and_way_back(site):
    _, mx, waybill, docomo, bulk, default = site
    before = (mx.etc / "sendmail.cf").read_text()
    text = waybill.apply().stdout
    assert "waybill.m4 (new)" in text
    label = (mx.etc / "waybill/tables-1/mailertable").read_text().split(".docomo.")[1][:8]
    assert label not in text
    reply = mx.send("info@example.com", ["a@docomo.test", "b@other.test", "games@mx.test"])
    assert reply.code == 250, reply
    assert [m.rcpt_to for m in docomo.wait_for(1)] == [["a@docomo.test"]]
    assert [m.rcpt_to for m in bulk.wait_for(1)] == [["b@other.test"]]
    assert "waybill.invalid" not in docomo.messages[0].text
    assert docomo.messages[0].header("X-Waybill-Route") == "docomo, bulk"

    # the site's own rules are where they were
    assert "the own rule" in str(mx.send("i@example.com", ["a@own-rule.test"]))
    assert "the own check" in str(mx.send("i@example.com", ["nobody@other.test"]))

    waybill.undo()
    assert not (mx.etc / "waybill").exists()
    strip = [line for line in before.splitlines() if not line.startswith("#")]
    after = (mx.etc / "sendmail.cf").read_text().splitlines()
    assert [line for line in after if not line.startswith("#")] == strip
    assert mx.send("info@example.com", ["a@docomo.test"]).code == 250
    assert default.wait_for(1)[0].rcpt_to == ["a@docomo.test"]


def test_default_way_by_mx_is_no_own_route(site):
    """Without a smart host Sendmail tells the recipient's domain as the next
    hop: a rule for all mail takes it."""
    _, mx, waybill, docomo, bulk, _ = site
    mx.mc = mx.mc[:0]
    mx.write_mc()
    mx.make()
    waybill.apply()
    mx.send("info@example.com", ["b@other.test"])
    assert bulk.wait_for(1, log=mx.log)[0].rcpt_to == ["b@other.test"]
