"""What an admin had before `apply` works after it, and after `--undo`.

Every case is tried on one MTA before and after, and its outcome, which
recipient arrived where, is compared.
"""

import pytest

from lab import OpenDKIM, free_port, letter
from mailsite import Site
from prerequisites import need

STRANGER = "192.0.2.7"

# (name, recipients, client, where each must arrive; two places: routed or not)
CASES = [
    ("local user", ["news@mx.test"], None, {"mailbox news": ["news"]}),
    ("local user from outside", ["news@mx.test"], STRANGER, {"mailbox news": ["news"]}),
    ("virtual mailbox", ["box@virtual.test"], STRANGER,
     {"mailbox virtual.test/box": ["virtual.test/box"]}),
    ("relay domain from outside", ["x@gateway.test"], STRANGER, {"gateway": ["x@gateway.test"]}),
    ("relay domain from inside", ["x@gateway.test"], None, {"gateway": ["x@gateway.test"]}),
    ("virtual alias to a local user", ["inner@remote-alias.test"], STRANGER,
     {"mailbox news": ["news"]}),
    ("admin's transport for a domain", ["x@other.jp"], None, {"own": ["x@other.jp"]}),
    ("admin's transport for a user", ["special@remote.test"], None,
     {"own": ["special@remote.test"]}),
    ("virtual alias leading outside", ["boss@remote-alias.test"], None,
     {"default bulk": ["dave@remote.test"]}),
    ("virtual alias in a remote domain", ["known@partner.test"], None,
     {"default bulk": ["eve@remote.test"]}),
    ("alias leading outside", ["sales@mx.test"], None, {"default bulk": ["bob@remote.test"]}),
    ("alias leading outside, from outside", ["sales@mx.test"], STRANGER,
     {"default bulk": ["bob@remote.test"]}),
    ("alias leading both ways", ["team@mx.test"], None,
     {"mailbox news": ["news"], "default bulk": ["carol@remote.test"]}),
    ("forward leading outside", ["games@mx.test"], None, {"default bulk": ["fwd@remote.test"]}),
]
NAMES = [case[0] for case in CASES]


def try_all(site):
    """{case: outcome} of every case, by SMTP and by sendmail."""
    site.mx.forward("games", "fwd@remote.test\n")
    found = {}
    for name, recipients, client, _ in CASES:
        found[name] = site.outcome("a@keep.test", recipients, client=client)
        if client is None:
            found[name, "sendmail"] = site.outcome("a@keep.test", recipients, by="sendmail")
    return found


def merged(outcome):
    """The outcome with "default" and "bulk" as one place: mail that an alias
    sends outside may or may not be routed, but arrives once."""
    out = {}
    for place, got in outcome.items():
        place = "default bulk" if place in ("default", "bulk") else place
        out[place] = sorted(out.get(place, []) + got)
    return out


@pytest.fixture(scope="module")
def tried(way, programs, sendmail_here):
    """The site at work, with .before and .after as try_all() gave them."""
    site = Site(way)
    try:
        if not OpenDKIM.missing():
            add_signer(site)
        site.before = try_all(site)
        site.signed_before = signatures(site) if hasattr(site, "dkim") else None
        site.go()
        site.after = try_all(site)
        yield site
    finally:
        site.close()


def add_signer(site):
    """OpenDKIM for all mail, and once more in a service of its own."""
    site.dkim = site.lab.dkim("dkim", "example.com")
    if site.way == "sendmail":
        return add_signer_to_sendmail(site)
    site.mx.command("postconf", f"smtpd_milters={site.dkim.milter}",
                    f"non_smtpd_milters={site.dkim.milter}",
                    "milter_default_action=accept")
    site.own_port = free_port()
    name = f"127.0.0.1:{site.own_port}"
    site.mx.command("postconf", "-M", f"{name}/inet={name} inet n - y - - smtpd "
                    f"-o smtpd_milters={site.dkim.milter} -o syslog_name=postfix/own")
    site.mx.reload()


def add_signer_to_sendmail(site):
    """In front of waybill, as a filter that the admin had before."""
    site.own_port = site.mx.listeners["own"] = free_port()
    site.mx.mc += f"INPUT_MAIL_FILTER(`dkim', `S=inet:{site.dkim.port}@127.0.0.1')dnl\n"
    site.mx.write_mc()
    site.mx.make()
    site.mx.reload()


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_before_and_after_apply(tried, case):
    name, _, client, wanted = case
    for key in [name] if client else [name, (name, "sendmail")]:
        assert merged(tried.before[key]) == wanted, "the lab is wrong"
        assert "bulk" not in tried.before[key]
        assert merged(tried.after[key]) == wanted


def signatures(site):
    """How messages to a relay are signed: [(count, does it hold)]."""
    found = []
    for way in ({}, {"by": "sendmail"}, {"port": site.own_port}):
        site.outcome("info@example.com", ["a@remote.test"], **way)
        messages = site.default.messages + site.bulk.messages
        found.append([(len(m.headers("DKIM-Signature")), site.dkim.judge(m.data))
                      for m in messages])
    return found


def test_opendkim_still_signs_once_and_holds(tried):
    need(OpenDKIM.missing())
    assert tried.signed_before == [[(1, True)]] * 3, "the lab is wrong"
    assert signatures(tried) == [[(1, True)]] * 3
    # by the last way, the service with milters of its own
    assert tried.bulk.messages, "this mail should be routed"


def test_a_rule_that_names_the_domain_outranks_the_admins_table(tried):
    """The admin's /\\.jp$/ and /^special@/ would catch both; the rule for
    docomo.ne.jp names the domain and wins, `*` does not."""
    assert tried.outcome("a@keep.test", ["x@docomo.ne.jp"]) == {"docomo": ["x@docomo.ne.jp"]}
    assert tried.outcome("a@keep.test", ["special@docomo.ne.jp"]) == \
        {"docomo": ["special@docomo.ne.jp"]}


def test_a_gateways_incoming_mail_is_not_tagged(tried):
    tried.outcome("info@example.com", ["x@gateway.test"], client=STRANGER)
    message = tried.gateway.wait_for(1)[0]
    assert message.mail_from == "info@example.com"
    assert message.headers("X-Waybill-Route") == []


def test_undo_brings_the_old_ways_back(tried):
    tried.clear()
    tried.waybill.undo()
    tried.waybill.kill()
    assert tried.outcome("info@example.com", ["a@docomo.ne.jp"]) == {"own": ["a@docomo.ne.jp"]}
    assert tried.own.messages[0].mail_from == "info@example.com"
    assert tried.outcome("a@keep.test", ["news@mx.test"], letter("a@keep.test", "x"),
                         by="smtp") == {"mailbox news": ["news"]}
