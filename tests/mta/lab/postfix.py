"""A Postfix of one's own: its configuration, its queue, its log.

Nothing of the system's Postfix is used but its programs. The instance has
users that every Unix has (games, news) as its local ones, whose mailboxes lie
in the lab, and tables that can be changed by attribute before start().
"""

import grp
import itertools
import json
import os
import pwd
import signal
import smtplib
import time
from contextlib import contextmanager

from .basics import LabError, listens, run, tail, wait_for
from .mta import Mta

MASTER_CF = """\
{host}:{port} inet n - {chroot} - - smtpd
pickup unix n - {chroot} 60 1 pickup
cleanup unix n - {chroot} - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - {chroot} 1000? 1 tlsmgr
rewrite unix - - {chroot} - - trivial-rewrite
bounce unix - - {chroot} - 0 bounce
defer unix - - {chroot} - 0 bounce
trace unix - - {chroot} - 0 bounce
verify unix - - {chroot} - 1 verify
flush unix n - {chroot} 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - {chroot} - - smtp
relay unix - - {chroot} - - smtp
        -o syslog_name=${{multi_instance_name?{{$multi_instance_name}}:{{postfix}}}}/$service_name
showq unix n - {chroot} - - showq
error unix - - {chroot} - - error
retry unix - - {chroot} - - error
discard unix - - {chroot} - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - {chroot} - - lmtp
anvil unix - - {chroot} - 1 anvil
scache unix - - {chroot} - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
          "incoming", "private", "saved", "trace")


class Postfix(Mta):
    """One instance below directory."""

    kind = "postfix"
    group = "postfix"
    outbound_mailer = "smtp"    # the {rcpt_mailer} of mail that leaves

    def __init__(self, directory, name, *, main=None, services=(), chroot="y",
                 aliases=None, domain="mx.test", listeners=(), accounts=()):
        """main: settings of main.cf; services: lines of master.cf; aliases:
        {"local name": "where to"}; chroot: as Debian has it for its daemons."""
        super().__init__(directory, name, domain, listeners)
        self._main = dict(main or {})
        self._services = list(services) + [
            f"127.0.0.1:{port} inet n - {chroot} - - smtpd -o milter_macro_daemon_name={listener}"
            for listener, port in self.listeners.items()]
        self._chroot = chroot
        self._aliases = dict(aliases or {})
        self._marks = itertools.count(1)

    # its files

    def parameters(self):
        """main.cf as a dictionary, the caller's own settings last."""
        d = self.dir
        return {
            "compatibility_level": "3.6",
            "queue_directory": self.queue, "data_directory": d / "data",
            "command_directory": "/usr/sbin",
            "daemon_directory": "/usr/lib/postfix/sbin",
            "shlib_directory": "/usr/lib/postfix",
            "meta_directory": "/etc/postfix",
            "mail_owner": "postfix", "setgid_group": "postdrop",
            "syslog_name": f"postfix-{self.name}",
            "maillog_file_prefixes": "/tmp, /var", "maillog_file": self.log,
            "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8", "myhostname": f"{self.name}.test",
            "myorigin": self.domain, "mydestination": self.domain,
            "disable_dns_lookups": "yes", "smtp_host_lookup": "native",
            "smtpd_peername_lookup": "no",
            "alias_maps": f"texthash:{self.etc}/aliases", "alias_database": "",
            "local_recipient_maps": "", "biff": "no",
            "mail_spool_directory": f"{self.maildir}/",
            "forward_path": f"{d}/forward/$user",
            "smtpd_authorized_xclient_hosts": "127.0.0.1",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_error_sleep_time": "0", "in_flow_delay": "0",
            "minimal_backoff_time": "1000s", "qmgr_message_recipient_limit": "20000",
            "smtputf8_enable": "yes", "append_dot_mydomain": "no",
            **self._main,
        }

    def write(self):
        """Make the directories and write main.cf, master.cf and aliases."""
        owner = pwd.getpwnam("postfix")
        drop = grp.getgrnam("postdrop").gr_gid
        for path, mode in ((self.dir, 0o755), (self.etc, 0o755), (self.queue, 0o755),
                           (self.log.parent, 0o755), (self.maildir, 0o1777),
                           (self.dir / "forward", 0o755), (self.queue / "pid", 0o755)):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(mode)
        for path in [self.dir / "data"] + [self.queue / q for q in QUEUES]:
            path.mkdir(mode=0o700)
            os.chown(path, owner.pw_uid, 0)
        (self.dir / "data").chmod(0o700)
        for queue, mode in (("maildrop", 0o1730), ("public", 0o2710)):
            (self.queue / queue).mkdir()
            os.chown(self.queue / queue, owner.pw_uid, drop)
            (self.queue / queue).chmod(mode)
        (self.queue / "quick-start").touch()   # the directories are right
        main = "".join(f"{k} = {v}\n" for k, v in self.parameters().items())
        (self.etc / "main.cf").write_text(main)
        master = MASTER_CF.format(host="127.0.0.1", port=self.port, chroot=self._chroot)
        (self.etc / "master.cf").write_text(master + "".join(s + "\n" for s in self._services))
        # texthash: no "name:" as in an aliases file, and no postalias
        self.table("aliases", "".join(f"{a} {to}\n" for a, to in self._aliases.items()))
        self.age()

    def age(self):
        """Make the files look old: Postfix waits for a main.cf younger than
        two seconds, in case somebody is still writing it."""
        past = time.time() - 60
        for path in self.etc.iterdir():
            if path.is_file() and path.stat().st_mtime > past:
                os.utime(path, (past, past))

    def table(self, name, text, kind="texthash"):
        """Write a table below etc; returns it as "kind:path"."""
        self.etc.mkdir(parents=True, exist_ok=True)
        (self.etc / name).write_text(text)
        return f"{kind}:{self.etc / name}"

    # for Waybill

    @property
    def sockets(self):
        """The folder that a relative socket of waybill is below."""
        return self.queue

    def written(self, socket):
        """How waybill.conf says it."""
        return socket

    def options(self):
        """What waybill.conf says of this instance alone."""
        return (f'queue_directory = "{self.queue}"\n'
                'networks = { "127.0.0.0/8" }\n')

    @contextmanager
    def being_installed_into(self):
        """Around `waybill apply`: on return no process works by the old files
        any more. The new main.cf is made to look old, so that Postfix's
        processes do not wait for it to cool."""
        old, reloads = self.workers(), self.reloads()
        yield
        self.age()
        if self.reloads() > reloads:
            self.wait_for_end_of(old)

    # its life

    def command(self, *words, **kwargs):
        """Run a Postfix command for this instance: command("postqueue", "-f")."""
        program = "/usr/sbin/" + words[0]
        return run([program, "-c", self.etc, *words[1:]], **kwargs)

    def start(self):
        if not (self.etc / "main.cf").exists():
            self.write()
        self.command("postfix", "start", ok=None)
        self.running = True
        wait_for(f"Postfix {self.name} on port {self.port}",
                 lambda: listens(("127.0.0.1", self.port)), log=self.log)
        return self

    def stop(self):
        """What `postfix stop` does, but without its whole seconds of sleep:
        end the master and with it the process group that it leads."""
        pid = self.master_pid() if self.running else None
        self.running = False
        if not pid:
            return
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        try:
            wait_for(f"end of Postfix {self.name}", lambda: not group_exists(pid),
                     timeout=5, log=self.log)
        except LabError:
            os.killpg(pid, signal.SIGKILL)
            wait_for(f"end of Postfix {self.name}", lambda: not group_exists(pid))

    def master_pid(self):
        path = self.queue / "pid" / "master.pid"
        text = path.read_text().strip() if path.exists() else ""
        return int(text) if text else None

    def reload(self):
        """Reload, and wait until no process works by the old files."""
        self.age()
        old, before = self.workers(), self.reloads()
        self.command("postfix", "reload")
        if self.reloads() == before:
            raise LabError(f"{self.name}: was not reloaded" + tail(self.log))
        self.wait_for_end_of(old)

    def reloads(self):
        """How often it was reloaded so far, all that was asked for included:
        the log is written by a process of its own, and the master hears of a
        reload by a signal."""
        self._settle_log()
        asked = self.log_text().count("refreshing the Postfix mail system")
        wait_for(f"{asked} reloads of Postfix {self.name}",
                 lambda: self.log_text().count("reload -- version") >= asked, log=self.log)
        return asked

    def _settle_log(self):
        """Until the log has what was said so far."""
        mark = f"settled {next(self._marks)}"
        self.command("postlog", "-t", "lab", mark)
        wait_for(f"the log of Postfix {self.name}", lambda: mark in self.log_text(),
                 log=self.log)

    def workers(self):
        """The process ids of the master's children, but for the log's."""
        lines = run(["ps", "-eo", "pid=,ppid=,stat=,comm="]).stdout.splitlines()
        master = str(self.master_pid())
        return {int(pid) for pid, parent, state, name in (l.split(None, 3) for l in lines)
                if parent == master and state[0] != "Z" and name != "postlogd"}

    def wait_for_end_of(self, old):
        """Idle workers end soon after a reload, but until then they answer."""
        wait_for(f"end of the old processes of {self.name}",
                 lambda: not old & self.workers(), log=self.log)

    # its log and queue

    def queued(self):
        """What postqueue -j tells of every queued message."""
        out = self.command("postqueue", "-j").stdout
        return [json.loads(line) for line in out.splitlines() if line.strip()]

    def wait_until_empty(self, timeout=30.0):
        def probe():
            # Cheap look first: a queue file stands in one of these.
            for queue in ("maildrop", "incoming", "active", "deferred"):
                for _, _, files in os.walk(self.queue / queue):
                    if files:
                        return False
            return not self.queued()
        def explain():
            return json.dumps(self.queued(), indent=1) + tail(self.log)
        wait_for(f"empty queue of {self.name}", probe, timeout, explain)

    def wait_for_deferred(self, count=1, timeout=15.0):
        """The queue's deferred messages, once there are count of them and
        none is being worked on."""
        def probe():
            queue = self.queued()
            done = [m for m in queue if m["queue_name"] == "deferred"]
            return done if len(done) == len(queue) >= count else None
        return wait_for(f"{count} deferred messages in {self.name}", probe, timeout,
                        self.log)

    def requeue(self):
        """postsuper -r ALL: every message goes through pickup and cleanup
        again. pickup looks once a minute, or when kicked; kicks get lost."""
        self.command("postsuper", "-r", "ALL")

        def probe():
            self.command("postkick", "public", "pickup", "W", ok=None)
            return not any((self.queue / "maildrop").iterdir())
        wait_for(f"pickup by {self.name}", probe, log=self.log)

    def flush(self):
        self.command("postqueue", "-f")

    def expire(self):
        """Whatever is queued is tried once more, and returned if it fails."""
        self.command("postsuper", "-e", "ALL")
        self.flush()

    def empty_queue(self):
        """Throw away whatever is queued."""
        self.command("postsuper", "-d", "ALL")

    # mail into it

    def connect(self, client=None, port=None):
        """See Mta; by XCLIENT."""
        smtp = smtplib.SMTP("127.0.0.1", port or self.port, local_hostname="client.test",
                            timeout=30)
        if client:
            code, text = smtp.docmd("XCLIENT", f"ADDR={client} NAME=[UNAVAILABLE]")
            if code != 220:
                raise LabError(f"XCLIENT: {code} {text}")
        smtp.ehlo()
        return smtp

    @staticmethod
    def log_in(smtp, account):
        """From now on that connection is this account's, or so Postfix is told."""
        code, text = smtp.docmd("XCLIENT", f"LOGIN={account}")
        if code != 220:
            raise LabError(f"XCLIENT: {code} {text}")
        smtp.ehlo()

    def sendmail(self, text, *arguments, sender=None, recipients=()):
        """Submit by sendmail(1); without recipients it reads them from the
        headers (-t). Returns the finished command."""
        words = ["/usr/sbin/sendmail", "-C", self.etc, "-i", *arguments]
        if sender is not None:
            words += ["-f", sender]
        words += recipients if recipients else ["-t"]
        return run(words, stdin=text.replace("\r\n", "\n"), ok=None)


def group_exists(pid):
    """Is there still a process in that group? The dead who wait for a lazy
    init to fetch them do not count."""
    lines = run(["ps", "-eo", "pgid=,stat="]).stdout.splitlines()
    return any(group == str(pid) and not state.startswith("Z")
               for group, state in map(str.split, lines))
