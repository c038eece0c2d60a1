"""Mail through a real Postfix: with waybill, with a filter that does nothing,
and without any; by waybill's suffix and by a hand-written transport map."""

import os
import re
import resource
import statistics
import subprocess
import time
from contextlib import contextmanager

from filters import ROUTES, DoNothing, Waybill, kill_process, listens, wait_for
from lab import Lab, free_port, run

ROUNDS = 3
SESSIONS = 8
LOOKUPS = 20000
TICKS_S = os.sysconf("SC_CLK_TCK")


def routes(port, count=ROUTES):
    return "".join(f'route r{i} {{ host = "[127.0.0.1]" port = {port} }}\n'
                   f'rule r{i} {{ recipients = {{ "d{i}.bench.test" }} route = r{i} }}\n'
                   for i in range(count))


# ---- processes ----

def cpu_s(master):
    """What a Postfix has used so far: its master, what that has reaped, and
    what is running."""
    total = 0
    for entry in os.scandir("/proc"):
        try:
            text = open(f"/proc/{entry.name}/stat", encoding="ascii", errors="replace").read() \
                if entry.name.isdigit() else ""
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        if text and int(entry.name) == master:
            total += sum(map(int, fields[11:15]))
        elif text and int(fields[1]) == master:
            total += sum(map(int, fields[11:13]))
    return total / TICKS_S


@contextmanager
def sink():
    """smtp-sink, which takes everything; yields its port."""
    port = free_port()
    process = subprocess.Popen(["/usr/sbin/smtp-sink", "-u", "nobody", f"127.0.0.1:{port}", "1000"],
                               stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("smtp-sink", lambda: listens(("127.0.0.1", port)))
        yield port
    finally:
        kill_process(process)


def send(mx, count):
    """By smtp-source, a tenth to each domain at the same time; returns when all
    has been delivered: messages a second, and CPU ms of Postfix for each."""
    cpu, begun = cpu_s(mx.master_pid()), time.monotonic()
    sources = [subprocess.Popen(
        ["/usr/sbin/smtp-source", "-s", str(max(1, SESSIONS // ROUTES + 1)), "-m",
         str(count // ROUTES), "-d", "-f", "info@example.com", "-t", f"u@d{i}.bench.test",
         f"inet:127.0.0.1:{mx.port}"], stdin=subprocess.DEVNULL) for i in range(ROUTES)]
    for source in sources:
        if source.wait(120) != 0:
            raise SystemExit("smtp-source failed")
    mx.wait_until_empty(120)
    took = time.monotonic() - begun
    return {"per_second": count / took,
            "cpu_ms": 1000 * (cpu_s(mx.master_pid()) - cpu) / count}


# ---- the ways ----

def ways(lab, port):
    """Each a Postfix of its own: (name, instance)."""
    relayhost = f"[127.0.0.1]:{port}"
    by_hand = "".join(f"d{i}.bench.test smtp:{relayhost}\n" for i in range(ROUTES))
    nothing = DoNothing(lab.dir / "nothing", "inet")
    lab.adopt(nothing).start()

    def instance(name, **main):
        # an empty queue, and no delay before a queue that grows
        return lab.postfix(name, main={"relayhost": relayhost, **main})

    def with_map(name, **main):
        mx = lab.postfix(name, start=False, main={"relayhost": relayhost, **main})
        mx._main["transport_maps"] = mx.table("transport", by_hand)
        return mx.start()

    yield "no milter, no transport map", instance("none")
    yield "no milter, hand-written transport map", with_map("map")
    yield "do-nothing filter, hand-written transport map", \
        with_map("nothing", smtpd_milters=nothing.socket.replace("@", ":").replace(
            f"inet:{nothing.port}:127.0.0.1", f"inet:127.0.0.1:{nothing.port}"))
    mx = instance("routed")
    waybill = lab.waybill(mx, routes(port), relayhosts=[relayhost])
    waybill.start()
    waybill.apply()
    yield "waybill and its suffix channel", mx


def mail(count, progress):
    with Lab() as lab, sink() as port:
        running = list(ways(lab, port))
        rounds = {name: [] for name, _ in running}
        for number in range(ROUNDS + 1):
            progress(f"real Postfix, round {number} of {ROUNDS}"
                     + (" (to warm up)" if number == 0 else ""))
            for name, mx in running:
                figures = send(mx, count if number else ROUTES * 5)
                if number:
                    rounds[name].append(figures)
    none = rounds[running[0][0]]
    return [{"name": name,
             **{key: statistics.median(f[key] for f in mine) for key in ("per_second", "cpu_ms")},
             **{f"{key}_ratio" if key != "cpu_ms" else "cpu_ratio":
                statistics.median(a[key] / b[key] for a, b in zip(mine, none))
                for key in ("per_second", "cpu_ms")}}
            for name, mine in rounds.items()]


# ---- one lookup ----

def lookup_us(mx, tables, keys):
    """CPU time of `postmap -q` for a key, less that of a start."""
    def used(count):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(["/usr/sbin/postmap", "-c", mx.etc, "-q", "-", tables],
            stdin="".join(key + "\n" for key in keys[:count]), ok=(0, 1), timeout=120)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1e6 * statistics.median(
        (used(len(keys)) - used(1)) / (len(keys) - 1) for _ in range(ROUNDS))


def lookups(count, progress):
    """The table that waybill maps writes, asked for suffixed recipients, and
    what an admin would write, asked for plain ones."""
    progress(f"lookups, {count} routes")
    with Lab() as lab:
        mx = lab.postfix("mx", start=False)
        mx.write()
        waybill = lab.waybill(mx, routes(2525, count))
        waybill.tool("maps", "--out", lab.dir / "maps")
        label = re.search(r"\.([a-z2-7]{8})\\?\.waybill",
                          (lab.dir / "maps/transport.pcre").read_text()).group(1)
        by_hand = mx.table("hand", "".join(
            f"d{i}.bench.test smtp:[127.0.0.1]:2525\n" for i in range(count)))
        numbers = [n * 7919 % count for n in range(LOOKUPS)]
        return {"routes": count,
                "suffix_us": lookup_us(mx, f"pcre:{lab.dir}/maps/transport.pcre",
                                       [f"u@d{n}.bench.test.r{n}.{label}.waybill.invalid"
                                        for n in numbers]),
                # the whole address, which an indexed table is asked for first
                "hand_us": lookup_us(mx, by_hand, [f"d{n}.bench.test" for n in numbers])}


def through_postfix(count, progress):
    count -= count % ROUTES
    return {"messages": count, "rounds": ROUNDS, "ways": mail(count, progress),
            "lookups": [lookups(n, progress) for n in (10, 100, 1000)]}
