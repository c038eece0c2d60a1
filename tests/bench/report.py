"""What `make bench` found, as tables and as a plot."""

import subprocess

NAMES = {"floor": "floor", "same-changes": "floor, waybill's changes", "waybill": "waybill",
         "pymilter": "the floor in pymilter"}
PLOT = """\
set terminal {terminal}
set output "{out}"
set title "CPU of waybill-milter for a message, by number of rules"
set xlabel "rules"
set ylabel "microseconds"
set logscale xy
set yrange [10:]
set grid
set key top left
set datafile missing "-"
plot {curves}
"""


def show(everything):
    for result in everything["side_by_side"]:
        side_by_side(result)
    for rows in everything["rules"]:
        by_rules(rows)
    if everything["postfix"]:
        through_postfix(everything["postfix"])
    goals(everything["goals"])


def side_by_side(result):
    print(f"\n{result['scheme']} socket, {result['recipients']} recipients, "
          f"{result['connections']} connections")
    print(f"  {'':26}{'msg/s':>8}{'p50 us':>9}{'p99':>9}{'p99.9':>9}{'CPU us':>9}"
          f"{'x floor':>9}{'x same':>9}{'p99 x':>8}{'peak MB':>9}")
    for name, f in result["filters"].items():
        print(f"  {NAMES[name]:26}{f['per_second']:8.0f}{f['p50_us']:9.0f}{f['p99_us']:9.0f}"
              f"{f['p999_us']:9.0f}{f['cpu_us']:9.1f}{f['cpu_ratio']:9.2f}"
              f"{f['cpu_ratio_same']:9.2f}{f['p99_ratio']:8.2f}{f['peak_kb'] / 1024:9.1f}")


def by_rules(rows):
    print(f"\nrules by {rows[0]['kind']}")
    print(f"  {'rules':>8}{'CPU us':>12}{'p50 us':>12}{'loaded in s':>13}"
          f"{'resident MB':>13}{'peak MB':>9}")
    for row in rows:
        f = row["figures"]
        if f is None:
            print(f"  {row['rules']:8}  {row['load_s']:.2f} s to load, then: {row['failed']}")
            continue
        print(f"  {row['rules']:8}{f['cpu_us']:12.1f}{f['p50_us']:12.0f}{row['load_s']:13.2f}"
              f"{f['resident_kb'] / 1024:13.1f}{f['peak_kb'] / 1024:9.1f}")


def through_postfix(mail):
    print(f"\nreal Postfix, {mail['messages']} messages, {mail['rounds']} rounds")
    print(f"  {'':44}{'msg/s':>8}{'x none':>8}{'CPU ms':>8}{'x none':>8}")
    for way in mail["ways"]:
        print(f"  {way['name']:44}{way['per_second']:8.0f}{way['per_second_ratio']:8.2f}"
              f"{way['cpu_ms']:8.2f}{way['cpu_ratio']:8.2f}")
    print(f"\n{'lookups of a recipient in transport maps, us':46}"
          f"{'suffix channel':>16}{'hand-written':>14}{'ratio':>8}")
    for row in mail["lookups"]:
        print(f"  {row['routes']:6} routes{'':31}{row['suffix_us']:16.2f}{row['hand_us']:14.2f}"
              f"{row['suffix_us'] / row['hand_us']:8.2f}")


def goals(rows):
    print("\nmust reach")
    for g in rows:
        value = "none" if g["value"] is None else f"{g['value']:.2f}"
        print(f"  {'pass' if g['reached'] else 'MISS'}  {g['name']:48}{value:>10}"
              f"  at most {g['limit']:.2f} {g['unit']}".rstrip())


def plot(out, rules):
    """Write rules.svg and rules.png, and what they are drawn from."""
    curves = []
    for rows in rules:
        data = out / f"rules-{rows[0]['kind']}.dat"
        data.write_text("".join(
            f"{row['rules']} {row['figures']['cpu_us'] if row['figures'] else '-'}\n"
            for row in rows))
        curves.append(f"'{data}' using 1:2 with linespoints title 'by {rows[0]['kind']}'")
    for form, terminal in ("svg", "svg size 720,480"), ("png", "png size 720,480"):
        script = PLOT.format(terminal=terminal, out=out / f"rules.{form}",
                             curves=", ".join(curves))
        subprocess.run(["gnuplot"], input=script, text=True, check=True)
