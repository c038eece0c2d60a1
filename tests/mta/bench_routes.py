#!/usr/bin/python3
"""What very many routes cost: `make bench-routes`.

20,000 routes, each with an account of its own, in a throwaway Postfix:
three quarters of them fifteen to a host, the rest on one host. One relay on
loopback plays all hosts; it knows every account and tells which one each
message came by. The numbers are for reading, but mail that came by a wrong
account, twice or not at all ends this with status 1.

BENCH_ROUTES=2000 makes it smaller.
"""

import asyncio
import base64
import os
import resource
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from lab import Lab, free_port, run   # noqa: E402

ROUTES = int(os.environ.get("BENCH_ROUTES", "20000"))
PER_HOST = 15
ON_ONE_HOST = ROUTES // 4
BATCH = 50      # recipients of one message, each with another route


def host(i):
    """A loopback address: the hosts' names are not in the DNS."""
    n = 0 if i < ON_ONE_HOST else 1 + (i - ON_ONE_HOST) // PER_HOST
    return f"127.77.{n // 250}.{1 + n % 250}"


class Relay:
    """Every host's relay: AUTH PLAIN, and a count of what came how."""

    def __init__(self, addresses):
        self.addresses, self.port = addresses, free_port()
        self.seen = Counter()
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()
        if not self._started.wait(30):
            raise SystemExit("the relay did not start")
        return self

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(
            self._session, self.addresses, self.port, backlog=1024))
        self._started.set()
        self._loop.run_forever()

    async def _session(self, reader, writer):
        self.connections += 1
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _talk(self, reader, writer):
        writer.write(b"220 relay.invalid ESMTP\r\n")
        login, recipients = None, []
        while line := await reader.readline():
            verb, _, rest = line.strip().partition(b" ")
            verb, reply = verb.upper(), b"250 2.0.0 Ok"
            if verb == b"EHLO":
                reply = b"250-relay.invalid\r\n250-PIPELINING\r\n250 AUTH PLAIN"
            elif verb == b"AUTH":
                _, name, password = base64.b64decode(rest.split()[1]).split(b"\0")
                good = password == name.replace(b"user", b"password")
                login = name.decode() if good else None
                reply = b"235 2.7.0 Ok" if good else b"535 5.7.8 no"
            elif verb == b"MAIL":
                recipients = []
                reply = reply if login else b"530 5.7.0 log in"
            elif verb == b"RCPT":
                recipients.append(rest[4:-1].decode())
            elif verb == b"DATA":
                writer.write(b"354 go on\r\n")
                while await reader.readline() not in (b".\r\n", b""):
                    pass
                self.seen.update((to, login) for to in recipients)
            elif verb == b"QUIT":
                return
            writer.write(reply + b"\r\n")
            await writer.drain()


def configuration(waybill, port):
    """Tables with a route and a rule a line, and a file for each password."""
    secrets = waybill.dir / "accounts"
    secrets.mkdir(mode=0o700)
    routes = ["name\thost\tport\ttls\tallow_cleartext\tusername\tpassword_file"]
    rules = ["recipients\troute"]
    for i in range(ROUTES):
        path = secrets / str(i)
        path.write_text(f"password{i}\n")
        path.chmod(0o600)
        routes.append(f"r{i}\t[{host(i)}]\t{port}\tnone\tyes\tuser{i}\t{path}")
        rules.append(f"d{i}.test\tr{i}")
    (waybill.dir / "routes.tsv").write_text("\n".join(routes) + "\n")
    (waybill.dir / "rules.tsv").write_text("\n".join(rules) + "\n")
    return 'route_table = "routes.tsv"\nrule_table = "rules.tsv"\n'


def timed(what, function, *args, **more):
    start = time.monotonic()
    result = function(*args, **more)
    print(f"{what:44}{time.monotonic() - start:9.2f} s", flush=True)
    return result


def told(what, value, unit=""):
    print(f"{what:44}{value:>9} {unit}", flush=True)


def descriptors(mx):
    return len(os.listdir(f"/proc/{mx.master_pid()}/fd"))


def memory_mb(mx):
    """Of all processes of this Postfix, what each has for itself."""
    total = 0
    for pid in mx.workers() | {mx.master_pid()}:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines()
                     if line.startswith("Private_"))
    return total // 1024


def send_all(mx):
    smtp = mx.connect()
    for first in range(0, ROUTES, BATCH):
        to = [f"u@d{i}.test" for i in range(first, min(first + BATCH, ROUTES))]
        reply = mx.send("info@example.com", to, smtp=smtp)
        if reply.code != 250:
            raise SystemExit(f"refused: {reply}")
    smtp.quit()


def wait_for_delivery(mx, relay):
    """All of them, while it looks for the most processes and memory."""
    most, end = [0, 0], time.monotonic() + 1800
    while sum(relay.seen.values()) < ROUTES:
        if time.monotonic() > end:
            raise SystemExit(f"only {sum(relay.seen.values())} arrived:\n"
                             + "\n".join(mx.log_text().splitlines()[-20:]))
        most = [max(most[0], len(mx.workers())), max(most[1], memory_mb(mx))]
        time.sleep(0.5)
    mx.wait_until_empty(60)
    return most


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Lab() as lab:
        relay = lab.adopt(Relay(sorted({host(i) for i in range(ROUTES)}))).start()
        default = lab.sink("default")
        mx = lab.postfix("mx", main={"relayhost": default.nexthop})
        waybill = lab.waybill(mx, "", relayhosts=[default.nexthop])
        waybill.configure(configuration(waybill, relay.port))
        told("routes, each with an account", ROUTES)
        timed("waybill check", waybill.tool, "check")
        timed("waybill maps", waybill.tool, "maps", "--out", waybill.dir / "maps")
        timed("waybill maps, again", waybill.tool, "maps", "--out", waybill.dir / "maps")
        timed("waybill-milter: start", waybill.start)
        timed("waybill apply, with the reload", waybill.apply)
        master = (mx.etc / "master.cf").read_text()
        told("services of routes", master.count("\nwaybill-none-plain"))
        told("largest table", os.stat(mx.etc / "waybill/transport.pcre").st_size // 1024, "KB")
        told("descriptors of master", descriptors(mx))
        told("limit of descriptors, soft and hard", f"{soft}/{hard}")
        mx.stop()
        timed("postfix start", mx.start)
        timed("postfix reload", mx.reload)
        told("memory of its processes, idle", memory_mb(mx), "MB")
        timed(f"submit a message to each, {BATCH} at a time", send_all, mx)
        start = time.monotonic()
        processes, memory = wait_for_delivery(mx, relay)
        took = time.monotonic() - start
        told("until all had arrived, from then", f"{took:.2f}", "s")
        told("connections to the relay", relay.connections)
        told("processes at most", processes)
        told("memory of them at most", memory, "MB")
        wanted = Counter((f"u@d{i}.test", f"user{i}") for i in range(ROUTES))
        wrong = (relay.seen - wanted) + (wanted - relay.seen)
        told("by a wrong account, doubled or lost", sum(wrong.values()))
        told("by the default way", len(default.messages))
        return 1 if wrong or default.messages else 0


if __name__ == "__main__":
    sys.exit(main())
