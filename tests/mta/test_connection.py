"""`waybill test`: a real mail by each route, the server's own words when that
fails, and whether Postfix would do the same."""

import json
import os
import re
import socketserver
import subprocess
import threading
from pathlib import Path

import pytest

from lab import AuthRelay, Lab, build_directory, free_port, run
from prerequisites import need

PASSWORD = "a secret:with#odd octets"
WRONG = "this is not the password"
ACCOUNTS = {"shop": PASSWORD, "shop@example.com": PASSWORD}
STEPS = ["resolve", "connect", "greeting", "tls", "auth", "mail", "rcpt", "data"]

RETURN_PATH = """
return_path main { senders = { "example.com" }  mode = domain  domain = "return.example.com" }
bounces { domains = { "return.example.com" }  webhook = crm }
webhook crm { url = "https://app.example.com/hook" }
"""


class Owned(AuthRelay):
    """The same, with senders that belong to accounts."""

    def _main(self):
        return super()._main() | {
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject_unauth_destination",
            "smtpd_sender_login_maps": f"texthash:{self.dir}-owners",
            "smtpd_sender_restrictions": "reject_sender_login_mismatch"}

    def start(self):
        Path(f"{self.dir}-owners").write_text("info@return.example.com shop@strict\n")
        return super().start()


def route(lab, name, port, tls="none", *, host="localhost", password=PASSWORD,
          user="shop", ca=None, options=""):
    text = f'route {name} {{ host = "{host}"  port = {port}  tls = {tls}  {options}'
    if user:
        file = lab.waybill.password(name, password)
        text += f'  username = "{user}"  password_file = "{file}"'
        if tls == "none":
            text += "  allow_cleartext = yes"
    if tls != "none":
        text += f'  ca_file = "{ca or lab.provider.ca_file}"'
    return text + " }\n"


def rules(names):
    return "".join(f'rule {n} {{ recipients = {{ "{n}.test" }}  route = {n} }}\n' for n in names)


@pytest.fixture(scope="module")
def lab(programs):
    """A Postfix with waybill and many routes, right and wrong, applied."""
    need(AuthRelay.missing())
    with Lab() as lab:
        lab.got, lab.default, lab.plain = (lab.sink(n) for n in ("got", "default", "plain"))
        lab.provider = lab.authrelay("provider", ACCOUNTS, lab.got,
                                     mechanisms="PLAIN LOGIN CRAM-MD5 NTLM")
        lab.second = lab.authrelay("second", ACCOUNTS, lab.got)
        lab.strict = lab.adopt(Owned(lab.dir / "strict", "strict", ACCOUNTS, lab.got)).start()
        lab.parrot = lab.adopt(Parrot())
        lab.mx = lab.postfix("mx", main={"relayhost": lab.default.nexthop})
        lab.waybill = lab.waybill(lab.mx, "", relayhosts=[lab.default.nexthop])
        lab.routes = routes(lab)
        lab.waybill.configure("".join(lab.routes.values()) + rules(lab.routes) + RETURN_PATH)
        lab.waybill.start()
        lab.waybill.apply()
        yield lab


@pytest.fixture(autouse=True)
def nothing_left(lab):
    for server in (lab.mx, lab.provider.postfix, lab.second.postfix, lab.strict.postfix):
        server.wait_until_empty()
    for sink in (lab.got, lab.default, lab.plain):
        sink.clear()


def routes(lab):
    other_ca = lab.dir / "other-ca.pem"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=Another",
         "-keyout", lab.dir / "other.key", "-out", other_ca])
    not_pem = lab.dir / "not.pem"
    not_pem.write_text("no certificate\n")
    p = lab.provider
    return {
        "starttls": route(lab, "starttls", p.starttls_port, "starttls"),
        "tls": route(lab, "tls", p.tls_port, "tls", options="auth = login"),
        "none": route(lab, "none", p.plain_port),
        "open": route(lab, "open", lab.plain.port, host="[127.0.0.1]", user=None),
        "optional": route(lab, "optional", lab.plain.port),
        "account": route(lab, "account", p.starttls_port, "starttls", user="shop@example.com"),
        "owner": route(lab, "owner", lab.strict.plain_port),
        "password": route(lab, "password", p.starttls_port, "starttls", password=WRONG),
        "cram-md5": route(lab, "cram-md5", p.plain_port, options="auth = cram-md5"),
        "ntlm": route(lab, "ntlm", p.starttls_port, "starttls", options="auth = ntlm"),
        "any": route(lab, "any", p.tls_port, "tls", options="auth = any"),
        "from": route(lab, "from", p.plain_port,
                      options='from = "テスト <shop@example.org>"  return_path = keep'),
        "over": route(lab, "over", p.plain_port,
                      options=f'fallback = {{ "[localhost]:{lab.second.plain_port}" }}'),
        "over-dead": route(lab, "over-dead", free_port(), options=(
            f'fallback = {{ "[localhost]:{lab.second.plain_port}", "none" }}')),
        "dead-over": route(lab, "dead-over", p.plain_port,
                           options=f'fallback = {{ "[localhost]:{free_port()}" }}'),
        "name": route(lab, "name", p.port("tls", "wrong-name"), "tls"),
        "expired": route(lab, "expired", p.port("starttls", "expired"), "starttls"),
        "ca": route(lab, "ca", p.starttls_port, "starttls", ca=other_ca),
        "ca-file": route(lab, "ca-file", p.starttls_port, "starttls", ca=not_pem),
        "by-address": route(lab, "by-address", p.tls_port, "tls", host="[127.0.0.1]"),
        "address": route(lab, "address", p.port("tls", "wrong-name"), "tls",
                         host="[127.0.0.1]"),
        "tls-to-plain": route(lab, "tls-to-plain", p.plain_port, "tls"),
        "plain-to-tls": route(lab, "plain-to-tls", p.tls_port),
        "starttls-to-tls": route(lab, "starttls-to-tls", p.tls_port, "starttls"),
        "no-starttls": route(lab, "no-starttls", p.plain_port, "starttls"),
        "nobody": route(lab, "nobody", free_port(), "starttls"),
        "unknown": route(lab, "unknown", 587, "starttls", host="no-such-host.invalid"),
        "parrot": route(lab, "parrot", lab.parrot.port, password=WRONG),
        "cram": route(lab, "cram", lab.parrot.port, options="auth = login"),
        "no-login": route(lab, "no-login", lab.strict.plain_port, user=None),
    }


def ask(lab, *arguments, status=0, to="you@rcpt.test", sender="info@example.com"):
    """Run the test; returns what it printed."""
    lab.mx.age()
    more = ["--from", sender] if sender else []
    done = lab.waybill.tool("test", "--timeout", "2", "--to", to, *more, *arguments, ok=None)
    said = done.stdout + done.stderr
    assert done.returncode == status, said
    for secret in (PASSWORD, WRONG):
        assert secret not in said
    return done.stdout


def ask_json(lab, *arguments, **options):
    return json.loads(ask(lab, "--json", *arguments, **options))


# It works.

@pytest.mark.parametrize("name", ["starttls", "tls", "none", "open"])
def test_a_good_route_passes_and_the_mail_arrives(lab, name):
    out = ask(lab, name)
    assert out.splitlines()[-1] == f"route {name}: ok"
    sink = lab.plain if name == "open" else lab.got
    message, = sink.wait_for(1, log=lab.provider.postfix.log)
    assert message.rcpt_to == ["you@rcpt.test"]
    assert message.mail_from == "info@return.example.com"
    assert message.header("From") == "<info@example.com>"
    assert message.header("To") == "<you@rcpt.test>"
    assert message.header("Subject") == f"[waybill] test mail by route {name}"
    assert message.header("X-Waybill-Route") == name
    assert message.parsed["Date"].datetime and message.header("Message-ID").startswith("<waybill.")
    assert message.body.count("\n") == 1
    if name != "open":
        assert lab.provider.login_of(message) == "shop"
        assert "from mx.test" in message.headers("Received")[-1]     # smtp_helo_name


def test_every_step_is_told_in_order(lab):
    lines = ask(lab, "starttls").splitlines()
    assert [line.split()[0] for line in lines[1:9]] == STEPS
    assert all(re.match(r"  \S+ +\d+\.\d ms  \S", line) for line in lines[1:9])
    text = "\n".join(lines)
    assert "certificate for localhost, 127.0.0.1, good until 20" in text
    assert re.search(r"auth +\S+ ms  PLAIN: 235 ", text)
    assert "tables" in text and f"[localhost]:{lab.provider.starttls_port}" in text


def test_with_tls_at_once_the_greeting_comes_after_it(lab):
    found, = ask_json(lab, "tls")
    assert [s["step"] for s in found["steps"]] == [
        "resolve", "connect", "tls", "greeting", "auth", "mail", "rcpt", "data"]
    assert found["steps"][4]["detail"].startswith("LOGIN: 235")


def test_json(lab):
    found, = ask_json(lab, "starttls")
    assert found["result"] == "ok" and found["status"] == 0
    assert (found["route"], found["host"], found["port"], found["tls"], found["username"]) == (
        "starttls", "localhost", lab.provider.starttls_port, "starttls", "shop")
    assert (found["sender"], found["recipient"]) == ("info@return.example.com", "you@rcpt.test")
    assert found["certificate"]["names"] == ["localhost", "127.0.0.1"]
    assert found["certificate"]["days_left"] in (1, 2)
    assert found["tables"]["ok"] and all(s["ok"] for s in found["steps"])
    assert found["failed_at"] is found["reply"] is found["hint"] is None


def test_an_account_that_is_an_address_is_the_sender(lab):
    found, = ask_json(lab, "account", sender=None)
    assert found["sender"] == "shop@return.example.com"
    message, = lab.got.wait_for(1, log=lab.provider.postfix.log)
    assert message.header("From") == "<shop@example.com>"


@pytest.mark.parametrize("name, method", [
    ("cram-md5", "CRAM-MD5"), ("ntlm", "NTLM"), ("any", "(CRAM-MD5|NTLM)")])
def test_every_mechanism_is_tested(lab, name, method):
    found, = ask_json(lab, name)
    auth, = (s for s in found["steps"] if s["step"] == "auth")
    assert re.match(f"{method}: 235", auth["detail"])
    assert re.fullmatch(method, lab.provider.methods()["shop"])


def test_the_from_of_the_route_is_the_one_of_the_mail(lab):
    found, = ask_json(lab, "from", sender=None)
    assert found["sender"] == "shop@example.org"
    message, = lab.got.wait_for(1, log=lab.provider.postfix.log)
    assert str(message.parsed["From"]) == "テスト <shop@example.org>"
    assert message.header("Reply-To") is None
    lab.got.clear()
    ask(lab, "from")
    message, = lab.got.wait_for(1, log=lab.provider.postfix.log)
    assert message.mail_from == "info@example.com"
    assert str(message.parsed["From"]) == "テスト <shop@example.org>"
    assert message.header("Reply-To") == "<info@example.com>"


def test_every_fallback_gets_a_mail_of_its_own(lab):
    found, = ask_json(lab, "over")
    names = [s["step"] for s in found["steps"]]
    assert names == [s for s in STEPS if s != "tls"] + [
        f"fallback1:{s}" for s in STEPS if s != "tls"]
    assert found["result"] == "ok" and found["tables"]["ok"]
    mails = lab.got.wait_for(2, log=lab.provider.postfix.log)
    one, other = sorted(mails, key=lambda m: m.header("Subject"))
    assert one.header("Subject") == "[waybill] test mail by route over"
    assert other.header("Subject") == "[waybill] test mail by route over, fallback 1"
    assert one.header("Message-ID") != other.header("Message-ID")
    assert (lab.provider.login_of(one), lab.second.login_of(other)) == ("shop", "shop")


def test_fallbacks_are_tried_though_the_first_relay_fails(lab):
    lines = ask(lab, "over-dead", status=69).splitlines()
    steps = [line.split() for line in lines[1:-3]]
    assert [s[0] for s in steps if s[-1] == "failed"] == ["connect"]
    assert steps[1][0] == "connect" and steps[2][0] == "fallback1:resolve"
    assert "fallback2:data" in [s[0] for s in steps]
    assert "route over-dead: failed at connect: connect" in lines
    assert len(lab.got.wait_for(2, log=lab.provider.postfix.log)) == 2


def test_a_fallback_that_fails_is_a_failure(lab):
    found, = ask_json(lab, "dead-over", status=69)
    assert (found["result"], found["failed_at"]) == ("connect", "fallback1:connect")
    lab.got.wait_for(1, log=lab.provider.postfix.log)


def test_without_any_sender_nothing_is_sent(lab):
    found, = ask_json(lab, "starttls", sender=None, status=65)
    assert "--from" in found["reply"] and found["result"] == "sender"


def test_where_no_login_is_offered_mail_goes_without_as_by_postfix(lab):
    assert re.search(r"auth .* offers no login: mail goes without", ask(lab, "optional"))
    lab.plain.clear()
    lab.mx.send("info@example.com", ["x@optional.test"])
    assert lab.plain.wait_for(1, log=lab.mx.log)[0].rcpt_to == ["x@optional.test"]


@pytest.mark.parametrize("name", ["starttls", "tls", "none", "by-address"])
def test_what_passes_is_what_postfix_does(lab, name):
    """The same account, sender and recipient as of mail by that route."""
    ask(lab, name, to=f"x@{name}.test")
    lab.mx.send("info@example.com", [f"x@{name}.test"])
    tested, mailed = lab.got.wait_for(2, log=lab.mx.log)
    assert tested.rcpt_to == mailed.rcpt_to
    assert tested.mail_from == mailed.mail_from == "info@return.example.com"
    assert lab.provider.login_of(tested) == lab.provider.login_of(mailed) == "shop"
    assert tested.header("X-Waybill-Route") == mailed.header("X-Waybill-Route") == name


# It does not work: route, status, kind, step, in the reply, in the hint

FAILURES = [
    ("password", 77, "login", "auth", "535 5.7.8", "user or the password is wrong"),
    ("parrot", 77, "login", "auth", "535 5.7.8 no: AUTH PLAIN [password]", "password is wrong"),
    ("cram", 77, "login", "auth", "the server offers AUTH PLAIN CRAM-MD5", "Set auth"),
    ("no-login", 77, "login", "rcpt", "not logged in", "after a login"),
    ("name", 76, "certificate", "tls", "elsewhere.invalid", "one of them"),
    ("expired", 76, "certificate", "tls", "expired", "has expired"),
    ("ca", 76, "certificate", "tls", "certificate", "ca_file"),
    ("ca-file", 76, "certificate", "tls", "", "ca_file"),
    ("address", 76, "certificate", "tls", "elsewhere.invalid", "one of them"),
    ("tls-to-plain", 76, "tls", "tls", "wrong version number", "tls = starttls"),
    ("plain-to-tls", 76, "tls", "greeting", "nothing came for 2 s", "tls = tls"),
    ("starttls-to-tls", 76, "tls", "greeting", "nothing came for 2 s", "tls = tls"),
    ("no-starttls", 76, "tls", "tls", "STARTTLS", "mostly 587"),
    ("nobody", 69, "connect", "connect", "Connection refused", "Nothing listens"),
    ("unknown", 68, "resolve", "resolve", "no-such-host.invalid", "typing error"),
]


@pytest.mark.parametrize("name, status, kind, step, reply, hint", FAILURES,
                         ids=[row[0] for row in FAILURES])
def test_failures_tell_what_is_wrong(lab, name, status, kind, step, reply, hint):
    found, = ask_json(lab, name, status=status)
    assert (found["result"], found["status"], found["failed_at"]) == (kind, status, step)
    assert reply in found["reply"] and hint in found["hint"]
    assert found["steps"][-1]["step"] == step and not found["steps"][-1]["ok"]
    assert lab.got.messages == lab.plain.messages == []


@pytest.mark.parametrize("name", ["name", "expired", "ca", "address"])
def test_what_is_not_verified_postfix_does_not_deliver_either(lab, name):
    lab.mx.send("info@example.com", [f"x@{name}.test"])
    lab.mx.wait_for_deferred()
    assert "certificate" in lab.mx.queued()[0]["recipients"][0]["delay_reason"].lower()
    lab.mx.empty_queue()
    assert lab.got.messages == []


def test_a_failure_is_told_in_the_servers_words(lab):
    lines = ask(lab, "password", status=77).splitlines()
    assert "route password: failed at auth: login" in lines
    assert re.match(r"  server +535 5\.7\.8 ", lines[-2])
    assert re.match(r"  hint +The user or the password is wrong\.", lines[-1])


@pytest.mark.parametrize("reply, status, kind", [
    ("550 5.1.1 <you@rcpt.test>: User unknown", 67, "recipient"),
    ("450 4.2.0 come back later", 75, "temporary"),
    ("554 5.7.1 client blocked using zen.spamhaus.org", 69, "blocked")])
def test_a_refused_recipient(lab, reply, status, kind):
    lab.plain.refuse(reply)
    found, = ask_json(lab, "open", status=status)
    assert (found["result"], found["failed_at"], found["reply"]) == (kind, "rcpt", reply)


def test_a_refused_sender(lab):
    """What counts is what the return path makes of it."""
    ask(lab, "owner", sender="info@example.com")
    found, = ask_json(lab, "owner", sender="info@example.org", status=65)
    assert (found["result"], found["failed_at"]) == ("sender", "rcpt")
    assert "not owned by user" in found["reply"] and "may not send" in found["hint"]


def test_each_step_is_told_when_it_is_done(lab):
    """While the server keeps silent, the steps before are on the screen."""
    command = [build_directory() / "waybill", "test", "-c", lab.waybill.conf, "plain-to-tls",
               "--no-tables", "--timeout", "5", "--to", "a@b.test", "--from", "a@b.test"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as test:
        first = [test.stdout.readline().split()[0] for _ in range(3)]
        assert first == ["route", "resolve", "connect"] and test.poll() is None
        assert "greeting" in test.stdout.read()
    assert test.returncode == 76


# Several, and in a script.

def test_all_routes_at_once(lab):
    found = {r["route"]: r for r in ask_json(lab, "--all", status=77)}
    assert list(found) == list(lab.routes)
    wanted = {name: "ok" for name in lab.routes} | {row[0]: row[2] for row in FAILURES}
    wanted |= {"over-dead": "connect", "dead-over": "connect"}
    assert {name: r["result"] for name, r in found.items()} == wanted


def test_quiet_tells_failures_only(lab):
    assert ask(lab, "--quiet", "starttls", "tls") == ""
    out = ask(lab, "--quiet", "starttls", "nobody", "password", status=69)
    assert re.findall(r"^route (\S+): failed", out, re.M) in (["nobody", "password"],
                                                             ["password", "nobody"])
    assert "starttls: ok" not in out


@pytest.mark.parametrize("arguments, text", [
    (["--to", "a@b.test"], "--all"), (["--to", "a@b.test", "direct"], "direct"),
    (["--to", "a@b.test", "nowhere"], "nowhere"), (["starttls"], "--to"),
    (["--to", "a@b.test", "--all", "tls"], "--all"), (["--to", "a@b.test", "--timeout", "0", "tls"],
                                                      "1 to 300")])
def test_wrong_usage(lab, arguments, text):
    done = lab.waybill.tool("test", *arguments, ok=None)
    assert done.returncode == 64 and text in done.stderr


def test_nobody_sees_the_password(lab):
    """Neither in the arguments nor in the environment of any process."""
    lab.parrot.seen = None
    ask(lab, "parrot", status=77)
    assert lab.parrot.seen == []


# Would Postfix do the same?

def unapplied(lab, name):
    found, = ask_json(lab, name, status=72)
    assert found["result"] == "not-applied" and "waybill apply" in found["hint"]
    assert found["tables"]["ok"] is False and found["failed_at"] == "tables"
    assert all(s["ok"] for s in found["steps"])


def test_a_route_that_is_not_applied_yet(lab):
    text = lab.waybill.text
    lab.waybill.configure(text + route(lab, "newer", lab.provider.plain_port)
                          + rules(["newer"]))
    try:
        unapplied(lab, "newer")
        ask(lab, "newer", "--no-tables")
    finally:
        lab.waybill.configure(text)


def test_a_postfix_without_waybill(lab):
    bare = lab.postfix("bare", start=False)
    bare.write()
    lab.waybill.tool("test", "open", "--to", "a@b.test", "--from", "a@b.test",
                     "--mta-config", bare.etc, ok=(72,))
    lab.waybill.tool("test", "open", "--to", "a@b.test", "--from", "a@b.test",
                     "--mta-config", lab.dir / "nowhere", ok=(72,))


EDITS = [
    ("waybill/transport.pcre", r":\[localhost\]:(\d+)", r":[elsewhere.test]:\1",
     "transport_maps answers"),
    ("waybill/strip.pcre", r"(?m)\$1$", "somebody@else.test", "strip.pcre"),
    ("waybill/sasl-none-plain", r"shop:.*", "shop:another", "another account"),
    ("waybill/sasl-none-plain", r"(?m)^\[.*\n", "", "no account"),
    ("master.cf", r"(?m)^waybill-none-plain unix", "other unix", "no service waybill-none-plain"),
    ("master.cf", r"smtp_sasl_mechanism_filter=plain", "smtp_sasl_mechanism_filter=login",
     "is another one"),
    ("main.cf", r"\$waybill_transport_maps", "texthash:{etc}/first, $waybill_transport_maps",
     "transport_maps answers smtp:[first.test]"),
    ("main.cf", r"\$waybill_transport_maps", "texthash:{etc}/none", "no answer"),
]


@pytest.mark.parametrize("file, what, by, text", EDITS, ids=[f"{r[0]}-{r[3]}" for r in EDITS])
def test_edits_by_hand_are_found(lab, file, what, by, text):
    path = lab.mx.etc / file
    before = path.read_text()
    name = "none"
    if "first" in by:
        for r in (lab.mx.etc / "waybill/strip.pcre").read_text().splitlines():
            if found := re.search(r"\\\.([a-z2-7]{8})\\\.waybill", r):
                label = found.group(1)
        lab.mx.table("first", f"probe@example.invalid.none.{label}.waybill.invalid "
                              "smtp:[first.test]\n")
    lab.mx.table("none", "")
    after = re.sub(what, by.replace("{etc}", str(lab.mx.etc)), before)
    assert after != before
    try:
        path.write_text(after)
        found, = ask_json(lab, name, status=70)
        assert found["result"] == "tables" and text in found["reply"]
        assert all(s["ok"] for s in found["steps"])
        ask(lab, name, "--no-tables")
    finally:
        path.write_text(before)


# A host that only /etc/hosts knows.

DNS = "127.0.0.87"


@pytest.fixture
def dns(lab, tmp_path):
    """A Postfix that asks the DNS, and a name server that knows nothing but
    what a test puts into it."""
    if run(["unshare", "--mount", "true"], ok=None).returncode:
        pytest.skip("no mount namespace for a resolv.conf of our own")
    main = lab.mx.etc / "main.cf"
    before = main.read_text()
    main.write_text(before.replace("disable_dns_lookups = yes", "disable_dns_lookups = no")
                    .replace("smtp_host_lookup = native", "smtp_host_lookup = dns"))
    (tmp_path / "resolv.conf").write_text(f"nameserver {DNS}\noptions attempts:1 timeout:1\n")
    server = NameServer()
    server.resolv_conf = tmp_path / "resolv.conf"
    try:
        yield server
    finally:
        server.stop()
        main.write_text(before)


def ask_with(lab, dns, name, ok):
    lab.mx.age()
    mount = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    done = run(["unshare", "--mount", "sh", "-c", mount, dns.resolv_conf,
                build_directory() / "waybill", "test", "-c", lab.waybill.conf, name, "--json",
                "--to", "you@rcpt.test", "--from", "info@example.com"], ok=(ok,))
    return json.loads(done.stdout)[0]


def test_a_host_that_postfix_would_not_find(lab, dns):
    found = ask_with(lab, dns, "starttls", 68)
    assert (found["result"], found["failed_at"]) == ("resolve", "tables")
    assert found["reply"] == "the DNS does not know localhost"
    assert "smtp_host_lookup" in found["hint"]
    dns.knows[b"localhost"] = bytes([127, 0, 0, 1])
    assert ask_with(lab, dns, "starttls", 0)["result"] == "ok"


def test_a_name_server_that_fails_proves_nothing(lab, dns):
    dns.fails = True
    assert ask_with(lab, dns, "starttls", 0)["result"] == "ok"
    assert ask_with(lab, dns, "by-address", 0)["result"] == "ok"


class NameServer:
    """Answers questions for addresses (RFC 1035) by UDP."""

    def __init__(self):
        self.knows, self.fails = {}, False
        server = self

        class Query(socketserver.BaseRequestHandler):
            def handle(self):
                data, sock = self.request
                sock.sendto(server.answer(data), self.client_address)

        self._server = socketserver.UDPServer((DNS, 53), Query)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,),
                                        daemon=True)
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def answer(self, query):
        end = query.index(b"\0", 12)
        question, kind = query[12:end + 5], query[end + 1:end + 3]
        labels, rest = [], query[12:end]
        while rest:
            labels.append(rest[1:1 + rest[0]])
            rest = rest[1 + rest[0]:]
        known = self.knows.get(b".".join(labels).lower())
        code = 2 if self.fails else 0 if known else 3
        record = b""
        if known and kind == b"\0\1" and not self.fails:
            record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + known
        return (query[:2] + bytes([0x81, 0x80 | code]) + b"\0\1\0" + bytes([bool(record)])
                + b"\0\0\0\0" + question + record)


# A server that repeats what it is told.

class Parrot:
    """Refuses every login and repeats it, and looks meanwhile at what all
    processes show of the password."""

    def __init__(self):
        self.port, self.seen = free_port(), None
        parrot = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self):
                parrot.serve(self.rfile, self.wfile)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Session)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,),
                                        daemon=True)
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def serve(self, lines, out):
        out.write(b"220 parrot.test ESMTP\r\n")
        for line in lines:
            verb = line.split()[0].upper() if line.split() else b""
            if verb == b"EHLO":
                out.write(b"250-parrot.test\r\n250 AUTH PLAIN CRAM-MD5\r\n")
            elif verb == b"AUTH":
                self.seen = [p for pid in os.listdir("/proc") if pid.isdigit()
                             for p in (Path(f"/proc/{pid}/cmdline"), Path(f"/proc/{pid}/environ"))
                             if shows(p)]
                out.write(b"535 5.7.8 no: " + line)
            elif verb == b"QUIT":
                out.write(b"221 bye\r\n")
                return
            else:
                out.write(b"502 what?\r\n")


def shows(path):
    try:
        return WRONG.encode() in path.read_bytes()
    except OSError:
        return False
