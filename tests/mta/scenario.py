"""The scenario table: an example of a seed as a configuration that an admin
would write, with what is sent and what must arrive.

A scenario is a file in scenarios/. Its lines of comment say what happens:

    # seed: whose example it is
    # what: the example in words
    # send: SENDER -> RECIPIENT, ... [by sendmail | on LISTENER]
    # header: NAME: VALUE               of the message sent last
    # expect: RECIPIENT at PLACE; key = value; ...
    # expect: RECIPIENT waits: REGEX    what the queue says of it
    # sendmail: REGEX                   what Sendmail's says of the same
    # refused: TEXT                     by `waybill check`; nothing is sent
    # run: ARGUMENTS                    of waybill, as `presets gmail`
    # prints: TEXT

keys: account and mechanism ("none": nobody logged in), with (ESMTP, or with S
for TLS and A for a log-in), sender (of the envelope), from (the header), route
(the tag header).

{braces} in the configuration stand for what only the laboratory knows:

    {sink NAME}                    host and port of a relay without log-in
    {port NAME}                    its port alone; other loopback addresses have none
    {relay NAME TLS [CERTIFICATE]} host, port and CA of a provider
    {open NAME TLS}                the same, but without log-in
    {ssl NAME}                     the same as ssl://HOST
    {nexthop NAME}                 a relay without log-in, as Postfix writes it
    {account NAME [PASSWORD]}      user name and its password (or a wrong one)
    {password NAME}                the password alone
"""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent / "scenarios"


@dataclass
class Sending:
    """One message, and what becomes of it."""
    sender: str
    recipients: list
    by_sendmail: bool = False
    listener: str = None
    headers: list = field(default_factory=list)
    arrives: dict = field(default_factory=dict)   # recipient -> {key: value}
    waits: dict = field(default_factory=dict)     # recipient -> regex
    sendmail: dict = field(default_factory=dict)  # the same in Sendmail's words


@dataclass
class Scenario:
    name: str
    text: str                                     # the configuration
    seed: str = None
    what: str = None
    refused: str = None
    sendings: list = field(default_factory=list)
    runs: list = field(default_factory=list)      # [arguments, [text, ...]]


def take_send(scenario, rest):
    found = re.fullmatch(r"(\S+) -> (.+?)(?: (by sendmail)| on (\S+))?", rest)
    sender, to, by_sendmail, listener = found.groups()
    scenario.sendings.append(Sending("" if sender == "<>" else sender, to.split(", "),
                                     bool(by_sendmail), listener))


def take_expect(scenario, rest):
    sending = scenario.sendings[-1]
    if found := re.fullmatch(r"(\S+) waits: (.+)", rest):
        sending.waits[found[1]] = sending.sendmail[found[1]] = found[2]
        return
    recipient, place, keys = re.fullmatch(r"(\S+) at (\w+)((?:; .+)?)", rest).groups()
    pairs = [key.split(" = ", 1) for key in keys.split("; ")[1:]]
    sending.arrives[recipient] = {"place": place, **dict(pairs)}


def take(scenario, key, rest):
    """One line of comment."""
    if key == "send":
        take_send(scenario, rest)
    elif key == "sendmail":
        sending = scenario.sendings[-1]
        sending.sendmail[list(sending.waits)[-1]] = rest
    elif key == "header":
        scenario.sendings[-1].headers.append(tuple(rest.split(": ", 1)))
    elif key == "expect":
        take_expect(scenario, rest)
    elif key == "run":
        scenario.runs.append((shlex.split(rest), []))
    elif key == "prints":
        scenario.runs[-1][1].append(rest)
    else:
        assert key in ("seed", "what", "refused"), key
        setattr(scenario, key, rest)


def read(path):
    scenario = Scenario(path.stem, path.read_text())
    for key, rest in re.findall(r"^# (\w+): (.+)$", scenario.text, re.M):
        take(scenario, key, rest)
    assert scenario.seed and scenario.what, path
    assert scenario.refused or scenario.sendings or scenario.runs, path
    for sending in scenario.sendings:
        assert {*sending.arrives, *sending.waits} == {*sending.recipients}, path
    return scenario


def everything():
    return [read(path) for path in sorted(HERE.glob("*.conf"))]
