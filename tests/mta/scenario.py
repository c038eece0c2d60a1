"""The scenario table: an example of a seed as a configuration that an admin
would write, with what is sent and what must arrive.

A scenario is a file in scenarios/. Its lines of comment say what happens:

    # seed: whose example it is
    # what: the example in words
    # send: SENDER -> RECIPIENT, ... [by sendmail | on LISTENER]
    # header: NAME: VALUE               of the message sent last
    # run: ARGUMENTS [exits STATUS]     of waybill, as `presets gmail`
    # prints: TEXT
    # expect: RECIPIENT at PLACE; key = value; ...
    # expect: RECIPIENT waits: REGEX    what the queue says of it
    # sendmail: REGEX                   what Sendmail's says of the same
    # expect: RECIPIENT refused: TEXT   at once, as the reply begins
    # refused: TEXT                     by `waybill check`; nothing is sent
    # postfix: WHY                      it is not for Sendmail

An expect is about the mail that was sent, or the mails that the command made.

A message for a webhook arrives at the place "webhook", which stands for
waybill-lmtp; the key webhook is what the message tells of it.

keys: account and mechanism ("none": nobody logged in), with (ESMTP, or with S
for TLS and A for a log-in), sender (of the envelope), from and subject (the
headers), route (the tag header), pace (between two mails by a route).

{braces} in the configuration stand for what only the laboratory knows:

    {sink NAME}                    host and port of a relay without log-in
    {port NAME}                    its port alone; other loopback addresses have none
    {relay NAME TLS [CERTIFICATE]} host, port and CA of a provider
    {open NAME TLS}                the same, but without log-in
    {ssl NAME}                     the same as ssl://HOST
    {door NAME}                    address and port of the listener NAME
    {nexthop NAME}                 a relay without log-in, as Postfix writes it
    {account NAME [PASSWORD]}      user name and its password (or a wrong one)
    {password NAME}                the password alone
    {pop RELAY}                    a POP server with the accounts of that relay
    {ca NAME}                      the CA of a provider
    {gate}                         a relay that opens by a login there
    {state}                        a state_file that is not there yet
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
    refusals: dict = field(default_factory=dict)  # recipient -> text


@dataclass
class Run:
    """One command, and what comes of it."""
    arguments: list
    status: int = 0
    prints: list = field(default_factory=list)
    arrives: dict = field(default_factory=dict)
    waits: dict = field(default_factory=dict)
    sendmail: dict = field(default_factory=dict)


@dataclass
class Scenario:
    name: str
    text: str                                     # the configuration
    seed: str = None
    what: str = None
    refused: str = None
    only_postfix: str = None
    acts: list = field(default_factory=list)      # sendings and runs


def take_send(scenario, rest):
    found = re.fullmatch(r"(\S+) -> (.+?)(?: (by sendmail)| on (\S+))?", rest)
    sender, to, by_sendmail, listener = found.groups()
    scenario.acts.append(Sending("" if sender == "<>" else sender, to.split(", "),
                                 bool(by_sendmail), listener))


def take_run(scenario, rest):
    arguments, status = re.fullmatch(r"(.+?)(?: exits (\d+))?", rest).groups()
    scenario.acts.append(Run(shlex.split(arguments), int(status or 0)))


def take_expect(scenario, rest):
    act = scenario.acts[-1]
    if found := re.fullmatch(r"(\S+) waits: (.+)", rest):
        act.waits[found[1]] = act.sendmail[found[1]] = found[2]
        return
    if found := re.fullmatch(r"(\S+) refused: (.+)", rest):
        act.refusals[found[1]] = found[2]
        return
    recipient, place, keys = re.fullmatch(r"(\S+) at (\w+)((?:; .+)?)", rest).groups()
    pairs = [key.split(" = ", 1) for key in re.split("; (?=[a-z]+ = )", keys)[1:]]
    act.arrives[recipient] = {"place": place, **dict(pairs)}


def take(scenario, key, rest):
    """One line of comment."""
    if key == "send":
        take_send(scenario, rest)
    elif key == "sendmail":
        act = scenario.acts[-1]
        act.sendmail[list(act.waits)[-1]] = rest
    elif key == "header":
        scenario.acts[-1].headers.append(tuple(rest.split(": ", 1)))
    elif key == "expect":
        take_expect(scenario, rest)
    elif key == "run":
        take_run(scenario, rest)
    elif key == "prints":
        scenario.acts[-1].prints.append(rest)
    elif key == "postfix":
        scenario.only_postfix = rest
    else:
        assert key in ("seed", "what", "refused"), key
        setattr(scenario, key, rest)


def read(path):
    scenario = Scenario(path.stem, path.read_text())
    for key, rest in re.findall(r"^# (\w+): (.+)$", scenario.text, re.M):
        take(scenario, key, rest)
    assert scenario.seed and scenario.what, path
    assert scenario.refused or scenario.acts, path
    for act in scenario.acts:
        if isinstance(act, Sending):
            told = {*act.arrives, *act.waits, *act.refusals}
            assert told == {*act.recipients}, path
    return scenario


def everything():
    return [read(path) for path in sorted(HERE.glob("*.conf"))]
