"""`waybill apply` on configuration directories of no running Postfix: the
edits, their proof, and the way back. Postfix's own tools read the results."""

import fcntl
import os
import socket
import subprocess

import pytest

ROUTES = """
route docomo { host = "smtp.docomo.example" port = 587 tls = starttls
               username = "shop" password_file = "secrets/docomo" }
route bulk   { host = "smtp.example.net" port = 25 tls = starttls }
rule mobile { recipients = { "docomo.ne.jp" } route = docomo }
rule rest   { priority = 200 route = bulk }
"""

INBOUND = r"""
webhook crm { url = "https://app.example.com/hook" }
inbound mailform { domains = { "mailform.example.com" } header = "To" match = 'info' webhook = crm }
bounces { domains = { "return.example.com" } webhook = crm }
"""


@pytest.fixture
def plain(bench):
    bench.configure(ROUTES)
    return bench


def add(bench, text, file="main"):
    path = getattr(bench, file)
    path.write_text(path.read_text() + text)


def first_answer(bench, key):
    """As trivial-rewrite asks: the first table that answers."""
    for table in bench.value("transport_maps").split(", "):
        answer = bench.answer(table, key)
        if answer is not None:
            return answer
    return None


# Installing.

def test_apply_installs_and_proves(plain):
    done = plain.apply()
    assert "+transport_maps = $waybill_transport_maps" in done.stdout
    assert "new      transport.pcre" in done.stdout
    key = f"u@d.test.docomo.{plain.label()}.waybill.invalid"
    assert first_answer(plain, key) == "waybill-starttls-plain:[smtp.docomo.example]:587"
    assert plain.answer(f"texthash:{plain.etc}/waybill/sasl-starttls-plain",
                        "[smtp.docomo.example]:587") == "shop:se:kr=it #1"
    assert (plain.etc / "waybill").stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in (plain.etc / "waybill").rglob("*") if p.is_file()} == {0o600}


def test_neither_label_nor_password_is_shown(plain):
    done = plain.apply()
    label = plain.label()
    shown = done.stdout + done.stderr + plain.main.read_text() + plain.master.read_text()
    assert label not in shown
    assert "se:kr" not in shown


def test_postfix_has_nothing_to_complain_about(plain):
    plain.apply()
    for flag in ("-nx", "-Mx", "-Px"):
        plain.postconf(flag)  # asserts that stderr is empty


def test_the_second_apply_changes_nothing(plain):
    plain.apply()
    before = plain.snapshot()
    assert plain.apply().stdout == ""
    assert plain.snapshot() == before


@pytest.mark.parametrize("option", ["--dry-run", "--print"])
def test_looking_changes_nothing(plain, option):
    before = plain.snapshot()
    times = [p.stat().st_mtime_ns for p in (plain.etc, plain.etc.parent)]
    assert "waybill_transport_maps" in plain.apply(option).stdout
    assert plain.snapshot() == before
    assert times == [p.stat().st_mtime_ns for p in (plain.etc, plain.etc.parent)]


def test_printed_commands_do_what_apply_does(plain, tmp_path):
    commands = plain.apply("--print").stdout
    plain.apply()
    wanted = [plain.postconf("-n"), plain.postconf("-Mf")]
    plain.apply("--undo")
    lines = [line for line in commands.splitlines() if line.startswith("postconf")]
    done = subprocess.run(["sh", "-e"], input="\n".join(lines), text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [plain.postconf("-n"), plain.postconf("-Mf")] == wanted


def test_a_symbolic_link_stays_one(plain, tmp_path):
    target = tmp_path / "site-main.cf"
    plain.main.rename(target)
    target.chmod(0o640)
    plain.main.symlink_to(target)
    before = target.read_bytes()
    plain.apply()
    assert plain.main.is_symlink() and b"waybill" in target.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o640
    plain.apply("--undo")
    assert plain.main.is_symlink() and target.read_bytes() == before


def test_edits_elsewhere_are_kept(plain):
    plain.apply()
    add(plain, "message_size_limit = 99999\n")
    plain.main.write_text(plain.main.read_text().replace(
        "mynetworks = 127.0.0.0/8", "mynetworks = 127.0.0.0/8 192.0.2.0/24"))
    plain.configure(ROUTES.replace("bulk", "heap"))
    plain.apply()
    assert plain.value("message_size_limit") == "99999"
    assert plain.value("mynetworks").endswith("192.0.2.0/24")
    assert first_answer(plain, f"u@d.test.heap.{plain.label()}.waybill.invalid") is not None
    plain.apply("--undo")
    assert plain.value("message_size_limit") == "99999"
    assert "waybill" not in plain.main.read_text() + plain.master.read_text()


def test_only_one_at_a_time(plain):
    plain.apply()
    fd = os.open(plain.etc / "waybill", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    before = plain.snapshot()
    for option in ([], ["--dry-run"], ["--undo"]):
        assert "another" in plain.apply(*option, ok=75).stderr
    assert plain.snapshot() == before
    os.close(fd)
    plain.apply()


def test_what_others_can_lock_does_not_keep_apply_away(plain):
    """Anybody can open, and so lock, the configuration directory."""
    fd = os.open(plain.etc, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    plain.apply()
    plain.apply("--undo")
    os.close(fd)


def test_a_refused_apply_leaves_no_folder(plain):
    add(plain, "relayhost = [isp.example]:587\n")
    plain.apply(ok=78)
    assert not (plain.etc / "waybill").exists()


# What the admin had goes on working.

def test_own_tables_come_second(plain):
    own = plain.put(plain.etc / "own", "/./ smtp:[own.example]\n") or plain.etc / "own"
    add(plain, f"transport_maps = regexp:{own}\n")
    plain.apply()
    assert plain.value("transport_maps") == f"pcre:{plain.etc}/waybill/transport.pcre, regexp:{own}"
    label = plain.label()
    assert first_answer(plain, f"u@d.test.bulk.{label}.waybill.invalid").startswith("waybill-")
    assert first_answer(plain, "u@d.test") == "smtp:[own.example]"


@pytest.mark.parametrize("table", [
    "texthash:{}/alias", "inline:{{ {{sales@partner.test=bob@remote.test}} }}",
    "unionmap:{{texthash:{}/alias, inline:{{ {{x@y.test=z@y.test}} }}}}",
    "pipemap:{{texthash:{}/alias}}", "pcre:{{{{/^sales@partner\\.test$$/ bob@remote.test}}}}"])
def test_aliases_see_through_the_mark(plain, table):
    plain.put(plain.etc / "alias", "sales@partner.test bob@remote.test\n")
    add(plain, f"virtual_alias_maps =\n    {table.format(plain.etc)}\n")
    plain.apply()
    tables = plain.value("waybill_virtual_alias_maps")
    key = f"sales@partner.test.bulk.{plain.label()}.waybill.invalid"
    assert plain.value("virtual_alias_maps").startswith(tables + ", ")
    assert plain.answer(tables, key) == "bob@remote.test"
    assert plain.answer(tables, f"partner.test.bulk.{plain.label()}.waybill.invalid") is None


def test_canonical_and_generic_maps_see_through_the_mark(plain):
    plain.put(plain.etc / "canon", "old@d.test new@d.test\n")
    add(plain, "recipient_canonical_maps = texthash:$config_directory/canon\n"
               "smtp_generic_maps = texthash:$config_directory/canon\n")
    plain.apply()
    key = f"old@d.test.bulk.{plain.label()}.waybill.invalid"
    assert plain.value("waybill_recipient_canonical_maps") == \
        f"pipemap:{{pcre:{plain.etc}/waybill/strip.pcre, texthash:{plain.etc}/canon}}"
    generic = plain.value("waybill_generic_maps")
    seen = generic[:generic.index("}") + 1]
    assert plain.answer(seen, key) == "new@d.test"
    assert generic.endswith(f"strip.pcre, texthash:{plain.etc}/canon")


def test_own_milters_come_second(plain):
    add(plain, "smtpd_milters = inet:127.0.0.1:8891\n")
    plain.apply()
    ours = "{ unix:waybill/milter.sock, default_action=tempfail }"
    assert plain.value("smtpd_milters") == ours + ", inet:127.0.0.1:8891"
    services = plain.postconf("-Px")
    assert f"submission/inet/smtpd_milters = {ours}, inet:127.0.0.1:8891 inet:127.0.0.1:8892" in services
    assert "10025/inet/smtpd_milters =\n" in services
    check = f"check_recipient_access pcre:{plain.etc}/waybill/refuse.pcre"
    assert f"submission/inet/smtpd_recipient_restrictions = {check}\n" in services
    assert f"10025/inet/smtpd_recipient_restrictions = {check},permit_mynetworks,reject" in services
    assert plain.value("smtpd_recipient_restrictions") == check
    assert "pickup/unix/receive_override_options = no_header_body_checks" in services
    assert "pickup/unix/content_filter = waybill-in:[127.0.0.1]:10028" in services


def test_bounces_keep_the_checks_they_had(plain):
    add(plain, "internal_mail_filter_classes = notify, bounce\n"
               "body_checks = pcre:/etc/own\nnon_smtpd_milters = inet:127.0.0.1:8891\n")
    plain.apply()
    services = plain.postconf("-Px")
    assert f"body_checks = pcre:{plain.etc}/waybill/dsn.pcre, pcre:/etc/own\n" in services
    assert "waybill-cleanup-bounce/unix/non_smtpd_milters = inet:127.0.0.1:8891\n" in services
    assert "bounce/unix/internal_mail_filter_classes = notify, bounce\n" in services


def test_bounces_get_no_checks_they_did_not_have(plain):
    add(plain, "body_checks = pcre:/etc/own\nheader_checks = pcre:/etc/own\n"
               "non_smtpd_milters = inet:127.0.0.1:8891\n")
    plain.apply()
    services = plain.postconf("-Px")
    assert f"waybill-cleanup-bounce/unix/body_checks = pcre:{plain.etc}/waybill/dsn.pcre\n" in services
    assert "waybill-cleanup-bounce/unix/header_checks =\n" in services
    assert "waybill-cleanup-bounce/unix/non_smtpd_milters =\n" in services


def test_relay_domains_are_those_nobody_knows(bench):
    bench.configure(ROUTES + INBOUND)
    add(bench, "relay_domains = gateway.example, return.example.com\nrelay_recipient_maps = static:ok\n")
    bench.apply()
    table = f"pcre:{bench.etc}/waybill/relay_domains.pcre"
    assert bench.value("relay_domains") == table + ", gateway.example, return.example.com"
    assert bench.answer(table, "mailform.example.com") == "waybill"
    assert bench.answer(table, "x.mailform.example.com") is None
    assert bench.answer(table, "return.example.com") is None
    assert bench.value("relay_recipient_maps").startswith("pcre:")


def test_after_queue(bench):
    bench.configure("attach = after_queue\n" + ROUTES)
    bench.apply()
    assert bench.value("content_filter") == "waybill-in:[127.0.0.1]:10028"
    assert bench.value("smtpd_milters") == ""
    assert "pickup/unix/content_filter" not in bench.postconf("-Px")


def test_waybill_follows_a_content_filter(bench):
    bench.configure("attach = after_queue\n" + ROUTES)
    add(bench, "content_filter = amavis:[127.0.0.1]:10024\n")
    before = bench.snapshot()
    assert "-o content_filter=waybill-in:[127.0.0.1]:10028" in bench.apply(ok=78).stderr
    assert bench.snapshot() == before
    bench.master.write_text(bench.master.read_text().replace(
        "  -o smtpd_milters=  -o", "  -o content_filter=waybill-in:[127.0.0.1]:10028 -o smtpd_milters=  -o"))
    bench.apply()
    assert bench.value("content_filter") == "amavis:[127.0.0.1]:10024"
    # nobody would take that mail any more
    assert "take \"-o content_filter=waybill-in:" in bench.apply("--undo", ok=78).stderr
    bench.master.write_text(bench.master.read_text().replace(
        "-o content_filter=waybill-in:[127.0.0.1]:10028", "-o content_filter="))
    bench.apply("--undo", "--keep-edits")
    assert "$waybill_" not in bench.main.read_text()
    assert "waybill-" not in bench.master.read_text()


# Refusals: each says what would be right, and nothing changes.

REFUSALS = [
    ("relayhost", "relayhost = [isp.example]:587\n", "", "", 'relayhosts = { "[isp.example]:587" }'),
    ("content_filter", "content_filter = amavis:[127.0.0.1]:10024\n", "", "", "after_queue"),
    ("pickup's filter", "", "pickup2 unix n - n 60 1 pickup\n  -o content_filter=scan:dummy\n", "", "after_queue"),
    ("proxy filter", "", "26 inet n - n - - smtpd\n  -o smtpd_proxy_filter=127.0.0.1:1\n", "", "-o smtpd_milters="),
    ("listener taken", "", "127.0.0.1:10028 inet n - n - - smtpd\n", "", "loopback_listener"),
    ("listener's port taken", "", "10028 inet n - n - - smtpd\n", "", "loopback_listener"),
    ("listener by name", "", "localhost:10028 inet n - n - - smtpd\n", "", "loopback_listener"),
    ("no IPv6 for the listener", "inet_protocols = ipv4\n", "", 'loopback_listener = "[::1]:10028"\n', "inet_protocols"),
    ("no postconf", "setgid_group =\n", "", "", "setgid_group"),
    ("a service's filter", "", "26 inet n - n - - smtpd\n  -o content_filter=amavis:dummy\n",
     "attach = after_queue\n", "-o content_filter=waybill-in:"),
    ("chroot", "", "", 'socket = "unix:/run/elsewhere/milter.sock"\n', "chrooted"),
    ("nowhere to deliver", "", "", 'inbound_unmatched = deliver\n' + INBOUND, "nowhere to deliver"),
    ("open relay", "smtpd_relay_restrictions =\n", "", "", "permit_mynetworks"),
    ("broken main.cf", "virtual_alias_domains = broken:/nowhere\n", "", INBOUND, "broken"),
]


@pytest.mark.parametrize("main, master, conf, words", [row[1:] for row in REFUSALS],
                         ids=[row[0] for row in REFUSALS])
def test_refusals(bench, main, master, conf, words):
    bench.configure(conf + ROUTES)
    add(bench, main)
    add(bench, master, "master")
    before = bench.snapshot()
    assert words in bench.apply(ok=78).stderr
    assert bench.snapshot() == before


def test_an_address_that_another_program_has_is_refused(bench):
    """Postfix's master would die of it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        bench.configure(f'loopback_listener = "127.0.0.1:{other.getsockname()[1]}"\n' + ROUTES)
        before = bench.snapshot()
        assert "already in use" in bench.apply(ok=78).stderr
        assert bench.snapshot() == before
    bench.apply()


def test_services_that_are_not_there_are_not_served(plain):
    """A Postfix without pickup, whose bounces have a cleanup of their own."""
    lines = plain.master.read_text().replace("  bounce\n", "  bounce -o cleanup_service_name=own\n")
    plain.master.write_text("".join(
        line for line in lines.splitlines(True) if "pickup" not in line and "no_header_body" not in line))
    plain.apply()
    assert "waybill_bounce_classes" not in plain.main.read_text()
    plain.postconf("-nx")  # asserts that stderr is empty


def test_another_queue_directory_is_refused(plain):
    plain.main.write_text(plain.main.read_text().replace(str(plain.queue), "/var/spool/other"))
    assert 'queue_directory = "/var/spool/other"' in plain.apply(ok=78).stderr


def test_a_named_relayhost_is_fine(bench):
    bench.configure('relayhosts = { "[isp.example]:587" }\n' + ROUTES)
    add(bench, "relayhost = [isp.example]:587\n")
    bench.apply()


def test_no_such_directory(plain):
    assert "main.cf" in plain.apply("--mta-config", plain.tmp, ok=66).stderr


# All or nothing: a running Postfix is played by scripts.

RUNNING = 'case "$3" in status) exit 0;; reload) echo reload >> {log}; {reload};; esac\n'


def running(bench, reload="exit 0"):
    bench.program("postfix", RUNNING.format(log=bench.tmp / "log", reload=reload))


def test_a_failed_reload_is_rolled_back(plain):
    running(plain, "echo 'fatal: no reload today' >&2; exit 1")
    before = plain.snapshot()
    done = plain.apply(ok=69)
    assert "no reload today" in done.stderr
    after = plain.snapshot()
    assert {k: v[:2] for k, v in after.items()} == {k: v[:2] for k, v in before.items()}


def test_a_failed_reload_leaves_the_earlier_apply(plain):
    plain.apply()
    before = plain.snapshot()
    running(plain, 'if [ -e {0}/once ]; then exit 0; fi; touch {0}/once; exit 1'.format(plain.tmp))
    plain.configure(ROUTES.replace("bulk", "heap"))
    assert "put back" in plain.apply(ok=69).stderr
    assert {k: v[:2] for k, v in plain.snapshot().items()} == {k: v[:2] for k, v in before.items()}
    plain.apply()


def test_no_reload_is_ours_to_leave(plain):
    running(plain)
    plain.apply("--no-reload")
    assert not (plain.tmp / "log").exists()


def test_passwords_do_not_reach_the_stage(bench):
    """A killed apply leaves the stage behind."""
    bench.configure(ROUTES)
    bench.program("postmap", f"""
        ls "$2/waybill" >>{bench.tmp}/staged
        grep -rqs 'se:kr=it' "$2/waybill" && touch {bench.tmp}/leak
        exec /usr/sbin/postmap "$@"
    """)
    bench.apply()
    assert "strip.pcre" in (bench.tmp / "staged").read_text()
    assert not (bench.tmp / "leak").exists()
    assert any("se:kr=it" in path.read_text() for path in (bench.etc / "waybill").glob("sasl-*"))


@pytest.mark.parametrize("step", ["main.cf", "master.cf", "waybill"])
def test_a_killed_install_is_taken_up(plain, step):
    """As a kill between two renames leaves it: some files new, some old."""
    before = {n: (plain.etc / n).read_bytes() for n in ("main.cf", "master.cf")}
    plain.apply()
    (plain.etc / "waybill/undo/pending").write_text("")
    if step != "waybill":
        (plain.etc / step).write_bytes(before[step])
    else:
        for path in (plain.etc / "waybill").glob("*.pcre"):
            path.unlink()
    plain.apply()
    assert first_answer(plain, f"u@d.test.bulk.{plain.label()}.waybill.invalid")
    assert not (plain.etc / "waybill/undo/pending").exists()
    plain.apply("--undo")
    assert before == {n: (plain.etc / n).read_bytes() for n in before}


# The way back.

def test_undo_restores_every_octet(bench):
    bench.configure(ROUTES + INBOUND)
    add(bench, "virtual_alias_maps= texthash:/x  ,\n\t# why\n\ttexthash:/y\nsmtpd_milters =\n  inet:h:1\n")
    add(bench, "last unix - - n - - smtp -o smtp_helo_name=x", "master")  # no newline at the end
    bench.put(bench.etc / "x", "")
    for name in ("/x", "/y"):
        bench.main.write_text(bench.main.read_text().replace(f"texthash:{name}", f"texthash:{bench.etc}/x"))
    before = {n: (bench.etc / n).read_bytes() for n in ("main.cf", "master.cf")}
    bench.apply()
    bench.configure(ROUTES.replace("bulk", "heap"))
    bench.apply()
    bench.apply("--undo")
    assert before == {n: (bench.etc / n).read_bytes() for n in before}
    assert not (bench.etc / "waybill").exists()


@pytest.mark.parametrize("file", ["main", "master"])
def test_undo_refuses_edits_and_names_them(plain, file):
    plain.apply()
    add(plain, "# a later thought\n", file)
    before = plain.snapshot()
    done = plain.apply("--undo", ok=78)
    assert "-# a later thought" in done.stdout
    assert "--keep-edits" in done.stderr
    assert plain.snapshot() == before


def test_undo_keeps_edits_when_told(plain):
    before = [plain.main.read_text(), plain.master.read_text()]
    plain.apply()
    add(plain, "# a later thought\nmessage_size_limit = 9\n")
    add(plain, "extra unix - - n - - smtp\n", "master")
    plain.apply("--undo", "--keep-edits")
    assert plain.main.read_text() == before[0] + "# a later thought\nmessage_size_limit = 9\n"
    assert plain.master.read_text() == before[1] + "extra unix - - n - - smtp\n"


def test_undo_after_postconf_rewrote_the_file(plain):
    """postconf -e joins continued lines: an edit, but waybill's part goes."""
    wanted = plain.postconf("-n")
    plain.apply()
    subprocess.run(["postconf", "-c", plain.etc, "-e", "message_size_limit=9",
                    "transport_maps=$waybill_transport_maps, texthash:/new"], check=True)
    plain.apply("--undo", ok=78)
    plain.apply("--undo", "--keep-edits")
    assert plain.value("transport_maps") == "texthash:/new"
    subprocess.run(["postconf", "-c", plain.etc, "-X", "message_size_limit", "transport_maps"], check=True)
    assert plain.postconf("-n") == wanted


def test_undo_without_apply(plain):
    before = plain.snapshot()
    assert "not applied" in plain.apply("--undo").stdout
    assert plain.snapshot() == before


def test_undo_after_one_that_was_killed_at_its_end(plain):
    """main.cf and master.cf are back, the state is gone, tables are left."""
    before = plain.snapshot()
    plain.apply()
    left = plain.etc / "waybill/sasl-starttls-plain"
    text = left.read_text()
    plain.apply("--undo")
    left.parent.mkdir(0o700)
    plain.put(left, text)
    plain.apply("--undo")
    assert plain.snapshot().keys() == before.keys()
    assert not left.parent.exists()


def queue(bench, *addresses):
    bench.queue.joinpath("deferred").mkdir(exist_ok=True)
    line = '{{"queue_name": "deferred", "queue_id": "X", "recipients": [{{"address": "{}", "delay_reason": "no"}}]}}'
    text = "\n".join(line.format(a) for a in addresses)
    bench.put(bench.tmp / "queue.json", text + "\n" if text else "")
    bench.program("postqueue", f'[ "$3" = -j ] && cat {bench.tmp}/queue.json\nexit 0\n')


def test_undo_waits_for_the_queue_and_goes_on(plain):
    before = {n: (plain.etc / n).read_bytes() for n in ("main.cf", "master.cf")}
    running(plain)
    plain.apply()
    queue(plain, "u@other.test", f"u@d.test.bulk.{plain.label()}.waybill.invalid")
    done = plain.apply("--undo", "--wait", "1", ok=75)
    assert "waiting for 1 queued message" in done.stderr
    assert "goes on" in done.stderr
    # detached, but the queue still finds its way
    assert plain.value("smtpd_milters") == ""
    assert "pickup/unix/content_filter =\n" in plain.postconf("-Px")
    assert first_answer(plain, f"u@d.test.bulk.{plain.label()}.waybill.invalid").startswith("waybill-")
    queue(plain, "u@other.test")
    plain.apply("--undo", "--wait", "1")
    assert before == {n: (plain.etc / n).read_bytes() for n in before}


def test_apply_again_after_an_undo_that_waits(plain):
    running(plain)
    plain.apply()
    queue(plain, f"u@d.test.bulk.{plain.label()}.waybill.invalid")
    plain.apply("--undo", "--wait", "0", ok=75)
    plain.apply()
    assert "waybill/milter.sock" in plain.value("smtpd_milters")
    queue(plain)
    plain.apply("--undo")


def test_undo_of_a_stopped_postfix_with_marked_mail(plain):
    plain.apply()
    queue(plain, f"u@d.test.bulk.{plain.label()}.waybill.invalid")
    assert "start Postfix" in plain.apply("--undo", ok=75).stderr


def test_a_key_is_not_retired_under_queued_mail(plain):
    from golden_bench import OLD_SECRET, SECRET
    plain.apply()
    old = plain.label()
    queue(plain, f"u@d.test.bulk.{old}.waybill.invalid")
    plain.put(plain.conf / "secret", OLD_SECRET)
    before = plain.snapshot()
    assert "keep that key" in plain.apply(ok=75).stderr
    assert plain.snapshot() == before
    plain.put(plain.conf / "secret", OLD_SECRET + SECRET)
    plain.apply()
    assert plain.label(1) == old


# The command line.

@pytest.mark.parametrize("arguments", [
    ["--nonsense"], ["--wait", "x", "--undo"], ["--wait"], ["--keep-edits"],
    ["--print", "--undo"], ["word"]])
def test_usage(plain, arguments):
    assert plain.apply(*arguments, ok=64).stderr


@pytest.mark.parametrize("command", ["maps", "apply"])
def test_help(plain, command):
    assert plain.run(command, "--help").stdout.startswith(f"usage: waybill {command}")


LMTP_LIMIT = "waybill-lmtp_destination_concurrency_limit"


def test_as_many_messages_at_once_as_webhooks_take(bench):
    bench.configure(ROUTES + INBOUND)
    bench.apply()
    assert f"\n{LMTP_LIMIT} = 20\n" in bench.main.read_text()
    bench.configure(ROUTES + INBOUND + "lmtp_max_connections = 7\n")
    bench.apply()
    assert f"\n{LMTP_LIMIT} = 7\n" in bench.main.read_text()
    assert "waybill-lmtp unix - - n - 7 lmtp" in (bench.etc / "master.cf").read_text()
    bench.apply("--undo")
    assert LMTP_LIMIT not in bench.main.read_text()


def test_the_sites_own_limit_for_webhook_mail_stays(bench):
    bench.configure(ROUTES + INBOUND)
    add(bench, f"{LMTP_LIMIT} = 3\n")
    before = bench.main.read_text()
    bench.apply()
    assert bench.main.read_text().count(LMTP_LIMIT) == 1
    bench.apply("--undo")
    assert bench.main.read_text() == before
