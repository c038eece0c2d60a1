"""`waybill explain` of a message in a file."""
import json

import pytest

from test_conf import WAYBILL, folder, subprocess, write  # noqa: F401

TEXT = """\
route a { host = "relay.example.com"  max_size_kb = 1 }
route b { host = "relay.example.net" }
rule letters { priority = 10  header = { "X-Scenario", '^welcome' }  route = b }
rule rest { route = a }
return_path main { senders = { "example.com" }  domain = "return.example.com" }
"""
HEADER = "Return-Path: <info@example.com>\nFrom: Info\n <info@example.com>\n"


def explain(folder, message, *words, **kwargs):  # noqa: F811
    write(folder / "w.conf", TEXT)
    write(folder / "message", message)
    return subprocess.run(
        [WAYBILL, "explain", "-c", "w.conf", "--json", "--recipient", "a@b.test", *words],
        cwd=folder, text=True, capture_output=True, timeout=60, **kwargs)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("header, rule", [
    ("X-Scenario: welcome\n", "letters"), ("x-scenario:\n =?utf-8?Q?welcome?=\n", "letters"),
    ("Subject: X-Scenario: welcome\n", "rest"), ("Subject: x\n X-Scenario: welcome\n", "rest")])
def test_the_header_decides(folder, header, rule, end):  # noqa: F811
    text = (HEADER + header + "\nX-Scenario: welcome\n").replace("\n", end)
    done = explain(folder, text, "--message", "message")
    got = json.loads(done.stdout)
    assert done.returncode == 0 and got["recipients"][0]["rule"] == rule
    assert got["sender"]["from"] == "info@example.com"
    assert got["sender"]["return_path"] == "main"


def test_the_command_line_outranks_the_file(folder):  # noqa: F811
    got = json.loads(explain(folder, HEADER + "\n", "--message", "message", "--sender", "x@y.test",
                             "--header", "X-Scenario: welcome").stdout)
    assert got["sender"]["from"] == "x@y.test" and got["recipients"][0]["rule"] == "letters"


@pytest.mark.parametrize("octets, more, verdict", [
    (0, [], "accept"), (1024, [], "reject"), (1024, ["--size", "10"], "accept"),
    (0, ["--size", "2000"], "reject")])
def test_the_size_is_the_file_s(folder, octets, more, verdict):  # noqa: F811
    text = HEADER + "\n" + "x" * octets + "\n"
    got = json.loads(explain(folder, text, "--message", "message", *more).stdout)
    assert got["verdict"] == verdict


@pytest.mark.parametrize("lines, verdict", [(498, "accept"), (499, "reject")])
def test_ends_of_lines_count_as_two(folder, lines, verdict):  # noqa: F811
    head = "Return-Path: <a@b.test>\n\n"                      # 27 on the way
    text = head + "x\n" + "\n" * (lines - 1)                   # and 2 a line
    assert (27 + 3 + 2 * (lines - 1) > 1024) == (verdict == "reject")
    got = json.loads(explain(folder, text, "--message", "message").stdout)
    assert got["verdict"] == verdict


def test_mbox_and_standard_input(folder):  # noqa: F811
    text = "From info@example.com Tue Nov 24 03:19:52 2026\n" + HEADER + "\nText\n"
    done = explain(folder, text, "--message", "-", input=text)
    assert json.loads(done.stdout)["sender"]["from"] == "info@example.com"


@pytest.mark.parametrize("text, status, words", [
    ("", 65, "has no header"), ("no header\n", 65, "is no header field"),
    ("From: a@b\n\n", 65, "--sender is needed"), ("A: \0\n\n", 65, "a NUL"),
    ("".join(f"H{i}: x\n" for i in range(20000)), 65, "more than 9999"),
    ("A: " + "x" * 5_000_000 + "\n", 65, "octets of header")],
    ids=["empty", "text", "no-sender", "nul", "many", "long"])
def test_what_is_no_message(folder, text, status, words):  # noqa: F811
    done = explain(folder, text, "--message", "message")
    assert done.returncode == status and words in done.stderr


def test_usage(folder):  # noqa: F811
    assert explain(folder, HEADER, "--message", "missing").returncode == 66
    assert explain(folder, HEADER, "--queue-id", "4F2A").returncode == 64
    assert explain(folder, HEADER, "--log", "log", "--message", "message").returncode == 64
    write(folder / "log", "")
    for words, status, told in ((["--queue-id", "4F2A"], 65, "nothing on 4F2A"),
                                (["--queue-id", "../x"], 65, "no queue id")):
        done = subprocess.run([WAYBILL, "explain", "-c", "w.conf", "--log", "log", *words],
                              cwd=folder, text=True, capture_output=True, timeout=60)
        assert done.returncode == status and told in done.stderr
