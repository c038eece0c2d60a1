#!/usr/bin/python3
"""Does a fuzz target, with its corpus, reach what it names?

    coverage.py PROGRAM SOURCE

PROGRAM is the target, built with clang's source-based coverage. SOURCE says
in its first comment which files it is for:

    Reaches all of: FILE ...    every branch there must be reached
    Reaches: FILE ...           so much as the table shows

Branches that nothing can reach stand in tests/fuzz/unreached, with the reason.
Prints a table; ends with 1 if a branch is missing, or is listed for nothing.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
from collections import namedtuple

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# outcome: "true" or "false", what the condition never was
Branch = namedtuple("Branch", "file function text outcome line")


def named_files(source):
    """({files to be reached in full}, [all files that SOURCE names])"""
    comment = re.sub(r"\n \* ?", "\n", source.read_text().partition("*/")[0])
    full, named = set(), []
    for every, files in re.findall(r"Reaches( all of)?:((?:\s+\S+\.c)+)", comment):
        named += files.split()
        full |= set(files.split() if every else ())
    if not named:
        sys.exit(f"{source}: names no files; a line \"Reaches: rules/...\" in its first "
                 "comment is right")
    return full, named


def run(program, corpus, files):
    """What llvm-cov exports for these files, after one run of the corpus."""
    raw, data = f"{program}.profraw", f"{program}.profdata"
    done = subprocess.run([program, "-runs=0", corpus], capture_output=True, text=True,
                          env=dict(os.environ, LLVM_PROFILE_FILE=raw))
    if done.returncode:
        sys.exit(f"{program}: ended with {done.returncode}\n{done.stderr}")
    subprocess.run(["llvm-profdata", "merge", "-o", data, raw], check=True)
    done = subprocess.run(["llvm-cov", "export", program, f"-instr-profile={data}",
                           *(ROOT / name for name in files)],
                          check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["data"][0]


def text_of(lines, begin, end):
    """The source between two (line, column), white space as one blank."""
    part = lines[begin[0] - 1:end[0]]
    part[-1] = part[-1][:end[1] - 1]
    part[0] = part[0][begin[1] - 1:]
    return " ".join(" ".join(part).split())


def branches(exported, name):
    """(how many outcomes there are, [those that never were]). What stands in a
    macro is left out: that is assert, whose other side is a bug of ours."""
    path = ROOT / name
    lines = path.read_text().splitlines()
    count, missing = 0, []
    for function in exported["functions"]:
        if str(path) not in function["filenames"]:
            continue
        for l1, c1, l2, c2, true, false, file, expanded, *_ in function["branches"]:
            if file != expanded or function["filenames"][file] != str(path):
                continue
            found = [("true", true), ("false", false)]
            count += len(found)
            missing += [Branch(name, function["name"].rpartition(":")[2],
                               text_of(lines, (l1, c1), (l2, c2)), outcome, l1)
                        for outcome, times in found if times == 0]
    return count, missing


def excepted():
    """{(file, function, text, outcome)} of tests/fuzz/unreached."""
    rows = [line.split("\t") for line in (HERE / "unreached").read_text().splitlines()
            if line.strip() and not line.startswith("#")]
    return {tuple(cell.strip() for cell in row if cell) for row in rows}


def main(program, source):
    source = pathlib.Path(source)
    full, named = named_files(source)
    kind = source.stem.removeprefix("fuzz_")
    exported = run(str(pathlib.Path(program).resolve()), HERE / "corpus" / kind, named)
    known, failures = excepted(), []
    used = set()
    print(f"{source.stem:<26} functions       lines   branches  excepted")
    for name in named:
        count, missing = branches(exported, name)
        gone = [b for b in missing if b[:4] in known]
        used |= {b[:4] for b in gone}
        left = [b for b in missing if b[:4] not in known]
        [summary] = [f["summary"] for f in exported["files"] if f["filename"] == str(ROOT / name)]
        cells = [f"{summary[k]['covered']}/{summary[k]['count']}" for k in ("functions", "lines")]
        print(f"  {name:<24} {cells[0]:>9} {cells[1]:>11} {f'{count - len(missing)}/{count}':>10}"
              f" {len(gone):>9}")
        failures += left if name in full else []
    for b in failures:
        print(f"{b.file}:{b.line}: {b.function}: \"{b.text}\" is never {b.outcome}; add an input to "
              f"{HERE.relative_to(ROOT)}/corpus/{kind}", file=sys.stderr)
    stale = [row for row in known - used if row[0] in full]
    for row in stale:
        print(f"tests/fuzz/unreached: {' '.join(row)}: is reached, or is not there; remove the line",
              file=sys.stderr)
    return 1 if failures or stale else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
