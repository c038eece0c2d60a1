"""The Debian package, from source to purge: built in one clean chroot; installed,
used, upgraded, removed and purged in another, with that chroot's Postfix.

make check-deb runs it, as root; it takes minutes, since debootstrap does. The
tests are the steps of one story, in this order.
"""

import os
import pathlib
import re
import shlex
import smtplib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests/mta"), str(ROOT / "tests/package")]

from chroot import Chroot, Syslog, make_base             # noqa: E402
from lab import Sink, free_port, wait_for                # noqa: E402

LATER = "0.1.0+later1"
CONF = """\
networks          = {{ "127.0.0.0/8" }}
relayhosts        = {{ "{default}" }}
loopback_listener = "127.0.0.1:{loopback}"
again_listener    = "127.0.0.1:{again}"
route shop {{ host = "[127.0.0.1]"  port = {shop}  tls = none  auth = none }}
rule shop  {{ recipients = {{ "shop.test" }}  route = shop }}
return_path main {{ senders = {{ "example.com" }}  domain = "return.example.com" }}
"""


class Site:
    """What the steps share."""

    def __init__(self, folder):
        self.folder = folder
        self.host = self.syslog = None
        self.debs = {}
        self.port = free_port()
        self.shop, self.default = Sink("shop"), Sink("default")
        self.before = {}

    def dpkg(self, *words, ok=(0,)):
        return self.host.run("dpkg", *words, ok=ok)

    def install(self, version):
        target = self.host.path("root/waybill.deb")
        target.write_bytes(self.debs[version].read_bytes())
        return self.host.run("apt-get", "install", "-y", "--allow-downgrades",
                             "/root/waybill.deb")

    def state(self):
        """dpkg's words for the package."""
        done = self.dpkg("-s", "waybill", ok=None)
        found = re.search(r"^Status: (.*)$", done.stdout, re.M)
        return found.group(1) if found else "unknown"

    def send(self, recipient, sink):
        """By the chroot's Postfix; the message as it arrived at sink."""
        count = len(sink.messages)
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as client:
            client.sendmail("info@example.com", [recipient],
                            f"From: info@example.com\r\nTo: {recipient}\r\n\r\nhello\r\n")
        sink.wait_for(count + 1, timeout=60, log=self.mail_log)
        return sink.messages[count]

    def mail_log(self):
        return self.host.path("var/log/mail.log").read_text(errors="replace")

    def postfix_files(self):
        return {name: self.host.path(f"etc/postfix/{name}").read_text()
                for name in ("main.cf", "master.cf")}

    def stat(self, path):
        return self.host.out("stat", "-c", "%U:%G %a %h", path)


@pytest.fixture(scope="module")
def site():
    if os.geteuid() != 0:
        pytest.exit("check-deb: only root can make a chroot and mount there; run it as root", 77)
    # Not below /tmp: programs of a chroot may trust it less.
    folder = pathlib.Path(os.environ.get("WAYBILL_BUILD", ROOT / "build")).resolve() / "deb/check"
    subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True)
    make_base(folder / "base", folder.parent / "cache")
    made = Site(folder)
    made.shop.start()
    made.default.start()
    yield made
    for what in (made.syslog, made.shop, made.default, made.host):
        if what is not None:
            what.stop()
    subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True)


# ---- the package ------------------------------------------------------------

def test_it_builds_from_source_in_a_clean_chroot(site):
    subprocess.run(["make", "-s", "-C", ROOT, "deb-source", f"B={site.folder / 'source'}"],
                   check=True, timeout=300)
    builder = Chroot(site.folder / "base", site.folder / "builder").start()
    try:
        tree = next((site.folder / "source/deb").glob("waybill-*"))
        subprocess.run(["cp", "-a", tree, builder.path("root/waybill")], check=True)
        builder.run("apt-get update && apt-get install -y build-essential "
                    "&& apt-get build-dep -y /root/waybill", timeout=1800)
        builder.run("cd /root/waybill && dpkg-buildpackage -us -uc", timeout=1800)
        # The same once more, as a later version.
        changes = builder.path("root/waybill/debian/changelog")
        text = changes.read_text()
        changes.write_text(re.sub(r"\(.*?\)", f"({LATER})", text, count=1) + "\n" + text)
        builder.run("cd /root/waybill && dpkg-buildpackage -us -uc -b -nc", timeout=1800)
        for built in builder.path("root").glob("waybill_*"):
            (site.folder / built.name).write_bytes(built.read_bytes())
    finally:
        builder.stop()
    for deb in site.folder.glob("waybill_*.deb"):
        version = subprocess.run(["dpkg-deb", "-f", deb, "Version"], check=True, text=True,
                                 capture_output=True).stdout.strip()
        site.debs[version] = deb
    assert set(site.debs) == {"0.1.0", LATER}
    assert list(site.folder.glob("waybill_0.1.0.dsc"))


def test_lintian_finds_nothing(site):
    changes = list(site.folder.glob("waybill_0.1.0_*.changes"))
    # It wants every file that is named there; those with debugging symbols are not here.
    done = subprocess.run(["lintian", "--fail-on", "error,warning", "--allow-root",
                           site.debs["0.1.0"], *site.folder.glob("waybill_0.1.0.dsc")],
                          capture_output=True, text=True, timeout=600, check=False)
    assert changes and (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


# ---- installed --------------------------------------------------------------

def prepare_postfix(site):
    host = site.host
    host.run("debconf-set-selections", stdin="postfix postfix/main_mailer_type select "
             "Internet Site\npostfix postfix/mailname string mx.example.com\n")
    host.run("apt-get update && apt-get install -y postfix postfix-pcre procps", timeout=1800)
    for setting in ("inet_interfaces=127.0.0.1", "inet_protocols=ipv4", "mynetworks=127.0.0.0/8",
                    "myhostname=mx.example.com", "mydestination=mx.example.com",
                    f"relayhost={site.default.nexthop}", "smtp_dns_support_level=disabled",
                    "smtp_host_lookup=native", "smtpd_peername_lookup=no",
                    "maillog_file=/var/log/mail.log"):
        host.run("postconf", "-e", setting)
    service = host.out("postconf", "-M", "smtp/inet").split(None, 1)[1]
    host.run("postconf", "-MX", "smtp/inet")
    host.run("postconf", "-M", f"127.0.0.1:{site.port}/inet=127.0.0.1:{site.port} {service}")
    host.run("postfix", "start")


def test_it_installs(site):
    site.host = Chroot(site.folder / "base", site.folder / "host").start()
    site.syslog = Syslog(site.host)
    prepare_postfix(site)
    site.before = site.postfix_files()
    site.files_before = files_of_ours(site.host)
    told = site.install("0.1.0").stdout
    assert "made /etc/waybill/secret" in told and "README.Debian" in told
    assert site.state() == "install ok installed"
    assert site.stat("/etc/waybill") .startswith("root:waybill 750")
    assert site.stat("/etc/waybill/secrets").startswith("root:root 711")
    assert site.stat("/etc/waybill/secret") == "root:waybill 640 1"
    assert len(site.host.path("etc/waybill/secret").read_text()) == 45
    assert sorted(p.name for p in site.host.path("etc/waybill").iterdir()) == ["secret", "secrets"]
    assert site.host.out("id", "-Gn", "waybill-lmtp").split() == ["waybill-lmtp", "waybill"]
    assert site.dpkg("--verify", "waybill").stdout == ""
    assert site.postfix_files() == site.before, "nothing is done to Postfix unasked"
    units = site.host.out("dpkg -L waybill | grep systemd/system/").splitlines()
    assert len(units) == 4
    for unit in units:
        assert "/usr/local" not in site.host.path(unit).read_text()
    assert site.host.out("systemctl --root=/ is-enabled waybill-milter || true") in ("enabled", "")
    wants = site.host.path("etc/systemd/system")
    enabled = {link.name for link in wants.rglob("waybill*")}
    assert enabled == {"waybill-milter.service"}
    site.send("a@elsewhere.test", site.default)


def test_it_routes(site):
    host = site.host
    host.path("etc/waybill/waybill.conf").write_text(CONF.format(
        default=site.default.nexthop, shop=site.shop.port, loopback=free_port(),
        again=free_port()))
    host.run("chgrp waybill /etc/waybill/waybill.conf && chmod 640 /etc/waybill/waybill.conf")
    host.run("waybill check")
    host.run("waybill-milter")
    host.run("waybill apply")
    message = site.send("a@shop.test", site.shop)
    assert message.header("X-Waybill-Route") == "shop" and message.rcpt_to == ["a@shop.test"]
    assert message.mail_from == "info@return.example.com"
    assert site.send("b@elsewhere.test", site.default).header("X-Waybill-Route") == "direct"


def test_the_rotation_works_with_the_capabilities_of_its_unit(site):
    text = site.host.path("lib/systemd/system/waybill-rotate.service").read_text()
    names = re.search(r"^CapabilityBoundingSet=(.*)$", text, re.M).group(1).split()
    set_ = "-all," + ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in names)
    group = re.search(r"^SupplementaryGroups=(.*)$", text, re.M).group(1)
    old = site.host.path("etc/waybill/secret").read_text()
    commands = re.findall(r"^ExecStart=(.*)$", text, re.M)
    assert len(commands) == 3
    for command in commands:
        site.host.run("setpriv", "--bounding-set", set_, "--inh-caps", "-all", "--no-new-privs",
                      "--groups", group, *shlex.split(command))
    new = site.host.path("etc/waybill/secret").read_text()
    assert new != old and old.strip() in new
    assert site.stat("/etc/waybill/secret").startswith("root:waybill 640")
    assert site.send("c@shop.test", site.shop).header("X-Waybill-Route") == "shop"


def test_an_upgrade_keeps_what_the_admin_has(site):
    kept = {name: site.host.path(f"etc/waybill/{name}").read_text()
            for name in ("waybill.conf", "secret")}
    site.host.run("chmod 600 /etc/waybill/waybill.conf && echo x >/etc/waybill/secrets/shop")
    applied = site.postfix_files()
    told = site.install(LATER).stdout
    assert "made /etc" not in told
    assert site.host.out("dpkg-query", "-W", "-f", "${Version}", "waybill") == LATER
    for name, text in kept.items():
        assert site.host.path(f"etc/waybill/{name}").read_text() == text
    assert site.stat("/etc/waybill/waybill.conf") == "root:waybill 600 1"
    site.host.run("chmod 640 /etc/waybill/waybill.conf")
    assert site.host.path("etc/waybill/secrets/shop").read_text() == "x\n"
    assert site.postfix_files() == applied, "no undo at an upgrade"
    assert site.send("d@shop.test", site.shop).header("X-Waybill-Route") == "shop"


# ---- removed ----------------------------------------------------------------

def test_a_removal_that_cannot_undo_is_refused(site):
    main = site.host.path("etc/postfix/main.cf")
    text = main.read_text()
    main.write_text(text + "# an edit\n")
    done = site.dpkg("-r", "waybill", ok=None)
    assert done.returncode != 0 and "not removed" in done.stderr
    assert "apply --undo" in done.stderr and "keep-edits" in done.stderr
    assert site.state() in ("install ok installed", "deinstall ok installed")
    main.write_text(text)
    conf = site.host.path("etc/waybill/waybill.conf")
    kept = conf.read_text()
    conf.write_text(kept + "nonsense\n")
    done = site.dpkg("-r", "waybill", ok=None)
    assert done.returncode != 0 and "nonsense" in done.stderr and "cannot be used" in done.stderr
    conf.write_text(kept)
    assert site.send("e@shop.test", site.shop).header("X-Waybill-Route") == "shop"


def milters(host):
    return host.run("pgrep -x waybill-milter || true").stdout.split()


def test_a_removal_leaves_the_mta_working(site):
    assert milters(site.host)
    site.dpkg("-r", "waybill")
    assert site.state() == "deinstall ok config-files"
    assert site.postfix_files() == site.before, "as they were, to the octet"
    assert not site.host.path("etc/postfix/waybill").exists()
    assert not milters(site.host)
    assert not site.host.path("var/spool/postfix/waybill").exists()
    message = site.send("f@shop.test", site.default)
    assert message.header("X-Waybill-Route") is None and message.mail_from == "info@example.com"
    assert site.host.path("etc/waybill/waybill.conf").exists()


def test_it_comes_back_with_the_same_secret(site):
    secret = site.host.path("etc/waybill/secret").read_text()
    site.install("0.1.0")
    assert site.host.path("etc/waybill/secret").read_text() == secret
    site.host.run("waybill-milter")
    site.host.run("waybill apply")
    assert site.send("g@shop.test", site.shop).header("X-Waybill-Route") == "shop"


def files_of_ours(host):
    """All files with our name, but for those of apt and dpkg themselves."""
    found = host.run("find / -xdev -name proc -prune -o -iname '*waybill*' -print").stdout
    return {path for path in found.splitlines()
            if not path.startswith(("/root/", "/var/cache/apt/", "/var/lib/apt/", "/sys/"))}


def test_a_purge_leaves_nothing(site):
    site.dpkg("-P", "waybill")
    assert site.state() == "unknown"
    assert sorted(files_of_ours(site.host)) == sorted(site.files_before) == []
    assert not site.host.path("etc/waybill").exists()
    for database in ("passwd", "group"):
        assert "waybill" not in site.host.path(f"etc/{database}").read_text()
    assert site.postfix_files() == site.before
    assert site.send("h@shop.test", site.default).header("X-Waybill-Route") is None


# ---- the log ----------------------------------------------------------------

def test_logcheck_is_silent_about_a_normal_day(site):
    """The lines that this story has left, by the rules of the package."""
    rules = ROOT / "contrib/debian/waybill.logcheck.ignore.server"
    ours = [line for line in site.syslog.lines if " mx waybill-" in line]
    ours += [line for line in site.mail_log().splitlines() if "postfix/waybill" in line]
    for what in ("waybill-milter 0.1.0 ready", "class=outbound", "configuration reloaded",
                 "waybill-milter stopped", "postfix/waybill-"):
        assert any(what in line for line in ours), what
    wait_for("the last line", lambda: any("stopped" in line for line in ours))
    odd = subprocess.run(["grep", "-Ev", "-f", rules], input="\n".join(ours) + "\n", text=True,
                         capture_output=True, check=False).stdout
    assert odd == ""
    loud = ours[0].partition(":")[0] + ":00:00 mx waybill-milter[1]: reload refused"
    assert subprocess.run(["grep", "-Eq", "-f", rules], input=loud, text=True,
                          check=False).returncode == 1
