"""`waybill apply` on configuration directories of no running Postfix: the
edits, their proof, and the way back. Postfix's own tools read the results."""

import fcntl
import os
import pathlib
import re
import shutil
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


@pytest.mark.parametrize("there, missing", [
    ("plain login", {"cram": "CRAM-MD5", "ntlm": "NTLM"}),
    ("", {"docomo": "PLAIN", "cram": "CRAM-MD5", "ntlm": "NTLM",
          "any": "mechanism with a password"})])
def test_a_mechanism_that_is_not_installed_is_refused(plain, monkeypatch, there, missing):
    """libsasl2 looks for its plug-ins in SASL_PATH."""
    folder = plain.tmp / "sasl"
    folder.mkdir()
    for name in there.split():
        (plugin,) = pathlib.Path("/usr/lib").glob(f"*/sasl2/lib{name}.so")
        (folder / plugin.name).symlink_to(plugin)
    monkeypatch.setenv("SASL_PATH", str(folder))
    plain.configure(ROUTES + "".join(
        f'route {name} {{ host = "h.example" auth = {auth} username = u '
        'password_file = "secrets/au" }\n' for name, auth in
        (("cram", "cram-md5"), ("cram2", "cram-md5"), ("ntlm", "ntlm"), ("any", "any"))))
    before = plain.snapshot()
    errors = [line for line in plain.apply(ok=78).stderr.splitlines()
              if " the SASL library has no " in line]
    assert [line.split(": ")[1:3] for line in errors] == [
        [f"route {name}", f"the SASL library has no {what}, so Postfix cannot log in; "
         "Debian's package libsasl2-modules brings it (elsewhere cyrus-sasl-plain, -md5, -ntlm)"]
        for name, what in missing.items()]
    assert plain.snapshot() == before


PACED = """
route slow { host = "h.example" rate = "10/minute" }
route same { host = "h.example" rate = "10/minute" }
route else { host = "i.example" rate = "10/minute" }
route few  { host = "h.example" concurrency = 5 max_recipients = 20 }
"""


def test_a_pace_is_set_where_the_queue_manager_reads_it(plain):
    before = plain.snapshot()
    plain.configure(ROUTES + PACED)
    plain.apply()
    text = plain.main.read_text()
    paces = re.findall(r"^waybill-none-none-every6s-acct[0-9a-f]{8}_transport_rate_delay = 6s$",
                       text, re.M)
    assert len(set(paces)) == len(paces) == 2
    assert plain.value("waybill-none-none-conc5-rcpt20_destination_concurrency_limit") == "5"
    assert plain.value("waybill-none-none-conc5-rcpt20_destination_recipient_limit") == "20"
    plain.configure(ROUTES)
    plain.apply()
    assert "waybill-none-none" not in plain.main.read_text() + plain.master.read_text()
    plain.configure(ROUTES + PACED)
    plain.apply()
    plain.apply("--undo")
    after = plain.snapshot()
    assert {name: row[0] for name, row in after.items()} == {
        name: row[0] for name, row in before.items()}


def test_what_this_postfix_cannot_keep_is_refused(plain):
    add(plain, "default_process_limit = 4\n")
    plain.configure(ROUTES + PACED)
    before = plain.snapshot()
    assert (f"{plain.conf}/waybill.conf:13: route few: concurrency = 5 cannot be reached: "
            "main.cf has default_process_limit = 4, which is the most"
            ) in plain.apply(ok=78).stderr.splitlines()
    assert plain.snapshot() == before


def test_an_old_postfix_has_no_fallback(plain):
    program = shutil.which("postconf")
    plain.program("postconf", f"{program} \"$@\" | "
                  "sed 's/^mail_version = .*/mail_version = 3.4.29/'\n")
    plain.configure(ROUTES + 'route a { host = "h.example" fallback = "[i.example]" }\n')
    assert (f"{plain.conf}/waybill.conf:9: route a: Postfix 3.4.29 has no fallback; "
            "3.5 or later is right") in plain.apply(ok=78).stderr


def test_a_client_certificate_is_a_service_of_its_own(plain):
    """$ in a path stands for itself, also in master.cf."""
    names = ["a", "b$x", "c d"]
    for name in names:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                        "-keyout", plain.conf / f"{name}.key", "-out", plain.conf / f"{name}.crt"],
                       check=True, capture_output=True)
    plain.configure("".join(
        f'route r{i} {{ host = "h.example" tls = tls cert_file = "{name}.crt" '
        f'key_file = "{name}.key" }}\n' for i, name in enumerate([*names, "a"])))
    plain.apply()
    own = [line.partition("/unix/smtp_tls_") for line in plain.postconf("-Px").splitlines()
           if line.startswith("waybill-tls-none-cert") and "/smtp_tls_" in line]
    services = {service for service, _, _ in own}
    assert len(services) == 3
    shown = sorted(rest for _, _, rest in own if rest.startswith(("cert_file", "key_file")))
    assert shown == [f"{what}_file = {plain.conf}/{name}.{end}"
                     for what, end in (("cert", "crt"), ("key", "key")) for name in names]
    assert sum(rest.startswith("chain_files =") for _, _, rest in own) == 3


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


OWN_SETTING = "waybill-again_destination_concurrency_limit = 3\n"


def test_the_admins_settings_of_our_services_are_kept(plain):
    """Those in waybill's block are waybill's, any other the admin's."""
    plain.apply()
    add(plain, OWN_SETTING)
    plain.configure(ROUTES.replace("bulk", "heap"))
    plain.apply()
    text = plain.main.read_text()
    assert text.count(OWN_SETTING) == 1
    assert text.count("\nwaybill-again_destination_recipient_limit = 1\n") == 1
    plain.apply("--undo", "--keep-edits")
    assert plain.main.read_text().endswith(OWN_SETTING)
    assert "recipient_limit" not in plain.main.read_text()


# Between two passes a sender must stay as it is.

VERP = 'return_path each { senders = { "example.com" } mode = verp domain = "return.example.com" }\n' + INBOUND
OF_ITS_OWN = ROUTES.replace("route bulk   {", "route bulk   { return_path = keep")


@pytest.mark.parametrize("setting", [
    "sender_canonical_maps = static:x@example.com", "canonical_maps = static:x@example.com",
    "masquerade_domains = example.com"])
def test_maps_that_change_senders_between_two_passes_are_warned_of(bench, setting):
    name = setting.partition(" ")[0]
    add(bench, setting + "\n")
    for text, is_warned in ((ROUTES, False), (OF_ITS_OWN, True), (ROUTES + VERP, True),
                            ("attach = after_queue\n" + OF_ITS_OWN, False)):
        bench.configure(text)
        told = bench.apply("--dry-run").stderr
        assert (f"{name}: changes senders" in told) == is_warned, text
    add(bench, name.replace("_maps", "").replace("_domains", "") + "_classes = header_sender\n")
    bench.configure(OF_ITS_OWN)
    assert "changes senders" not in bench.apply("--dry-run").stderr


@pytest.mark.parametrize("age, lifetime, is_warned", [
    ("10d", "5d", False), ("9d", "5d", True), ("14d", "1w", False), ("13d", "1w", True),
    ("1d", "12h", False), ("1d", "43201s", True), ("4d", "2", False)])
def test_a_max_age_that_is_shorter_than_mail_may_wait(bench, age, lifetime, is_warned):
    add(bench, f"maximal_queue_lifetime = {lifetime}\n")
    bench.configure(ROUTES + VERP.replace("mode = verp", f'mode = verp max_age = "{age}"'))
    told = bench.apply("--dry-run").stderr
    assert (f"max_age: {age} is shorter than mail may wait" in told) == is_warned, told


def test_no_milters_is_refused(bench):
    """Else mail would leave unrouted, and nobody would be told."""
    add(bench, "receive_override_options = no_milters\n")
    bench.configure(ROUTES)
    told = bench.apply("--dry-run", ok=78)
    assert "receive_override_options: has no_milters, which holds for smtp/inet" in told.stderr
    bench.configure("attach = after_queue\n" + ROUTES)
    assert "has no_milters" not in bench.apply("--dry-run").stderr


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


LOCAL = "mydestination = mx.example, return.example.com\n"
GATEWAY = "relay_domains = return.example.com\n"


@pytest.mark.parametrize("main", [
    LOCAL + "local_recipient_maps =\n", LOCAL + "local_recipient_maps = static:all\n",
    GATEWAY, GATEWAY + "relay_recipient_maps = inline:{@return.example.com=ok}\n",
], ids=["local", "static", "gateway", "gateway-all"])
def test_a_return_domain_where_nobody_is_refused_is_fine(bench, main):
    bench.configure(ROUTES + INBOUND)
    bench.main.write_text(bench.main.read_text().replace("mydestination =", "proxy_interfaces ="))
    add(bench, main)
    bench.apply()


def test_a_delimiter_that_cuts_signed_addresses_is_told(bench):
    add(bench, "recipient_delimiter = +=\n")
    bench.configure(ROUTES + INBOUND)
    assert "recipient_delimiter" not in bench.apply().stderr
    bench.configure(ROUTES + INBOUND + 'return_path s { mode = srs  domain = "return.example.com" }\n')
    assert "recipient_delimiter: is +=" in bench.apply().stderr


def test_after_queue(bench):
    bench.configure("attach = after_queue\n" + ROUTES)
    bench.apply()
    assert bench.value("content_filter") == "waybill-in:[127.0.0.1]:10028"
    assert bench.value("smtpd_milters") == ""
    assert "pickup/unix/content_filter" not in bench.postconf("-Px")


def test_after_queue_meets_bounces_in_front(bench):
    """What is in front of the queue refuses, and sends bounces home."""
    bench.configure("attach = after_queue\n" + ROUTES + INBOUND)
    add(bench, "smtpd_milters = inet:127.0.0.1:8891\n")
    before = [bench.main.read_text(), bench.master.read_text()]
    bench.apply()
    ours = "{ unix:waybill/milter.sock, default_action=tempfail }"
    assert bench.value("content_filter") == "waybill-in:[127.0.0.1]:10028"
    assert bench.value("smtpd_milters") == ours + ", inet:127.0.0.1:8891"
    services = bench.postconf("-Px")
    assert f"submission/inet/smtpd_milters = {ours}, inet:127.0.0.1:8891 inet:127.0.0.1:8892" in services
    assert "10025/inet/smtpd_milters =\n" in services
    bench.apply("--undo")
    assert [bench.main.read_text(), bench.master.read_text()] == before


def test_a_filter_hands_mail_back_past_the_milter(bench):
    """It was in front of the filter, and will be behind it."""
    bench.configure("attach = after_queue\n" + ROUTES + INBOUND)
    add(bench, "content_filter = amavis:[127.0.0.1]:10024\nsmtpd_milters = inet:127.0.0.1:8891\n")
    add(bench, "127.0.0.1:10026 inet n - n - - smtpd\n"
               "  -o content_filter=waybill-in:[127.0.0.1]:10028\n", "master")
    bench.apply()
    services = bench.postconf("-Px")
    assert "10026/inet/smtpd_milters = inet:127.0.0.1:8891\n" in services
    assert "waybill/milter.sock" in bench.value("smtpd_milters")
    bench.configure("attach = after_queue\n" + ROUTES)
    bench.apply()
    assert "waybill_filtered_milters" not in bench.main.read_text() + bench.master.read_text()


def test_postfix_shows_the_bounces_that_it_makes(bench):
    bench.configure(ROUTES + INBOUND)
    bench.apply()
    services = bench.postconf("-Px")
    assert "waybill-cleanup-bounce/unix/non_smtpd_milters = " \
        "{ unix:waybill/milter.sock, default_action=tempfail }\n" in services
    assert "waybill-cleanup-bounce/unix/milter_macro_daemon_name = waybill-bounce\n" in services
    add(bench, "internal_mail_filter_classes = bounce\nnon_smtpd_milters = inet:127.0.0.1:8891\n")
    bench.apply()
    assert "default_action=tempfail }, inet:127.0.0.1:8891\n" in bench.postconf("-Px")


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

DOOR = 'listener door { class = inbound  address = "127.0.0.1"  max_connections = 5 }\n'

REFUSALS = [
    ("relayhost", "relayhost = [isp.example]:587\n", "", "", 'relayhosts = { "[isp.example]:587" }'),
    ("content_filter", "content_filter = amavis:[127.0.0.1]:10024\n", "", "", "after_queue"),
    ("pickup's filter", "", "pickup2 unix n - n 60 1 pickup\n  -o content_filter=scan:dummy\n", "", "after_queue"),
    ("proxy filter", "", "26 inet n - n - - smtpd\n  -o smtpd_proxy_filter=127.0.0.1:1\n", "", "-o smtpd_milters="),
    ("listener taken", "", "127.0.0.1:10028 inet n - n - - smtpd\n", "", "loopback_listener"),
    ("listener's port taken", "", "10028 inet n - n - - smtpd\n", "", "loopback_listener"),
    ("listener by name", "", "localhost:10028 inet n - n - - smtpd\n", "", "loopback_listener"),
    ("second passes' listener taken", "", "127.0.0.1:10029 inet n - n - - smtpd\n", "", "again_listener"),
    ("second passes' port taken", "", "10029 inet n - n - - smtpd\n", "", "again_listener"),
    ("no IPv6 for second passes", "inet_protocols = ipv4\n", "", 'again_listener = "[::1]:10029"\n', "again_listener"),
    ("no IPv6 for the listener", "inet_protocols = ipv4\n", "", 'loopback_listener = "[::1]:10028"\n', "inet_protocols"),
    ("listener's name", "", "26 inet n - n - - smtpd\n  -o milter_macro_daemon_name=door\n", INBOUND + DOOR,
     "door is the milter_macro_daemon_name of 26/inet in "),
    ("listener's name in braces", "", "26 inet n - n - - smtpd\n  -o { milter_macro_daemon_name = door }\n",
     INBOUND + DOOR, "door is the milter_macro_daemon_name of 26/inet in "),
    ("listener's name everywhere", "milter_macro_daemon_name = door\n", "", INBOUND + DOOR,
     "door is the milter_macro_daemon_name of all services"),
    ("listener has the host's name", "myhostname = door\n", "", INBOUND + DOOR,
     "door is the milter_macro_daemon_name of all services"),
    ("no postconf", "setgid_group =\n", "", "", "setgid_group"),
    ("a service's filter", "", "26 inet n - n - - smtpd\n  -o content_filter=amavis:dummy\n",
     "attach = after_queue\n", "-o content_filter=waybill-in:"),
    ("chroot", "", "", 'socket = "unix:/run/elsewhere/milter.sock"\n', "chrooted"),
    ("nowhere to deliver", "", "", 'inbound_unmatched = deliver\n' + INBOUND, "nowhere to deliver"),
    ("open relay", "smtpd_relay_restrictions =\n", "", "", "permit_mynetworks"),
    ("return domain of local users", "mydestination = mx.test, return.example.com\n", "", INBOUND,
     "return.example.com is in mydestination"),
    ("return domain of aliases", "virtual_alias_domains = return.example.com\n", "", INBOUND,
     "return.example.com is in virtual_alias_domains"),
    ("return domain of mailboxes", "virtual_mailbox_domains = return.example.com\n", "", INBOUND,
     "return.example.com is in virtual_mailbox_domains"),
    ("return domain of a gateway",
     "relay_domains = return.example.com\nrelay_recipient_maps = inline:{x@y.test=ok}\n", "", INBOUND,
     "return.example.com is in relay_domains"),
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


def accounts(table):
    return [row.partition("  ")[::2] for row in table.read_text().splitlines() if row[0] == "["]


TWO = """
route docomo { host = "smtp.docomo.example" username = "shop" password_file = "secrets/docomo" }
route au     { host = "smtp.docomo.example" username = "au" password_file = "secrets/au" }
"""
OTHER = """
route new { host = "smtp.docomo.example" username = "new" password_file = "secrets/docomo" }
route au  { host = "smtp.docomo.example" username = "au" password_file = "secrets/au" }
"""
HOST = "[smtp.docomo.example]"


def test_old_nexthops_keep_their_login_until_the_reload(bench):
    """A smtp(8) that starts in between is asked for one of them."""
    table = bench.etc / "waybill/sasl-starttls-plain"
    running(bench, f"cp {table} {bench.tmp}/seen")
    bench.configure(TWO)
    bench.apply()
    bench.configure(OTHER)
    bench.apply()
    old, stays, new = ((f"{HOST}:587", "shop:se:kr=it #1"), (f"{HOST}:0587", "au:other"),
                       (f"{HOST}:00587", "new:se:kr=it #1"))
    assert accounts(bench.tmp / "seen") == [new, stays, old]
    assert accounts(table) == [new, stays]


def test_without_a_reload_they_keep_it(bench):
    """The tables of two applies may be in use then, and none is given away."""
    table = bench.etc / "waybill/sasl-starttls-plain"
    running(bench)
    bench.configure(TWO)
    bench.apply("--no-reload")
    bench.configure(OTHER)
    bench.apply("--no-reload")
    bench.configure(TWO.replace("au", "more").replace("secrets/more", "secrets/au"))
    bench.apply("--no-reload")
    assert dict(accounts(table)) == {
        f"{HOST}:587": "shop:se:kr=it #1", f"{HOST}:0587": "au:other",
        f"{HOST}:00587": "new:se:kr=it #1", f"{HOST}:000587": "more:other"}
    bench.apply()
    assert dict(accounts(table)) == {
        f"{HOST}:587": "shop:se:kr=it #1", f"{HOST}:000587": "more:other"}


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
    assert "waybill-cleanup-bounce/unix/non_smtpd_milters =\n" in plain.postconf("-Px")
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
