"""POP before SMTP: a relay that takes mail only from where somebody has just
fetched mail by POP, as Dovecot tells it; and a route that waits for that."""

import fcntl
import json
import os
import re
import threading

import pytest

from lab import AuthRelay, Lab, Pop3, wait_for
from prerequisites import need

PASSWORD = "a pop secret#1"
WRONG = "not the pop secret"


@pytest.fixture(scope="module")
def running(programs):
    need(AuthRelay.missing(), Pop3.missing())
    with Lab() as lab:
        lab.got, lab.default = lab.sink("got"), lab.sink("default")
        lab.provider = lab.authrelay("provider", {"shop": PASSWORD}, lab.got)
        lab.relay = relay(lab)
        lab.opened = lab.dir / "opened"
        log_in = (f'echo "$IP OK" | /usr/sbin/postmap -c {lab.relay.etc} -i '
                  f'lmdb:{lab.opened} 2>/dev/null')
        lab.pop = lab.pop3("pop", {"shop": PASSWORD}, tls=lab.provider.certificates,
                           on_login=log_in)
        lab.bare = lab.pop3("bare", {"shop": PASSWORD}, on_login=log_in)
        lab.mx = lab.postfix("mx", main={"relayhost": lab.default.nexthop})
        lab.waybill = lab.waybill(lab.mx, "", relayhosts=[lab.default.nexthop])
        lab.state = lab.dir / "state" / "routes.json"
        lab.waybill.configure(configuration(lab))
        lab.waybill.start()
        lab.waybill.apply()
        yield lab


def relay(lab):
    """It takes mail from nobody but who is in the table."""
    table = lab.dir / "opened"
    server = lab.postfix("relay", start=False, chroot="n", main={
        "default_transport": f"smtp:{lab.got.nexthop}", "mydestination": "", "mynetworks": "",
        "smtpd_relay_restrictions": f"check_client_access lmdb:{table}, reject_unauth_destination"})
    server.write()
    table.write_text("")
    server.command("postmap", f"lmdb:{table}")
    return server.start()


def close_relay(lab):
    lab.relay.command("postmap", "-d", "127.0.0.1", f"lmdb:{lab.opened}", ok=None)


def configuration(lab, more=""):
    file = lab.waybill.password("shop", PASSWORD)
    urls = {"tls": f"pop3s://localhost:{lab.pop.tls_port}",
            "stls": f"pop3://localhost:{lab.pop.port}"}
    text = f'state_file = "{lab.state}"\n'
    for name, url in urls.items():
        text += route(lab, name, url, file)
    return text + more


def route(lab, name, url, file, options=""):
    return f"""
route {name} {{
    host = "[127.0.0.1]"  port = {lab.relay.port}  auth = none
    username = "shop"  password_file = "{file}"  ca_file = "{lab.provider.ca_file}"
    pop_before_smtp = "{url}"  {options}
}}
rule {name} {{ recipients = {{ "{name}.test" }}  route = {name} }}
"""


@pytest.fixture
def lab(running):
    """Nobody has logged in, and everything is as it was configured first."""
    lab = running
    lab.mx.empty_queue()
    for sink in (lab.got, lab.default):
        sink.clear()
    close_relay(lab)
    lab.pop.accounts = {"shop": PASSWORD}
    lab.pop.write_accounts()
    lab.waybill.password("shop", PASSWORD)
    lab.waybill.configure(configuration(lab))
    lab.state.unlink(missing_ok=True)
    lab.waybill.apply()
    lab.waybill.reload()
    return lab


def login(lab, *arguments, status=0):
    """Log in; returns what was said. Postfix works by its tables then."""
    old, reloads = lab.mx.workers(), lab.mx.reloads()
    lab.mx.age()
    done = lab.waybill.tool("pop-login", "--timeout", "3", *arguments, ok=None)
    said = done.stdout + done.stderr
    assert done.returncode == status, said
    assert PASSWORD not in said and WRONG not in said
    if lab.mx.reloads() > reloads:
        lab.mx.age()
        lab.mx.wait_for_end_of(old)
    return said


def down(lab):
    """The routes that Postfix does not use."""
    text = (lab.mx.etc / "waybill" / "down.pcre").read_text()
    return set(re.findall(r"^/@\.\+\\\.([a-z-]+)\\\..*retry:", text, re.M))


def remembered(lab, name="tls"):
    return json.loads(lab.state.read_text())["routes"][name]


def pretend(lab, seconds, name="tls"):
    """Let the last look at a route be so long ago."""
    state = json.loads(lab.state.read_text())
    state["routes"][name]["pop"]["last"] -= seconds
    lab.state.write_text(json.dumps(state))


def reason(lab):
    return lab.mx.wait_for_deferred()[-1]["recipients"][0]["delay_reason"]


@pytest.mark.parametrize("name", ["tls", "stls"])
def test_mail_waits_for_the_login_and_then_goes(lab, name):
    assert down(lab) == {"tls", "stls"}
    lab.mx.send("info@example.com", [f"a@{name}.test"])
    assert reason(lab) == "no POP login yet"
    assert f"route {name}: logged in at localhost" in login(lab, name)
    assert down(lab) == {"tls", "stls"} - {name}
    lab.mx.retry_until_empty()
    message, = lab.got.wait_for(1, log=lab.mx.log)
    assert message.rcpt_to == [f"a@{name}.test"]
    assert lab.default.messages == []


def test_the_relay_is_closed_to_those_who_do_not_log_in(lab):
    """Lest the tests above prove nothing."""
    reply = lab.relay.send("info@example.com", ["a@tls.test"])
    assert reply.code == 554 and "Relay access denied" in reply.text
    login(lab, "tls")
    assert lab.relay.send("info@example.com", ["a@tls.test"]).code == 250


def test_the_connection_test_logs_in_first(lab):
    login(lab)
    close_relay(lab)
    lab.mx.age()
    found, = json.loads(lab.waybill.tool("test", "tls", "--json", "--to", "a@tls.test",
                                         "--from", "info@example.com").stdout)
    assert [s["step"] for s in found["steps"]] == [
        "pop:resolve", "pop:connect", "pop:tls", "pop:greeting", "pop:auth",
        "resolve", "connect", "greeting", "mail", "rcpt", "data"]
    assert found["result"] == "ok"
    assert lab.got.wait_for(1)[0].rcpt_to == ["a@tls.test"]


def test_the_connection_test_tells_that_a_route_waits(lab):
    done = lab.waybill.tool("test", "tls", "--to", "a@tls.test", "--from", "info@example.com",
                            ok=(75,))
    assert "no POP login yet" in done.stdout and "waybill pop-login" in done.stdout
    lab.waybill.password("shop", WRONG)
    done = lab.waybill.tool("test", "tls", "--to", "a@tls.test", "--from", "info@example.com",
                            ok=(77,))
    assert "route tls: failed at pop:auth: login" in done.stdout


# Again and again.

def test_a_login_is_renewed_when_half_of_its_time_is_over(lab):
    before = lab.pop.logins()
    login(lab)
    wait_for("two logins", lambda: lab.pop.logins() == before + 2)
    before += 2
    assert login(lab) == ""
    pretend(lab, 120)
    assert login(lab) == ""
    pretend(lab, 60)
    assert login(lab) == "route tls: logged in at localhost, good for 5 minutes\n"
    wait_for("login", lambda: lab.pop.logins() == before + 1)


def test_postfix_reloads_only_when_another_set_is_down(lab):
    login(lab)
    reloads = lab.mx.reloads()
    login(lab, "tls", "stls")
    assert lab.mx.reloads() == reloads
    lab.waybill.password("shop", WRONG)
    login(lab, "tls", status=77)
    assert lab.mx.reloads() == reloads + 1
    table = (lab.mx.etc / "waybill" / "down.pcre").read_bytes()
    login(lab, "tls", status=77)
    assert lab.mx.reloads() == reloads + 1
    assert (lab.mx.etc / "waybill" / "down.pcre").read_bytes() == table


def test_a_route_whose_login_fails_is_not_used(lab):
    login(lab)
    lab.waybill.password("shop", WRONG)
    said = login(lab, "tls", status=77)
    assert "route tls: failed at pop:auth: login" in said
    assert re.search(r"server +-ERR \[AUTH\]", said) and "user or the password is wrong" in said
    assert down(lab) == {"tls"}
    lab.mx.send("info@example.com", ["a@tls.test"])
    lab.mx.send("info@example.com", ["b@stls.test"])
    assert re.match(r"POP login failed: -ERR \[AUTH\]", reason(lab))
    assert lab.mx.log_lines("dsn=4.7.0", "status=deferred (POP login failed: -ERR [AUTH]")
    assert lab.got.wait_for(1)[0].rcpt_to == ["b@stls.test"]
    lab.waybill.password("shop", PASSWORD)
    login(lab, "tls")
    assert down(lab) == set()
    lab.mx.retry_until_empty()
    assert sorted(lab.got.rcpt_to) == ["a@tls.test", "b@stls.test"]


def test_a_refused_login_is_not_tried_all_the_time(lab):
    login(lab, "stls")
    lab.waybill.password("shop", WRONG)
    login(lab, status=77)
    assert login(lab) == ""                  # 30 s are not over
    pretend(lab, 31)
    assert "failed at pop:auth" in login(lab, status=77)
    pretend(lab, 31)
    assert login(lab) == ""                  # now it is 60 s
    state = json.loads(lab.state.read_text())
    state["routes"]["tls"]["pop"]["failures"] = 1000
    lab.state.write_text(json.dumps(state))
    pretend(lab, 860)
    assert login(lab) == ""
    pretend(lab, 20)                         # 900 s at most
    assert "failed at pop:auth" in login(lab, status=77)


def test_only_changes_are_told_when_quiet(lab):
    said = login(lab, "--quiet")
    assert [re.sub(r" .*?: ", " ", line, count=1) for line in said.splitlines()] == [
        "route logged in at localhost; its mail goes out"] * 2
    assert login(lab, "--quiet", "tls") == ""
    lab.waybill.password("shop", WRONG)
    said = login(lab, "--quiet", "tls", status=77)
    assert re.match(r"route tls: POP login at localhost failed \(login\): -ERR \[AUTH\].*; "
                    r"its mail waits\n$", said)
    assert login(lab, "--quiet", "tls", status=77) == ""


@pytest.mark.parametrize("what, status, kind", [("nobody", 69, "connect"), ("name", 68, "resolve"),
                                                ("ca", 76, "certificate")])
def test_other_failures(lab, what, status, kind):
    url = {"nobody": "pop3s://localhost:1", "name": "pop3s://no-such-host.invalid",
           "ca": f"pop3s://localhost:{lab.pop.tls_port}"}[what]
    text = route(lab, "other", url, "secrets/shop")
    if what == "ca":
        text = re.sub(r'ca_file = "[^"]*"', "", text)
    lab.waybill.configure(configuration(lab, text))
    lab.waybill.apply()
    assert f": {kind}\n" in login(lab, "other", status=status)
    assert "other" in down(lab)


# TLS.

def test_without_stls_nothing_is_said_of_the_password(lab):
    lab.waybill.configure(configuration(lab, route(
        lab, "bare", f"pop3://localhost:{lab.bare.port}", "secrets/shop")))
    lab.waybill.apply()
    before = lab.bare.log_text().count("no auth attempts")
    assert "failed at pop:tls: tls" in login(lab, "bare", status=76)
    wait_for("end of the session without a login",
             lambda: lab.bare.log_text().count("no auth attempts") == before + 1)
    assert lab.bare.logins() == 0


def test_without_stls_a_login_in_clear_must_be_allowed(lab):
    lab.waybill.configure(configuration(lab, route(
        lab, "bare", f"pop3://localhost:{lab.bare.port}", "secrets/shop",
        "allow_cleartext = yes")))
    lab.waybill.apply()
    before = lab.bare.logins()
    login(lab, "bare")
    wait_for("login", lambda: lab.bare.logins() == before + 1)


def test_with_cleartext_allowed_stls_is_taken_where_it_is_offered(lab):
    lab.waybill.configure(configuration(lab, route(
        lab, "either", f"pop3://localhost:{lab.pop.port}", "secrets/shop",
        "allow_cleartext = yes")))
    lab.waybill.apply()
    before = lab.pop.logins()
    login(lab, "either")
    wait_for("login", lambda: lab.pop.logins() > before)
    last = [line for line in lab.pop.log_text().splitlines() if "Login: user=<shop>" in line][-1]
    assert ", TLS," in last


# With apply, undo and accidents.

def test_apply_keeps_what_is_up(lab):
    login(lab, "tls")
    table = (lab.mx.etc / "waybill" / "down.pcre").read_bytes()
    lab.waybill.apply()
    assert (lab.mx.etc / "waybill" / "down.pcre").read_bytes() == table
    assert down(lab) == {"stls"}
    lab.waybill.configure(configuration(lab).replace('pop_interval = "5m"', "")
                          + route(lab, "new", f"pop3s://localhost:{lab.pop.tls_port}",
                                  "secrets/shop"))
    lab.waybill.apply()
    assert down(lab) == {"stls", "new"}


def test_a_reload_that_was_missed_is_made_up_for(lab):
    """Killed between the table and the reload: Postfix does not know yet."""
    login(lab)
    state = json.loads(lab.state.read_text())
    lab.state.write_text(json.dumps(state | {"must_reload": True}))
    reloads = lab.mx.reloads()
    login(lab)
    assert lab.mx.reloads() == reloads + 1
    assert json.loads(lab.state.read_text())["must_reload"] is False
    login(lab)
    assert lab.mx.reloads() == reloads + 1


def test_an_apply_at_work_is_waited_for(lab):
    folder = os.open(lab.mx.etc / "waybill", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        timer = threading.Timer(1, lambda: fcntl.flock(folder, fcntl.LOCK_UN))
        timer.start()
        login(lab)
        assert down(lab) == set()
        fcntl.flock(folder, fcntl.LOCK_EX)
        lab.waybill.password("shop", WRONG)
        assert "another waybill apply" in login(lab, "tls", status=75)
        assert down(lab) == set()
    finally:
        timer.join()
        os.close(folder)
    assert remembered(lab)["pop"]["failures"] == 1
    login(lab, "tls", status=77)
    assert down(lab) == {"tls"}


def test_many_at_once(lab):
    """Two timers, or a timer and a person: the state stays whole."""
    threads = [threading.Thread(target=lab.waybill.tool, args=("pop-login", "tls", "stls"))
               for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(json.loads(lab.state.read_text())["routes"]) == {"tls", "stls"}
    assert remembered(lab)["pop"]["failures"] == 0
    assert down(lab) == set()


def test_the_state_tells_no_password_and_is_roots(lab):
    lab.waybill.password("shop", WRONG)
    login(lab, status=77)
    text = lab.state.read_text()
    assert WRONG not in text and PASSWORD not in text
    assert remembered(lab)["account"] == f"shop@localhost:{lab.pop.tls_port}"
    assert remembered(lab)["pop"]["kind"] == "login"
    assert lab.state.stat().st_mode & 0o777 == 0o600
    assert lab.state.parent.stat().st_mode & 0o777 == 0o700


def test_undo_with_a_route_down(lab):
    before = {n: (lab.mx.etc / n).read_bytes() for n in ("main.cf", "master.cf")}
    lab.waybill.undo()
    assert not (lab.mx.etc / "waybill").exists()
    lab.mx.age()
    assert "run waybill apply" in login(lab, "tls", status=72)
    assert not (lab.mx.etc / "waybill").exists()
    lab.waybill.apply()
    assert {n: (lab.mx.etc / n).read_bytes() for n in before} == before
    assert down(lab) == {"stls"}
