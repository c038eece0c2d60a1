"""What `waybill status` counts, beside what arrived, through a real Postfix
before and behind its queue."""

import json

import pytest

from lab import letter

SENDER = "info@example.com"
FORM = "info@mailform.example.com"


def counted(site):
    """{(kind, name): recipients} and the messages by verdict."""
    s = json.loads(site.waybill.tool("status", "--json").stdout)
    counts = {(kind, item["name"]): item["recipients"] for kind in ("rules", "routes", "webhooks")
              for item in s[kind]}
    counts |= {("class", name): n for name, n in s["recipients"].items()}
    return counts, s["messages"]


def difference(after, before):
    return {key: n - before[key] for key, n in after.items() if n != before[key]}


def test_each_recipient_counts_once(site):
    """However often the message passes the milter."""
    before, _ = counted(site)
    to = ["a@docomo.ne.jp", "b@docomo.ne.jp", "c@ezweb.ne.jp", "d@remote.test", "news@mx.test", FORM]
    assert site.outcome(SENDER, to, letter(SENDER, ", ".join(to))) == {
        "docomo": to[:2], "au": [to[2]], "bulk": [to[3]], "mailbox news": ["news"],
        "lmtp": site.lmtp.rcpt_to}
    after, messages = counted(site)
    assert difference(after, before) == {
        ("rules", "docomo"): 2, ("rules", "au"): 1, ("rules", "everything"): 1,
        ("routes", "docomo"): 2, ("routes", "au"): 1, ("routes", "bulk"): 1,
        ("webhooks", "crm"): 1, ("class", "outbound"): 4, ("class", "local"): 1,
        ("class", "inbound"): 1}
    assert messages["accept"] >= 1


def test_a_second_pass_counts_once(site):
    before, _ = counted(site)
    to = ["a@docomo.ne.jp", "b@legacy.test"]
    assert site.outcome(SENDER, to) == {"docomo": to[:1], "legacy": to[1:]}
    assert difference(counted(site)[0], before) == {
        ("rules", "docomo"): 1, ("rules", "old"): 1, ("routes", "docomo"): 1,
        ("routes", "legacy"): 1, ("class", "outbound"): 2}


@pytest.mark.only_postfix("Sendmail refuses it by its own rules, before any milter")
def test_refusals_count_by_verdict(site):
    _, before = counted(site)
    assert site.send("x@y.waybill.invalid", ["a@docomo.ne.jp"]).code == 553
    assert difference(counted(site)[1], before) == {"reject": 1}


def test_the_story_goes_on_behind_a_content_filter(site):
    """explain --queue-id from the id that the client was told."""
    queue_id = site.send(SENDER, ["a@docomo.ne.jp"], letter(SENDER, "a@docomo.ne.jp")).queue_id
    site.settle()
    log = site.waybill.dir / "both.log"
    log.write_text(site.waybill.log_text() + site.mx.log_text())
    got = json.loads(site.waybill.tool("explain", "--log", log, "--queue-id", queue_id,
                                       "--json").stdout)
    assert len(got["queue_ids"]) == (2 if site.attach == "after_queue" else 1)
    assert [d["route"] for d in got["decisions"]] == ["docomo"]
    place = f"mailer=wb-{site.docomo.port}-" if site.way == "sendmail" else f":{site.docomo.port}, "
    assert place in got["deliveries"][-1]["text"]
