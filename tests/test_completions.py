"""The shells complete what `waybill --help` has: real ones, asked as a user
would."""

import os
import pathlib
import pty
import re
import select
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent.parent / "contrib/completions"

BASH = r"""
source "$0"; COMP_WORDS=(waybill "$@"); COMP_CWORD=$#; _waybill; printf '%s\n' "${COMPREPLY[@]}"
"""


def run(words, script, build, tmp_path, **env):
    path = f"{build}:{os.environ['PATH']}"
    return subprocess.run(script + words, check=True, capture_output=True, text=True, timeout=60,
                          cwd=tmp_path, env={**os.environ, "PATH": path, "HOME": str(tmp_path),
                                             "TERM": "dumb", **env}).stdout.split("\n")


def by_bash(words, build, tmp_path):
    return {w for w in run(words, ["bash", "-c", BASH, str(HERE / "waybill.bash")], build, tmp_path) if w}


def by_fish(words, build, tmp_path):
    line = "waybill " + " ".join(words)
    script = f"source {HERE}/waybill.fish; complete -C '{line}'"
    return {w.split("\t")[0] for w in run([], ["fish", "--no-config", "-c", script], build, tmp_path) if w}


ZSH = r"""
PROMPT_EOL_MARK= PS1= RPS1= ; unsetopt zle_bracketed_paste beep; unset zle_bracketed_paste
fpath=({here} $fpath); autoload -Uz compinit; compinit -u -d {home}/dump
every() {{ compstate[insert]=all }}
comppostfuncs=(every)
complete-all() {{ comppostfuncs=(every); zle complete-word; print -r -- "[[$BUFFER]]"; BUFFER= }}
zle -N complete-all; bindkey '^T' complete-all; print REA''DY
"""


def until(fd, mark):
    """What comes from a terminal, up to and with mark."""
    text = ""
    while mark not in text:
        assert select.select([fd], [], [], 30)[0], text
        text += os.read(fd, 65536).decode(errors="replace")
    return text


def by_zsh(words, build, tmp_path):
    """Typed into a zsh on a terminal of its own, which puts all matches in."""
    line = "waybill " + " ".join(words)
    ours, its = pty.openpty()
    shell = subprocess.Popen(["zsh", "-f", "-i"], stdin=its, stdout=its, stderr=its, cwd=tmp_path,
                             start_new_session=True,
                             env={**os.environ, "PATH": f"{build}:{os.environ['PATH']}",
                                  "HOME": str(tmp_path), "TERM": "dumb", "COLUMNS": "2000"})
    try:
        os.write(ours, ZSH.format(here=HERE, home=tmp_path).encode())
        until(ours, "READY")
        os.write(ours, line.encode() + b"\x14")
        inner = until(ours, "]]").rpartition("[[")[2].partition("]]")[0]
    finally:
        shell.kill()
        shell.wait(20)
        os.close(ours)
        os.close(its)
    return set(inner.split()[len(line.split()) - (not line.endswith(" ")):])


SHELLS = [by_bash, by_zsh, by_fish]


def commands(build):
    text = subprocess.run([build / "waybill", "--help"], check=True, capture_output=True,
                          text=True, timeout=60).stdout
    return re.findall(r"^  ([a-z][a-z-]*) ", text, re.M)


@pytest.mark.parametrize("shell", SHELLS)
def test_commands(shell, build, tmp_path):
    assert set(commands(build)) <= shell([""], build, tmp_path)
    assert shell(["ex"], build, tmp_path) == {"explain"}


@pytest.mark.parametrize("shell", SHELLS)
def test_options(shell, build, tmp_path):
    """Each command's: what getopt takes is compared with the help in another
    test."""
    for command in ["explain", "status", "apply"]:
        text = subprocess.run([build / "waybill", command, "--help"], check=True, text=True,
                              capture_output=True, timeout=60).stdout
        told = set(re.findall(r"--[a-z][a-z-]*", text)) | {"--help"}
        assert shell([command, "--"], build, tmp_path) == told
    assert shell(["graph", "--no-p"], build, tmp_path) == {"--no-picture"}


@pytest.mark.parametrize("shell", SHELLS)
def test_words(shell, build, tmp_path):
    assert shell(["return-path", "enc"], build, tmp_path) == {"encode"}
    assert shell(["presets", "gma"], build, tmp_path) == {"gmail"}


def test_every_option_is_in_the_help(build):
    """What a command takes, by its table of options, its help tells."""
    root = HERE.parent.parent / "tool"
    for command in commands(build):
        source = (root / f"cmd_{command.replace('-', '_')}.c").read_text()
        taken = set(re.findall(r'\{"([a-z][a-z-]*)", (?:no|required)_argument', source)) - {"help"}
        text = subprocess.run([build / "waybill", command, "--help"], check=True, text=True,
                              capture_output=True, timeout=60).stdout
        missing = {option for option in taken
                   if f"--{option}" not in text and not (option == "config" and "-c FILE" in text)}
        assert not missing, f"{command}: {missing}"
