#!/usr/bin/python3
"""`make bench`: what waybill-milter costs, beside what any filter must cost.

Every figure is a ratio in one run: the filters run side by side and are
loaded in turn, for a moment each, in rounds; a ratio is the median of the
rounds' ratios. So a machine that is busy with other things, or changes its
clock, disturbs all of them alike.

BENCH_ROUNDS   how many rounds (15)
BENCH_MS       how long a filter is loaded in each (250)
BENCH_RULES    numbers of rules for the plot (10 100 1000 10000 100000)
BENCH_MAIL     messages through the real Postfix, a way and round; 0: none (600)

Exit status 1: a figure that must be reached is missed.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import report
from filters import Floor, Pymilter, SameChanges, Waybill, build_directory
from lab.basics import LabError
from through_postfix import through_postfix

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "15"))
MS = int(os.environ.get("BENCH_MS", "250"))
RULES = [int(word) for word in
         os.environ.get("BENCH_RULES", "10 100 1000 10000 100000").split()]
MAIL = int(os.environ.get("BENCH_MAIL", "600"))

# What must be reached: CPU by recipients, and p99, over the floor's.
CPU_LIMITS = {1: 1.12, 10: 1.15}
P99_LIMIT = 1.25
FLAT_LIMIT_US = 3.0
MEMORY_KB, MEMORY_A_RULE_KB = 10 * 1024, 2.5
WARM_UP = 50


def progress(text):
    print(f"-- {text}", file=sys.stderr, flush=True)


def measured(filter_, *options):
    """The figures of one moment of load; a wrong answer ends the benchmark."""
    done = filter_.load("-t", MS, "-w", WARM_UP, *options)
    if done.returncode != 0:
        raise SystemExit(f"{filter_.name}: {done.stderr}")
    return json.loads(done.stdout)


def medians(rounds):
    return {key: statistics.median(figures[key] for figures in rounds) for key in rounds[0]}


def ratio(rounds, others, key):
    """The median of what each round's figure is to the other filter's."""
    return statistics.median(a[key] / b[key] for a, b in zip(rounds, others))


def compare(filters, count, *options):
    """Load them in turn; returns {name: figures}, with ratios to the first two."""
    rounds = {filter_.name: [] for filter_ in filters}
    for _ in range(count):
        for filter_ in filters:
            rounds[filter_.name].append(measured(filter_, *options))
    floor, same = (rounds[filter_.name] for filter_ in filters[:2])
    return {name: {**medians(mine), "cpu_ratio": ratio(mine, floor, "cpu_us"),
                   "p99_ratio": ratio(mine, floor, "p99_us"),
                   "cpu_ratio_same": ratio(mine, same, "cpu_us")}
            for name, mine in rounds.items()}


def side_by_side(directory):
    """The filters on either kind of socket, with one and with ten recipients,
    and with few and many connections."""
    results = []
    for scheme in "unix", "inet":
        filters = [kind(directory, scheme) for kind in (Floor, SameChanges, Waybill, Pymilter)]
        try:
            for filter_ in filters:
                filter_.start()
            for recipients, connections in (1, 8), (10, 8), (1, 1), (1, 64), (1, 512):
                usual = connections == 8
                progress(f"{scheme} socket, {recipients} recipients, {connections} connections")
                figures = compare(filters if usual else filters[:3],
                                  ROUNDS if usual else max(1, ROUNDS // 3),
                                  "-r", recipients, "-c", connections)
                results.append({"scheme": scheme, "recipients": recipients,
                                "connections": connections, "filters": figures})
        finally:
            for filter_ in filters:
                filter_.stop()
    return results


def started_with(directory, kind, rules):
    """A waybill with so many rules; and how long it took to load them."""
    waybill = Waybill(Path(directory) / f"{kind}-{rules}", rules=rules, kind=kind)
    begun = time.monotonic()
    return waybill.start(), time.monotonic() - begun


def by_rules(directory, kind):
    """What a message costs with few and with many rules: a row each."""
    rows, running = [], []
    try:
        for rules in RULES:
            progress(f"{rules} rules by {kind}: loading")
            waybill, took = started_with(directory, kind, rules)
            running.append(waybill)
            rows.append({"kind": kind, "rules": rules, "load_s": took, "rounds": []})
        progress(f"rules by {kind}: " + ", ".join(str(row["rules"]) for row in rows))
        for _ in range(max(1, ROUNDS // 3)):
            for row, waybill in zip(rows, running):
                load_rules(row, waybill)
    finally:
        for waybill in running:
            waybill.stop()
    for row in rows:
        rounds = row.pop("rounds")
        row["figures"] = medians(rounds) if rounds and "failed" not in row else None
    return rows


def load_rules(row, waybill):
    """Rules so many that mail is refused because of it are told, not fatal."""
    if "failed" in row:
        return
    done = waybill.load("-t", MS, "-w", WARM_UP if row["rules"] < 10000 else 1,
                        "-c", 2, "-R", row["rules"])
    if done.returncode == 0:
        row["rounds"].append(json.loads(done.stdout))
    else:
        row["failed"] = done.stderr.strip().splitlines()[1].strip()


# ---- what must be reached ----

def goal(name, value, limit, unit=""):
    return {"name": name, "value": value, "limit": limit, "unit": unit,
            "reached": value is not None and value <= limit}


def goals_side_by_side(results):
    goals = []
    for result in results:
        if result["connections"] != 8:
            continue
        waybill = result["filters"]["waybill"]
        what = f"{result['scheme']}, {result['recipients']} recipients: "
        goals.append(goal(what + "CPU, times the floor", waybill["cpu_ratio"],
                          CPU_LIMITS[result["recipients"]]))
        goals.append(goal(what + "p99, times the floor", waybill["p99_ratio"], P99_LIMIT))
    return goals


def goals_by_rules(rows):
    goals = []
    for row in rows:
        figures = row["figures"]
        limit = MEMORY_KB + MEMORY_A_RULE_KB * row["rules"]
        goals.append(goal(f"{row['rules']} rules by {row['kind']}: resident",
                          figures and figures["resident_kb"] / 1024, limit / 1024, "MB"))
    first, last = rows[0]["figures"], rows[-1]["figures"]
    more = last["cpu_us"] - first["cpu_us"] if first and last else None
    goals.append(goal(f"{rows[-1]['rules']} rules by {rows[-1]['kind']}: CPU over "
                      f"{rows[0]['rules']}", more, FLAT_LIMIT_US, "us"))
    return goals


def main():
    begun = time.monotonic()
    out = build_directory() / "bench"
    with tempfile.TemporaryDirectory(prefix="wb-bench-") as directory:
        results = side_by_side(directory)
        rules = [by_rules(directory, kind) for kind in ("domain", "header")]
    mail = through_postfix(MAIL, progress) if MAIL else None
    goals = goals_side_by_side(results) + [g for rows in rules for g in goals_by_rules(rows)]
    everything = {"rounds": ROUNDS, "ms": MS, "side_by_side": results, "rules": rules,
                  "postfix": mail, "goals": goals}
    (out / "bench.json").write_text(json.dumps(everything, indent=1) + "\n")
    report.plot(out, rules)
    report.show(everything)
    print(f"\n{time.monotonic() - begun:.0f} s; {out}/bench.json, rules.svg, rules.png")
    return 0 if all(g["reached"] for g in goals) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as failure:
        sys.exit(str(failure))
