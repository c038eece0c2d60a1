"""Who is told when a route begins or ceases to fail: one message a change,
never a storm."""

import json
import re
import sys

import pytest

from lab import AuthRelay, Lab, Pop3, build_directory, free_port, run
from prerequisites import need

PASSWORD, WRONG = "a pop secret#1", "not the pop secret"
NOTIFY = 'notify = { "games@mx.test", "news@mx.test" }\n'


@pytest.fixture(scope="module")
def running(programs):
    need(AuthRelay.missing(), Pop3.missing())
    with Lab() as lab:
        lab.got, lab.default = lab.sink("got"), lab.sink("default")
        lab.provider = lab.authrelay("provider", {"shop": PASSWORD}, lab.got)
        lab.pop = lab.pop3("pop", {"shop": PASSWORD}, tls=lab.provider.certificates)
        lab.mx = lab.postfix("mx", main={"relayhost": lab.default.nexthop})
        lab.waybill = lab.waybill(lab.mx, "", relayhosts=[lab.default.nexthop])
        lab.state = lab.dir / "state" / "routes.json"
        lab.waybill.password("shop", PASSWORD)
        lab.waybill.configure(configuration(lab))
        lab.waybill.start()
        lab.waybill.apply()
        yield lab


def configuration(lab, notify=NOTIFY):
    text = notify + f'state_file = "{lab.state}"\n'
    for name, port in (("pop", lab.pop.tls_port), ("other", lab.pop.tls_port), ("closed", 1)):
        text += f"""
route {name} {{
    host = "[127.0.0.1]"  port = {lab.got.port}  auth = none
    username = "shop"  password_file = "secrets/shop"  ca_file = "{lab.provider.ca_file}"
    pop_before_smtp = "pop3s://localhost:{port}"
}}
rule {name} {{ recipients = {{ "{name}.test" }}  route = {name} }}
"""
    return text + f"""
route plain {{ host = "[127.0.0.1]"  port = {lab.got.port}  tls = none }}
route nobody {{ host = "[127.0.0.1]"  port = {free_port()}  tls = none }}
rule plain {{ recipients = {{ "plain.test" }}  route = plain }}
rule nobody {{ recipients = {{ "nobody.test" }}  route = nobody }}
"""


@pytest.fixture
def lab(running):
    lab = running
    lab.mx.empty_queue()
    lab.mx.empty_mailboxes()
    lab.got.clear()
    lab.waybill.password("shop", PASSWORD)
    if lab.state.parent.is_dir():
        lab.state.unlink(missing_ok=True)
    return lab


def login(lab, *names, ok=(0, 69, 77)):
    lab.mx.age()
    return lab.waybill.tool("pop-login", "--timeout", "3", *names, ok=ok)


def test(lab, *arguments, ok=(0, 69, 75)):
    lab.mx.age()
    return lab.waybill.tool("test", "--notify", "--quiet", "--no-tables", "--timeout", "3",
                            *arguments, ok=ok)


test.__test__ = False


def told(lab):
    """Every message that games got, parsed, none of them on its way."""
    lab.mx.wait_until_empty()
    boxes = lab.mx.mailbox("games")
    assert len(boxes) == len(lab.mx.mailbox("news"))
    return sorted(boxes, key=lambda text: re.search(r"(?m)^Subject: (.*)", text).group(1))


def subjects(lab):
    return [re.search(r"(?m)^Subject: (.*)", text).group(1) for text in told(lab)]


def pretend(lab, seconds=601):
    """Let the last message be so long ago."""
    state = json.loads(lab.state.read_text())
    for route in state["routes"].values():
        if route["told"]:
            route["told"] -= seconds
    lab.state.write_text(json.dumps(state))


def test_a_hundred_runs_with_one_failure_are_one_message(lab):
    for _ in range(100):
        login(lab, "closed", ok=(69,))
    pretend(lab)
    login(lab, "closed", ok=(69,))
    assert subjects(lab) == ["[waybill] failing: closed"]


def test_a_hundred_tests_with_one_failure_are_one_message(lab):
    for _ in range(100):
        test(lab, "nobody", ok=(69,))
    pretend(lab)
    test(lab, "nobody", ok=(69,))
    assert subjects(lab) == ["[waybill] failing: nobody"]


def test_the_message_tells_what_is_wrong(lab):
    lab.waybill.password("shop", WRONG)
    login(lab, "pop", ok=(77,))
    text, = told(lab)
    assert re.search(r"(?m)^Return-Path: <>$", text)
    assert re.search(r"(?m)^From: waybill <postmaster@mx\.test>$", text)
    assert re.search(r"(?m)^To: <games@mx\.test>,\n[ \t]<news@mx\.test>$", text)
    assert re.search(r"(?m)^Auto-Submitted: auto-generated$", text)
    assert re.search(r"(?m)^route pop has been failing since \w\w\w, \d+ \w\w\w 20\d\d", text)
    assert re.search(r"(?m)^  step +pop:auth \(login\)$", text)
    assert re.search(r"(?m)^  reply +-ERR \[AUTH\]", text)
    assert re.search(r"(?m)^  hint +The user or the password is wrong\.", text)
    assert WRONG not in text and PASSWORD not in text


def test_a_recovery_is_one_message(lab):
    lab.waybill.password("shop", WRONG)
    login(lab, "pop", ok=(77,))
    lab.waybill.password("shop", PASSWORD)
    pretend(lab)
    for _ in range(5):
        login(lab, "pop", ok=(0,))
    pretend(lab)
    login(lab, "pop", ok=(0,))
    assert subjects(lab) == ["[waybill] failing: pop", "[waybill] working again: pop"]
    assert "route pop works again." in told(lab)[1]


def test_a_route_that_always_worked_is_no_news(lab):
    login(lab, "pop", ok=(0,))
    test(lab, "plain", ok=(0,))
    assert told(lab) == []


def test_one_that_comes_and_goes_is_told_once_in_ten_minutes(lab):
    for password in (WRONG, PASSWORD, WRONG, PASSWORD, WRONG, PASSWORD):
        lab.waybill.password("shop", password)
        login(lab, "pop")
    assert subjects(lab) == ["[waybill] failing: pop"]
    pretend(lab, 590)
    login(lab, "pop")
    assert len(told(lab)) == 1
    pretend(lab, 11)
    login(lab, "pop")
    assert subjects(lab) == ["[waybill] failing: pop", "[waybill] working again: pop"]


def test_several_routes_are_one_message(lab):
    lab.waybill.password("shop", WRONG)
    login(lab)
    assert subjects(lab) == ["[waybill] failing: pop, other, closed"]
    lab.waybill.password("shop", PASSWORD)
    pretend(lab)
    login(lab, "pop", "other", "closed")
    assert subjects(lab)[1] == "[waybill] working again: pop, other"


def test_all_routes_by_a_timer(lab):
    """As cron runs it: nobody is named, to whom or from whom either."""
    done = test(lab, "--all", ok=(69,))
    assert re.findall(r"(?m)^route (\S+): failed", done.stdout) == ["closed", "nobody"]
    messages = lab.got.wait_for(3)
    assert {m.rcpt_to[0] for m in messages} == {m.mail_from for m in messages} == {"games@mx.test"}
    assert subjects(lab) == ["[waybill] failing: closed, nobody"]
    test(lab, "--all", ok=(69,))
    assert len(told(lab)) == 1


def test_a_test_without_notify_tells_nobody(lab):
    lab.waybill.tool("test", "nobody", "--no-tables", ok=(69,))
    assert told(lab) == [] and not lab.state.exists()


def test_without_addresses_there_is_nobody_to_tell(lab):
    lab.waybill.configure(configuration(lab, notify=""))
    try:
        login(lab, "closed", ok=(69,))
        assert "has no notify" in test(lab, "nobody", "--to", "a@b.test", ok=(64,)).stderr
    finally:
        lab.waybill.configure(configuration(lab))
    assert told(lab) == []
    login(lab, "closed", ok=(69,))    # now there is
    assert subjects(lab) == ["[waybill] failing: closed"]


def test_what_cannot_be_remembered_is_not_told_but_done(lab):
    """Every run would tell it anew. A route that fails is not used all the
    same."""
    login(lab, "pop", ok=(0,))
    folder = lab.state.parent
    for path in folder.glob("*"):
        path.unlink()
    folder.rmdir()
    folder.write_text("not a folder\n")
    lab.waybill.password("shop", WRONG)
    try:
        for _ in range(3):
            assert str(folder) in login(lab, "pop", ok=(73,)).stderr
            test(lab, "nobody", ok=(73,))
    finally:
        folder.unlink()
    table = (lab.mx.etc / "waybill" / "down.pcre").read_text()
    assert re.search(r"\.pop\\.\w+.*retry:4\.7\.0 POP login failed: -ERR", table)
    assert told(lab) == []


def test_a_message_that_could_not_be_sent_is_sent_later(lab):
    main = lab.mx.etc / "main.cf"
    before = main.read_text()
    main.write_text(before + "sendmail_path = /bin/false\n")
    try:
        assert "/bin/false" in login(lab, "closed", ok=(69,)).stderr
        login(lab, "closed", ok=(69,))
    finally:
        main.write_text(before)
    assert told(lab) == []
    login(lab, "closed", ok=(69,))
    assert told(lab) == []                # ten minutes are not over
    pretend(lab)
    login(lab, "closed", ok=(69,))
    assert subjects(lab) == ["[waybill] failing: closed"]


def test_a_route_that_is_gone_does_not_work_again(lab):
    test(lab, "nobody", ok=(69,))
    pretend(lab)
    before = lab.waybill.text
    lab.waybill.configure(re.sub(r"(?m)^(route|rule) nobody .*\n", "", before))
    try:
        test(lab, "plain", ok=(0,))
    finally:
        lab.waybill.configure(before)
    assert subjects(lab) == ["[waybill] failing: nobody"]
    assert "nobody" not in json.loads(lab.state.read_text())["routes"]


def test_thousands_of_routes_are_kept_in_little_memory(lab):
    port, before = free_port(), lab.waybill.text
    rows = [f"r{i}\t[127.0.0.1]\t{port}\tnone" for i in range(2000)]
    (lab.waybill.dir / "routes.tsv").write_text(
        "\n".join(["name\thost\tport\ttls", *rows]) + "\n")
    lab.waybill.configure(before + 'route_table = "routes.tsv"\n')
    # by a small process, because one begins with the memory of its parent
    measure = ("import resource, subprocess, sys\n"
               "subprocess.run(sys.argv[1:], stdout=-3, stderr=-3)\n"
               "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    try:
        used = run([sys.executable, "-c", measure, build_directory() / "waybill", "test",
                    "-c", lab.waybill.conf, "--all", "--quiet", "--notify", "--no-tables"])
    finally:
        lab.waybill.configure(before)
    assert len(json.loads(lab.state.read_text())["routes"]) > 2000
    assert int(used.stdout) < 150_000    # KB
