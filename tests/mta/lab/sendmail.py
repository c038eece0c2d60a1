"""A Sendmail of one's own, beside whatever mail server this machine has.

Its programs are unpacked, not installed, since they conflict with Postfix
(contrib/need sendmail). It is set up as an admin would: sendmail.mc, tables
and a Makefile in etc, which make what sendmail reads. bin holds sendmail and
makemap as commands for this instance. Local users are as in Postfix's lab.
"""

import os
import re
import shutil
import signal
import smtplib
import subprocess
from contextlib import contextmanager

from .basics import ROOT, LabError, build_directory, listens, run, tail, wait_for
from .cyrus import CyrusSasl
from .mta import Mta
from .sendmailtexts import (COMMAND, DELIVER, MAKEFILE, OWN_CONFIGURATION, SENDMAIL_MC,
                            SUBMIT_MC)

UNPACKED = ROOT / "build" / "unpacked"
PROGRAMS = UNPACKED / "usr/libexec/sendmail"
MACROS = UNPACKED / "usr/share/sendmail/cf"
PRELOAD = ROOT / "tests/mta/lab/preload.c"


class Sendmail(Mta):
    """One instance below directory."""

    kind = "sendmail"
    group = "root"
    outbound_mailer = "esmtp"    # the {rcpt_mailer} of mail that leaves

    def __init__(self, directory, name, *, relay=None, ca_file=None, mc="", mc_end="",
                 tables=None, aliases=None, domain="mx.test", listeners=(), accounts=(),
                 log_level=9):
        """relay: where mail goes for which there is no other way, as a nexthop
        of Postfix; ca_file: whom it trusts; mc: lines of sendmail.mc before
        MAILER(), mc_end: after; tables: {"mailertable": {key: value}}; aliases:
        {"local name": "where to"}; listeners: see Mta; accounts: who may log
        in, by log_in()."""
        super().__init__(directory, name, domain, listeners)
        self.sasl = CyrusSasl(self.etc / "sasl", domain, {a: f"of {a}" for a in accounts}, "PLAIN",
                              program="Sendmail") if accounts else None
        self.mc, self.mc_end = self._smart_host(relay) + mc, mc_end
        self.tables = {table: dict((tables or {}).get(table, {}))
                       for table in ("mailertable", "access", "authinfo", "virtusertable")}
        self.log_level, self.ca_file = log_level, ca_file
        self._aliases = dict(aliases or {})
        self._boxes = {user: user for user in self.LOCAL_USERS}
        self._process = None

    @staticmethod
    def missing():
        """Why it cannot run here; None if it can."""
        if os.geteuid() != 0:
            return "Sendmail can only be started by root"
        if not (PROGRAMS / "sendmail").exists() or not (MACROS / "m4/cf.m4").exists():
            return (f"Sendmail is not unpacked in {UNPACKED}; `contrib/need sendmail` "
                    "fetches it with apt")
        if not shutil.which("m4"):
            return "m4 is not installed"
        return None

    # its files

    @staticmethod
    def _smart_host(relay):
        if not relay:
            return ""
        host, _, port = relay.rpartition(":")
        return (f"define(`SMART_HOST', `esmtp:{host}')dnl\n"
                f"define(`ESMTP_MAILER_ARGS', `TCP $h {port}')dnl\n")

    def _names(self):
        """What the {words} of the texts above mean."""
        return {"dir": self.dir, "etc": self.etc, "queue": self.queue, "port": self.port,
                "domain": self.domain, "macros": MACROS, "maildir": self.maildir,
                "log": self.log, "log_level": self.log_level, "daemons": self._daemons(),
                "logins": self._logins(), "trust": self._trust(), "mc": self.mc,
                "mc_end": self.mc_end, "name": f"sendmail-{self.name}"}

    def write(self):
        """Make the directories and what an admin writes."""
        for path, mode in ((self.dir, 0o755), (self.etc, 0o755), (self.queue, 0o700),
                           (self.dir / "submit", 0o770), (self.dir / "run", 0o755),
                           (self.dir / "bin", 0o755), (self.dir / "forward", 0o755),
                           (self.log.parent, 0o755), (self.maildir, 0o1777)):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(mode)
        shutil.chown(self.dir / "submit", "mail", "mail")
        self.log.touch()
        self.log.chmod(0o666)
        for user, box in self._boxes.items():
            (self.maildir / box).mkdir(parents=True)
            shutil.chown(self.maildir / box, user)
            if user != box:
                (self.maildir / user).symlink_to(box)
        names = self._names()
        (self.dir / "bin/deliver").write_text(DELIVER.format(**names))
        self._command("sendmail", OWN_CONFIGURATION.format(**names))
        self._command("makemap")
        aliases = {"postmaster": "root", **self._aliases}
        for file, text in (("service.switch", "hosts files\naliases files\n"), ("helpfile", ""),
                           ("submit.mc", SUBMIT_MC.format(**names)),
                           ("Makefile", MAKEFILE.format(**names)),
                           ("aliases", "".join(f"{a}: {to}\n" for a, to in aliases.items()))):
            (self.etc / file).write_text(text)
        self.write_mc()
        for table in self.tables:
            self.write_table(table)
        self.make()

    def mailbox_of(self, user, name):
        """A system user's mailbox, by a name of its own; before start()."""
        self._boxes[user] = name

    def _trust(self):
        if not self.ca_file:
            return ""
        return (f"define(`confCACERT', `{self.ca_file}')dnl\n"
                f"define(`confCACERT_PATH', `{os.path.dirname(self.ca_file)}')dnl\n")

    def _logins(self):
        if not self.sasl:
            return ""
        return ("define(`confAUTH_MECHANISMS', `PLAIN')dnl\nTRUST_AUTH_MECH(`PLAIN')dnl\n"
                f"LOCAL_CONFIG\nESASL_CONF_PATH={self.sasl.dir}\n")

    def _daemons(self):
        return "".join(f"DAEMON_OPTIONS(`Name={name}, Addr=127.0.0.1, Port={port}, "
                       "Family=inet')dnl\n" for name, port in self.listeners.items())

    def trust(self, ca_file):
        """See Mta; the daemon learns of it by the next `waybill apply`."""
        self.ca_file = ca_file
        self.write_mc()
        self.make()

    def write_mc(self):
        """Write sendmail.mc anew, after self.mc or self.mc_end was changed."""
        (self.etc / "sendmail.mc").write_text(SENDMAIL_MC.format(**self._names()))

    def write_table(self, name):
        path = self.etc / name
        path.write_text("".join(f"{key}\t{value}\n" for key, value in self.tables[name].items()))
        path.chmod(0o600 if name == "authinfo" else 0o644)

    def make(self, **options):
        """Build what sendmail reads, as the admin does."""
        return run(["make", "-s", "-C", self.etc], **options)

    def _command(self, name, settings=""):
        path = self.dir / "bin" / name
        path.write_text(COMMAND.format(**self._names(), preload=preload(), settings=settings,
                                       program=PROGRAMS / name))
        path.chmod(0o755)

    # for Waybill

    @property
    def sockets(self):
        """The folder that a relative socket of waybill is below."""
        return self.dir / "run"

    def written(self, socket):
        """How waybill.conf says it: no chroot, no relative path."""
        return socket.replace("unix:", f"unix:{self.sockets}/")

    def options(self):
        """What waybill.conf says of this instance alone. Loopback addresses
        but one play strangers, see connect()."""
        return 'networks = { "127.0.0.1/32" }\n'

    def environment(self):
        """`waybill apply` finds sendmail and makemap as any admin's shell does."""
        return {"PATH": f"{self.dir}/bin:{os.environ['PATH']}"}

    @contextmanager
    def being_installed_into(self):
        """Around `waybill apply`: on return a sendmail that has read the new
        files listens, if there are any. An undo restarts it twice; the pid
        file is written once it listens."""
        cf, pid = self.etc / "sendmail.cf", self.dir / "run/sendmail.pid"
        before = cf.read_text()
        yield

        def is_newer():
            return pid.exists() and pid.stat().st_mtime_ns > cf.stat().st_mtime_ns
        if self.running and cf.read_text() != before:
            wait_for(f"restart of Sendmail {self.name}", is_newer, log=self.log)
            self._wait_for_ports()

    # its life

    def command(self, *words, **options):
        """Run sendmail for this instance: command("-bp")."""
        return run([self.dir / "bin/sendmail", *words], **options)

    def start(self):
        if not (self.etc / "sendmail.cf").exists():
            self.write()
            if self.sasl:
                self.sasl.start()
        with self.log.open("a") as log:
            self._process = subprocess.Popen([self.dir / "bin/sendmail", "-bD"],
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.running = True
        self._wait_for_ports()
        return self

    def _wait_for_ports(self):
        """Until it listens on each port that it was told to."""
        text = (self.etc / "sendmail.cf").read_text()
        ports = re.findall(r"^O DaemonPortOptions=.*\bPort=(\d+)", text, re.M)

        def probe():
            if self._process.poll() is not None:
                raise LabError(f"Sendmail {self.name} ended with {self._process.returncode}"
                               + tail(self.log))
            return all(listens(("127.0.0.1", int(port))) for port in ports)
        wait_for(f"Sendmail {self.name} on ports {', '.join(ports)}", probe, log=self.log)

    def stop(self):
        """End the daemon and whoever delivers for it."""
        if not self.running:
            return
        self.running = False
        # The daemon ends in seconds if asked, and what it has is thrown away.
        self._process.kill()
        self._process.wait(10)

        def are_gone():
            for pid in self.workers():
                kill(pid)
            return not self.workers()
        wait_for(f"end of Sendmail {self.name}", are_gone)

    def master_pid(self):
        return self._process.pid if self._process else None

    def reload(self):
        """Make it read its files anew, as by `make restart`."""
        before = self.reloads()
        os.kill(self._process.pid, signal.SIGHUP)
        wait_for(f"reload of Sendmail {self.name}", lambda: self.reloads() > before, log=self.log)
        self._wait_for_ports()

    def reloads(self):
        """How often it was started so far, and ready."""
        return self.log_text().count("starting daemon")

    def workers(self):
        """The process ids of all that work on its queues: each sendmail stays
        in the queue directory."""
        homes = {str(self.queue), str(self.dir / "submit")}
        found = set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/cwd") in homes:
                    found.add(int(pid))
            except OSError:
                continue
        return found

    # its queue

    def queued(self):
        """Every queued message, in the words of Postfix's postqueue -j."""
        held = locked_inodes()
        found = []
        for path in sorted(self._control_files()):
            try:
                inode, text = path.stat().st_ino, path.read_text(errors="surrogateescape")
            except FileNotFoundError:    # it was delivered meanwhile
                continue
            name = path.name[2:]
            why = next((line[1:] for line in text.splitlines() if line.startswith("M")), "")
            addresses = [line.partition(":")[2].strip().removeprefix("<").removesuffix(">")
                         for line in text.splitlines() if line.startswith("R")]
            found.append({
                "queue_id": name, "queue_name": "active" if inode in held else "deferred",
                "recipients": [{"address": a, "delay_reason": f"{self._logged(name, a)}; {why}"}
                               for a in addresses]})
        return found

    def _logged(self, queue_id, address):
        """Why a recipient waits, by the log. Of a mailer that was not asked it
        has nothing; the queue file has one reason, for all recipients."""
        among = re.compile(rf": {queue_id}: to=(?:.*,)?<?{re.escape(address)}>?,.*stat=(.*)")
        found = [m[1] for line in self.log_lines(queue_id, "stat=") if (m := among.search(line))]
        return found[-1] if found else ""

    def wait_until_empty(self, timeout=30.0):
        def probe():
            return not any(re.match("[qdxt]f", path.name) for folder in self._queues()
                           for path in folder.iterdir())

        def explain():
            return f"{self.queued()}" + tail(self.log)
        wait_for(f"empty queue of {self.name}", probe, timeout, explain)

    def _queues(self):
        return self.queue, self.dir / "submit"

    def wait_for_deferred(self, count=1, timeout=15.0):
        """The queued messages, once there are count of them and none is being
        worked on."""
        def probe():
            queue = self.queued()
            done = [m for m in queue if m["queue_name"] == "deferred"
                    and all(len(r["delay_reason"]) > 2 for r in m["recipients"])]
            return done if len(done) == len(queue) >= count else None
        return wait_for(f"{count} deferred messages in {self.name}", probe, timeout, self.log)

    def requeue(self):
        """What Sendmail has for it is a queue run."""
        self.flush()

    def flush(self):
        """Run the queues: sendmail(1)'s, then the daemon's."""
        self.command("-Ac", f"-C{self.etc}/submit.cf", "-q", ok=None, timeout=120)
        self.command("-q", "-OMinQueueAge=0", ok=None, timeout=120)

    def expire(self):
        """Whatever is queued is tried once more, and returned if it fails. The
        reports may wait."""
        self.command("-q", "-OMinQueueAge=0", "-OTimeout.queuereturn=0s",
                     "-OTimeout.queuereturn.dsn=5d", ok=None, timeout=120)

    def empty_queue(self):
        """Throw away whatever is queued."""
        def is_idle():
            return all(m["queue_name"] == "deferred" for m in self.queued())
        wait_for(f"idle queue of {self.name}", is_idle, log=self.log)
        for folder in self._queues():
            for path in folder.iterdir():
                if path.is_file():
                    path.unlink(missing_ok=True)

    def _control_files(self):
        return [path for folder in self._queues() for path in folder.glob("qf*")]

    # mail into it

    def connect(self, client=None, port=None):
        """See Mta. Sendmail is not told of another client, so that connects
        from loopback: 192.0.2.7 from 127.0.2.7, to which waybill and sendmail
        are as strange."""
        source = ("127" + client[client.index("."):], 0) if client else None
        smtp = smtplib.SMTP("127.0.0.1", port or self.port, local_hostname="client.test",
                            timeout=60, source_address=source)
        smtp.ehlo()
        return smtp

    def log_in(self, smtp, account):
        """From now on that connection is this account's."""
        smtp.login(account, f"of {account}")

    def sendmail(self, text, *arguments, sender=None, recipients=()):
        """Submit by sendmail(1); without recipients it reads them from the
        headers (-t). Returns the finished command."""
        words = ["-Ac", f"-C{self.etc}/submit.cf", "-i", *arguments]
        if sender is not None:
            words += ["-f", sender or "<>"]
        words += recipients if recipients else ["-t"]
        return self.command(*words, stdin=text.replace("\r\n", "\n"), ok=None)


def preload():
    """The library that every command of Sendmail is given, built if it is not
    there or old."""
    library = build_directory() / "lab" / "preload.so"
    if not library.exists() or library.stat().st_mtime < PRELOAD.stat().st_mtime:
        library.parent.mkdir(parents=True, exist_ok=True)
        new = library.with_suffix(f".{os.getpid()}")
        run(["gcc", "-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O2", "-fPIC",
             "-shared", "-o", new, PRELOAD])
        new.rename(library)
    return library


def locked_inodes():
    """The inodes of all files that any process has locked."""
    with open("/proc/locks", encoding="ascii") as locks:
        return {int(word.rpartition(":")[2]) for line in locks for word in line.split()
                if re.fullmatch(r"[0-9a-f]+:[0-9a-f]+:\d+", word)}


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
