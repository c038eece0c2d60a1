"""What the control socket tells of the milter: counts, errors, metrics."""

import grp
import json
import os
import pathlib
import re
import socket
import stat
import subprocess
import threading
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from milter import ALL_STEPS, CONTINUE, STEPS, Milter
from waybill_daemon import ROUTES

SENDER = "<info@example.com>"
INBOUND = ROUTES + """\
inbound form { domains = { "form.example.com" } match = 'info@' match_on = envelope webhook = crm }
webhook crm { url = "https://app.example.com/hook" }
bounces { domains = { "return.example.com" } webhook = crm }
"""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change groups")


def status(daemon):
    return json.loads("\n".join(daemon.ask("status\n")))


def named(items):
    return {item["name"]: (item["messages"], item["recipients"]) for item in items}


def metrics(daemon):
    """{(name, labels...): value}, read by Prometheus's own parser."""
    text = "\n".join(daemon.ask("metrics\n")) + "\n"
    return {(sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text) for sample in family.samples}


def waybill(build, *words, **kwargs):
    return subprocess.run([str(build / "waybill"), *map(str, words)], capture_output=True,
                          text=True, timeout=60, check=False, **kwargs)


def test_nothing_has_happened_yet(daemon):
    s = status(daemon)
    assert s["pid"] == daemon.process.pid and re.fullmatch(r"\d+\.\d+\.\d+", s["version"])
    assert abs(s["started"] - time.time()) < 60 and 0 <= s["uptime_s"] < 60
    assert s["connections"] == {"now": 0, "total": 0}
    assert s["messages"] == {"accept": 0, "tempfail": 0, "reject": 0}
    assert named(s["rules"]) == {"mobile": (0, 0), "letters": (0, 0), "other": (0, 0)}
    assert named(s["routes"]) == {"direct": (0, 0), "docomo": (0, 0), "bulk": (0, 0)}
    assert s["webhooks"] == [] and s["errors"] == [] and s["error_count"] == 0
    assert s["reloads"] == {"taken": 0, "refused": 0, "last_refused": None}
    assert re.fullmatch("[0-9a-f]{64}", s["configuration"]["digest"])


def test_messages_are_counted_by_rule_route_and_verdict(daemon):
    with Milter(daemon.socket) as m:
        m.greet()
        m.message(SENDER, ["<a@docomo.ne.jp>", "<b@docomo.ne.jp>", "<c@example.net>"])
        m.message(SENDER, ["<a@docomo.ne.jp>"])
        m.message(SENDER, ["<x@y.waybill.invalid>"])                    # 550
        m.message(SENDER, ["<a@docomo.ne.jp>"], [("X-Scenario", "welcome")])
        s = status(daemon)
        assert s["connections"] == {"now": 1, "total": 1}
    assert s["messages"] == {"accept": 3, "tempfail": 0, "reject": 1}
    assert s["recipients"] == {"outbound": 5, "inbound": 0, "bounce": 0, "local": 0, "other": 0,
                               "refused": 0}
    # the message with two recipients of one rule is one message of it
    assert named(s["rules"]) == {"mobile": (3, 4), "letters": (0, 0), "other": (1, 1)}
    assert named(s["routes"]) == {"docomo": (3, 4), "bulk": (1, 1), "direct": (0, 0)}


def test_a_missing_macro_is_a_tempfail(daemon):
    with Milter(daemon.socket) as m:
        m.greet()
        m.mail(SENDER)
        m.rcpt("<a@docomo.ne.jp>", macros={"i": "4F2A"})
        assert m.end()[1][1].startswith("451 4.3.5")
    assert status(daemon)["messages"] == {"accept": 0, "tempfail": 1, "reject": 0}


def test_very_many_recipients_are_one_message(daemon):
    with Milter(daemon.socket) as m:
        m.greet()
        to = [f"<u{i}@{'docomo.ne.jp' if i % 2 else 'example.net'}>" for i in range(500)]
        assert m.message(SENDER, to)[1] == CONTINUE
    assert named(status(daemon)["rules"]) == {"mobile": (1, 250), "letters": (0, 0),
                                              "other": (1, 250)}


def test_webhooks_and_refused_recipients(make_daemon):
    daemon = make_daemon(INBOUND).start()
    with Milter(daemon.socket) as m:
        m.greet(client="192.0.2.1")
        m.mail("<a@b.test>")
        assert m.rcpt("<info@form.example.com>", mailer="smtp") == CONTINUE
        assert m.rcpt("<none@form.example.com>", mailer="smtp")[1].startswith("550 5.1.1")
        assert m.end()[1] == CONTINUE
        m.message("<>", ["<info@return.example.com>"])
    s = status(daemon)
    assert named(s["webhooks"]) == {"crm": (2, 2)}
    assert s["recipients"]["inbound"] == 1 and s["recipients"]["bounce"] == 1
    assert s["recipients"]["refused"] == 1


def test_a_second_pass_is_counted_once_for_each_route(make_daemon):
    daemon = make_daemon("""\
route docomo { host = "[127.0.0.1]" port = 2525 return_path = keep }
route bulk { host = "[127.0.0.1]" port = 2526 }
rule mobile { priority = 10 recipients = { "docomo.ne.jp" } route = docomo }
rule other { priority = 90 route = bulk }
return_path main { senders = { "example.com" } domain = "return.example.com" }
""").start()
    with Milter(daemon.socket) as m:
        m.greet()
        wanted, _ = m.message(SENDER, ["<a@docomo.ne.jp>", "<b@example.net>"])
        marked = [p[1] for p in wanted if p[0] == "2"]
        assert len(marked) == 2 and all(".again." in r for r in marked)
        s = status(daemon)
        assert named(s["rules"]) == {"mobile": (1, 1), "other": (1, 1)}
        assert named(s["routes"]) == {"direct": (0, 0), "docomo": (0, 0), "bulk": (0, 0)}
    for recipient in marked:
        with Milter(daemon.socket) as m:
            m.greet(daemon="waybill-again")
            assert m.message(SENDER, [recipient])[1] == CONTINUE
    s = status(daemon)
    assert named(s["routes"]) == {"direct": (0, 0), "docomo": (1, 1), "bulk": (1, 1)}
    assert named(s["rules"]) == {"mobile": (1, 1), "other": (1, 1)}
    assert s["recipients"]["outbound"] == 2 and s["messages"]["accept"] == 3


def test_counts_outlive_a_reload_by_their_names(daemon):
    with Milter(daemon.socket) as m:
        m.greet()
        m.message(SENDER, ["<a@docomo.ne.jp>", "<c@example.net>"])
        before = status(daemon)["configuration"]["digest"]
        # "other" comes first now, "letters" is gone and "new" is new
        daemon.configure("""\
rule other { priority = 5 recipients = { "example.net" } route = bulk }
rule new { priority = 90 route = bulk }
rule mobile { priority = 10 recipients = { "docomo.ne.jp" } route = docomo }
route bulk { host = "[127.0.0.1]" port = 2526 }
route docomo { host = "[127.0.0.1]" port = 2525 }
""")
        assert daemon.reload() == ["ok"]
        m.message(SENDER, ["<c@example.net>", "<d@example.org>"])
        daemon.configure("route broken { }\n")
        assert daemon.reload()[0] == "error"
    s = status(daemon)
    assert named(s["rules"]) == {"mobile": (1, 1), "other": (2, 2), "new": (1, 1)}
    assert named(s["routes"]) == {"direct": (0, 0), "docomo": (1, 1), "bulk": (2, 3)}
    assert (s["reloads"]["taken"], s["reloads"]["refused"]) == (1, 1)
    assert abs(s["reloads"]["last_refused"] - time.time()) < 60
    assert s["configuration"]["digest"] != before
    assert any("stays in force" in e["text"] for e in s["errors"])
    assert s["error_count"] == len([line for line in daemon.text().splitlines()
                                    if "route broken" in line or "stays in force" in line])


def test_a_message_that_began_before_a_reload_counts_on(daemon):
    with Milter(daemon.socket) as m:
        m.negotiate(steps=ALL_STEPS & ~STEPS["NR_RCPT"])
        m.connect()
        m.mail(SENDER)
        assert m.rcpt("<a@docomo.ne.jp>") == CONTINUE
        for _ in range(3):
            assert daemon.reload() == ["ok"]
        assert m.end()[1] == CONTINUE
    assert named(status(daemon)["rules"])["mobile"] == (1, 1)


def test_only_the_last_errors_are_kept(daemon):
    daemon.configure("route broken { }\n")
    for _ in range(12):
        daemon.reload()
    s = status(daemon)
    assert len(s["errors"]) == 10 and s["error_count"] >= 24
    assert all(len(e["text"]) < 512 for e in s["errors"])


def test_metrics(daemon):
    with Milter(daemon.socket) as m:
        m.greet()
        m.message(SENDER, ["<a@docomo.ne.jp>", "<c@example.net>"])
        got = metrics(daemon)
    s = status(daemon)
    assert got[("waybill_connections",)] == 1
    assert got[("waybill_messages_total", ("verdict", "accept"))] == 1
    assert got[("waybill_recipients_total", ("class", "outbound"))] == 2
    assert got[("waybill_rule_messages_total", ("rule", "mobile"))] == 1
    assert got[("waybill_rule_recipients_total", ("rule", "letters"))] == 0
    assert got[("waybill_route_recipients_total", ("route", "bulk"))] == 1
    assert got[("waybill_configuration_info", ("digest", s["configuration"]["digest"]))] == 1
    assert got[("waybill_start_timestamp_seconds",)] == s["started"]
    assert not [key for key in got if key[0].startswith("waybill_webhook")]


def test_every_metric_has_its_help_and_its_unit(daemon):
    """What `promtool check metrics` complains of."""
    text = "\n".join(daemon.ask("metrics\n")) + "\n"
    families = list(text_string_to_metric_families(text))
    assert len({f.name for f in families}) == len(families) > 10
    for f in families:
        assert f.documentation and f.type in ("counter", "gauge"), f
        assert re.fullmatch("waybill_[a-z_]+", f.name)
    for line in text.splitlines():
        name = re.match(r"# TYPE (\S+) (\S+)", line)
        if name:
            assert name[1].endswith("_total") == (name[2] == "counter"), line


def test_a_table_of_rules_is_not_shown_whole(make_daemon):
    rows = "".join(f"r{i}\td{i}.test\tbulk\n" for i in range(1500))
    daemon = make_daemon('rule_table = "rules.tsv"\nroute bulk { host = "[127.0.0.1]" }\n')
    (daemon.dir / "rules.tsv").write_text("name\trecipients\troute\n" + rows)
    daemon.start()
    with Milter(daemon.socket) as m:
        m.greet()
        m.message(SENDER, ["<a@d77.test>"])
    s = status(daemon)
    assert s["configuration"]["rules"] == 1500
    assert named(s["rules"]) == {"r77": (1, 1)}
    assert ("waybill_rule_messages_total", ("rule", "r77")) in metrics(daemon)


def test_hostile_names_stay_in_their_labels(make_daemon):
    names = [r'a\"b{x=1} <script>', "é\U0001f4e6", "x" * 100]
    daemon = make_daemon(ROUTES)
    text = "".join(f"rule '{name}' {{ route = bulk }}\n" for name in [*names, "\udcff", "\udcfe"])
    with daemon.conf.open("ab") as conf:
        conf.write(text.encode("utf-8", "surrogateescape"))
    daemon.start()
    for name in [*names, r"\xFF", r"\xFE"]:
        assert ("waybill_rule_messages_total", ("rule", name)) in metrics(daemon)
        assert name in named(status(daemon)["rules"])


def test_no_secret_is_told(daemon):
    secret = (daemon.dir / "secret").read_text().strip()
    told = "\n".join(daemon.ask("status\n") + daemon.ask("metrics\n"))
    assert secret not in told and "@" not in told


def test_counting_under_reloads_and_many_connections(daemon):
    """The thread sanitizer looks at this one, too."""
    def send():
        with Milter(daemon.socket) as m:
            m.greet()
            for _ in range(25):
                assert m.message(SENDER, ["<a@docomo.ne.jp>", "<c@example.net>"])[1] == CONTINUE

    threads = [threading.Thread(target=send) for _ in range(4)]
    for t in threads:
        t.start()
    for _ in range(10):
        assert daemon.reload() == ["ok"]
        status(daemon)
        metrics(daemon)
    for t in threads:
        t.join()
    s = status(daemon)
    assert s["messages"]["accept"] == 100
    assert named(s["rules"]) == {"mobile": (100, 100), "letters": (0, 0), "other": (100, 100)}


# who may ask

@needs_root
def test_a_group_may_look_but_not_reload(make_daemon):
    daemon = make_daemon(control_group='"games"').start()
    st = daemon.control.stat()
    assert stat.S_IMODE(st.st_mode) == 0o660 and st.st_gid == grp.getgrnam("games").gr_gid
    ask = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
           "s.sendall(sys.argv[2].encode() + b'\\n'); print(s.recv(9999).decode())")

    def by(user, group, question):
        return subprocess.run(["/usr/bin/python3", "-c", ask, str(daemon.control), question],
                              user=user, group=group, extra_groups=[], capture_output=True,
                              text=True, timeout=60, check=False)

    assert '"version"' in by("nobody", "games", "status").stdout
    refused = by("nobody", "games", "reload").stdout
    assert refused.startswith("error\n") and "root" in refused
    assert "PermissionError" in by("nobody", "nogroup", "status").stderr
    assert status(daemon)["reloads"]["taken"] == 0


def test_an_unknown_group_is_refused(make_daemon):
    done = make_daemon(control_group='"no-such-group"').run("-f")
    assert done.returncode == 78 and "control_group" in done.stderr


# the command

def test_the_command_for_people(daemon, build):
    with Milter(daemon.socket) as m:
        m.greet()
        m.message(SENDER, ["<a@docomo.ne.jp>", "<c@example.net>"])
    done = waybill(build, "status", "-c", daemon.conf)
    assert done.returncode == 0 and done.stderr == ""
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["mobile", "1", "1"] in lines and ["(1", "with", "none)"] in lines
    assert ["messages", "accept", "1,", "tempfail", "0,", "reject", "0"] in lines
    assert "changed" not in done.stdout
    daemon.configure(ROUTES + "# a comment says nothing\n")
    assert "changed" not in waybill(build, "status", "-c", daemon.conf).stdout
    daemon.configure(ROUTES.replace("2526", "2527"))
    assert "waybill reload takes it" in waybill(build, "status", "-c", daemon.conf).stdout


def test_the_command_for_programs(daemon, build):
    done = waybill(build, "status", "-c", daemon.conf, "--json")
    assert json.loads(done.stdout)["pid"] == daemon.process.pid
    done = waybill(build, "status", "--socket", daemon.control, "--prometheus")
    assert done.returncode == 0
    assert "waybill_connections 0" in done.stdout
    list(text_string_to_metric_families(done.stdout))


def test_no_milter_is_told(make_daemon, build):
    daemon = make_daemon()
    done = waybill(build, "status", "-c", daemon.conf)
    assert done.returncode == 69 and "is waybill-milter running" in done.stderr
    assert waybill(build, "status", "--bogus").returncode == 64


def test_something_else_at_the_socket(make_daemon, build):
    """An answer that is none is not shown as one."""
    daemon = make_daemon()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(daemon.control))
        s.listen()

        def serve():
            for _ in range(2):
                c, _ = s.accept()
                c.recv(100)
                c.sendall(b"error\nunknown command\n")
                c.close()

        t = threading.Thread(target=serve)
        t.start()
        assert waybill(build, "status", "-c", daemon.conf).returncode == 69
        assert waybill(build, "status", "-c", daemon.conf, "--prometheus").returncode == 69
        t.join()


# what contrib has for Prometheus

def test_the_unit_writes_the_metrics_and_takes_old_ones_away(daemon, build):
    """Its ExecStart as it stands there, but for its places."""
    unit = (pathlib.Path(__file__).resolve().parents[2] / "contrib/waybill-metrics.service").read_text()
    script = re.search(r"^ExecStart=/bin/sh -c '(.*)'$", unit, re.M)[1]
    script = script.replace("/usr/local/bin/waybill", "waybill")
    script = script.replace("/run/waybill/control.sock", str(daemon.control))
    to = daemon.dir / "waybill.prom"

    def run():
        return subprocess.run(["/bin/sh", "-c", script], timeout=60, capture_output=True,
                              env={"PATH": f"{build}:/usr/bin:/bin", "TO": str(to)}).returncode

    assert run() == 0
    assert "waybill_connections 0" in to.read_text()
    list(text_string_to_metric_families(to.read_text()))
    daemon.stop()
    assert run() == 1
    assert list(daemon.dir.glob("waybill.prom*")) == []
