"""The filters that are compared: each a process with a socket of its own, and
the answer that it owes to every message of tests/bench/load."""

import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "mta"))

from lab.basics import (LabError, build_directory, free_port, listens,   # noqa: E402
                        kill_process, stop_process, tail, wait_for)

TWO_CHANGES = """\
addheader\tX-Waybill-Route\tr0
chgfrom\t<info@return.example.com>
"""
SAME_CHANGES = TWO_CHANGES + """\
*delrcpt\t<%r>
*addrcpt\t<%r.r0.%l.waybill.invalid>\tORCPT=rfc822;%r
"""
ROUTED = """\
addheader\tX-Waybill-Route\tr%d
chgfrom\t<info@return.example.com>
*delrcpt\t<%r>
*addrcpt\t<%r.r%d.%l.waybill.invalid>\tORCPT=rfc822;%r
"""
ROUTES = 10     # the last digit of a rule's number says which
LOAD_LIMIT_S = 300


class Filter:
    """A filter in directory; scheme: "unix" or "inet"."""

    name = answer = None

    def __init__(self, directory, scheme="unix"):
        self.dir = Path(directory) / f"{self.name}-{scheme}"
        self.dir.mkdir(parents=True)
        self.path = self.dir / "socket"
        self.port = free_port() if scheme == "inet" else None
        self.socket = f"inet:{self.port}@127.0.0.1" if self.port else f"unix:{self.path}"
        self.log = self.dir / "log"
        self.process = None
        (self.dir / "answer").write_text(self.answer)

    def command(self):
        raise NotImplementedError

    def start(self):
        with self.log.open("w") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=self.stderr(log))
        wait_for(self.name, self._is_ready, LOAD_LIMIT_S, self.log)
        return self

    def stderr(self, log):
        return log

    def _is_ready(self):
        if self.process.poll() is not None:
            raise LabError(f"{self.name} ended with {self.process.returncode}" + tail(self.log))
        return listens(("127.0.0.1", self.port) if self.port else self.path)

    def stop(self):
        """At once: libmilter itself would take up to five seconds."""
        kill_process(self.process)

    def load(self, *options):
        """Run tests/bench/load against it; returns the finished process."""
        command = [build_directory() / "bench/load", "-a", self.dir / "answer",
                   "-p", self.process.pid, *options, self.socket]
        return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)


class Floor(Filter):
    """A constant sender and a constant header, whatever comes."""

    name, answer, words = "floor", TWO_CHANGES, ()

    def command(self):
        return [str(build_directory() / "bench/floor"), self.socket, *self.words]


class SameChanges(Floor):
    """The floor, and the changes that waybill makes for each recipient."""

    name, answer, words = "same-changes", SAME_CHANGES, ("same",)


class DoNothing(Floor):
    """It reads what comes, and changes nothing."""

    name, answer, words = "do-nothing", "", ("none",)


class Pymilter(Filter):
    """The floor in Python, by python3-milter."""

    name, answer = "pymilter", TWO_CHANGES

    def command(self):
        return ["/usr/bin/python3", str(HERE / "floor_pymilter.py"), self.socket]


class Waybill(Filter):
    """waybill-milter with so many rules in a rule_table, each the only one that
    fits a message of its number: by the recipient's domain (kind "domain"), or
    by a regular expression for the header To (kind "header")."""

    name, answer = "waybill", ROUTED

    def __init__(self, directory, scheme="unix", rules=10, kind="domain"):
        assert rules % ROUTES == 0
        super().__init__(directory, scheme)
        self._reader = None
        self._write_rules(rules, kind)
        self._write_configuration()

    def _write_rules(self, rules, kind):
        with (self.dir / "rules.tsv").open("w") as table:
            if kind == "domain":
                table.write("recipients\troute\n")
                table.writelines(f"d{n}.bench.test\tr{n % ROUTES}\n" for n in range(rules))
            else:
                table.write("header\troute\n")
                table.writelines(f"To: info@mailform{n}\\.example\\.com\tr{n % ROUTES}\n"
                                 for n in range(rules))

    def _write_configuration(self):
        secret = self.dir / "secret"
        secret.write_text("0123456789abcdef0123456789abcdef\n")
        secret.chmod(0o640)
        routes = "".join(f'route r{i} {{ host = "[127.0.0.1]" port = 2525 }}\n'
                         for i in range(ROUTES))
        (self.dir / "waybill.conf").write_text(f"""\
socket          = "{self.socket}"
socket_group    = ""
queue_directory = "{self.dir}"
user            = ""
pid_file        = "{self.dir}/pid"
control_socket  = "{self.dir}/control"
secret_file     = "secret"
networks        = {{ "127.0.0.0/8" }}
rule_table      = "rules.tsv"
return_path main {{ senders = {{ "example.com" }} domain = "return.example.com" }}
""" + routes)

    def command(self):
        return [str(build_directory() / "waybill-milter"), "-f", "-c",
                str(self.dir / "waybill.conf")]

    def stderr(self, log):
        """A stream socket with a reader behind it, as systemd's unit has it."""
        ours, theirs = socket.socketpair()
        self._reader = subprocess.Popen(["cat"], stdin=theirs, stdout=log)
        theirs.close()
        self._end = ours
        return ours

    def start(self):
        super().start()
        self._end.close()
        return self

    def stop(self):
        stop_process(self.process)
        stop_process(self._reader)
