#!/usr/bin/python3
"""What `make demo` runs: waybill at work in a throwaway Postfix on loopback, or
in a Sendmail: demo.py [postfix|sendmail].

Four relays and an LMTP receiver stand in for the world. Real messages go
through a real mail server; for each it is told what was sent, what waybill decided
and why, and what arrived where. Exit status 0 means that everything arrived
as told. Nothing outside a temporary directory is touched, and everything that
was started is ended, also on Ctrl-C.
"""

import re
import signal
import sys
import time
from dataclasses import dataclass, field

from lab import Lab, LabError, Sendmail, Waybill, letter, missing_for_postfix

KINDS = {"postfix": ("Postfix", missing_for_postfix), "sendmail": ("Sendmail", Sendmail.missing)}
WORLD = "192.0.2.7"          # a client that is not ours (RFC 5737)
RELAYS = ("docomo", "au", "softbank", "bulk")

CONFIGURATION = r"""
route docomo   { host = "[127.0.0.1]"  port = PORT  tls = none }
route au       { host = "[127.0.0.1]"  port = PORT  tls = none }
route softbank { host = "[127.0.0.1]"  port = PORT  tls = none }
route bulk     { host = "[127.0.0.1]"  port = PORT  tls = none }

rule docomo   { priority = 10   recipients = { "docomo.ne.jp" }  route = docomo }
rule au       { priority = 10   recipients = { "ezweb.ne.jp" }   route = au }
rule softbank { priority = 10   recipients = { "softbank.jp" }   route = softbank }
rule rest     { priority = 100  route = bulk }

return_path main {
    senders = { "example.com" }
    mode    = domain
    domain  = "return.example.com"
}
inbound mailform {
    domains = { "mailform.example.com" }
    header  = "To"  match = 'info@mailform\.example\.com'
    webhook = crm
}
bounces { domains = { "return.example.com" }  webhook = crm }
webhook crm { url = "https://app.example.com/hook" }
"""


@dataclass
class Scene:
    """One message, and what must come of it."""
    title: str
    sender: str
    recipients: list
    arrives: dict                  # {place: [recipients]}; the places' own names
    to: str = None                 # the header To; the recipients if None
    return_path: str = None        # what the relays must see; the sender if None
    tag: str = None                # X-Waybill-Route at the relays, as a set
    mark: str = None               # X-Waybill-Webhook at the LMTP receiver
    refused: str = None            # or how the SMTP reply begins
    headers: list = field(default_factory=list)
    client: str = None             # None: a program on this host
    by: str = "SMTP"


SCENES = [
    Scene("A newsletter to customers of four providers",
          "info@example.com",
          ["yuki@docomo.ne.jp", "aoi@ezweb.ne.jp", "ren@softbank.jp", "sam@example.net"],
          {"docomo": ["yuki@docomo.ne.jp"], "au": ["aoi@ezweb.ne.jp"],
           "softbank": ["ren@softbank.jp"], "bulk": ["sam@example.net"]},
          return_path="info@return.example.com", tag="docomo, au, softbank, bulk"),
    Scene("Two recipients on one route, one on this host; sendmail -t",
          "info@example.com", ["mei@docomo.ne.jp", "kai@docomo.ne.jp", "news@mx.test"],
          {"docomo": ["kai@docomo.ne.jp", "mei@docomo.ne.jp"], "mailbox": ["news"]},
          return_path="info@return.example.com", tag="docomo", by="sendmail -t"),
    Scene("A forged tag header does not choose the route",
          "shop@example.org", ["sam@example.net"], {"bulk": ["sam@example.net"]},
          headers=[("X-Waybill-Route", "docomo")], tag="bulk"),
    Scene("The world writes to a web form's address",
          "visitor@example.net", ["info@mailform.example.com"],
          {"webhook": ["info@mailform.example.com"]}, mark="crm; filter=mailform",
          client=WORLD),
    Scene("The world writes to an address that no rule matches",
          "visitor@example.net", ["nobody@mailform.example.com"], {},
          refused="550 5.1.1", client=WORLD),
    Scene("A bounce comes back to the return address",
          "", ["info@return.example.com"], {"webhook": ["info@return.example.com"]},
          mark="crm; filter=bounces", client=WORLD),
]


class Screen:
    """Plain, aligned text; colour on a terminal only."""

    def __init__(self):
        self._colour = sys.stdout.isatty()

    def say(self, text=""):
        print(text, flush=True)

    def paint(self, text, code):
        return f"\033[{code}m{text}\033[0m" if self._colour else text

    def heading(self, text):
        self.say()
        self.say(self.paint(text, "1"))

    def row(self, what, *cells):
        """One aligned line; cells are (text, width)."""
        self.say(f"  {what:<8} " + "  ".join(f"{text:<{width}}" for text, width in cells).rstrip())

    def verdict(self, problems):
        for problem in problems:
            self.row(self.paint("WRONG   ", "1;31"), (problem, 0))
        if not problems:
            self.row(self.paint("as told ", "32"))


class Demo:
    def __init__(self, lab, screen, kind):
        self.lab, self.screen = lab, screen
        self.relays = {name: lab.sink(name) for name in (*RELAYS, "default")}
        default = self.relays["default"].nexthop
        self.mx = lab.mta(kind, "mx", relay=default, start=False)
        self.waybill = lab.waybill(self.mx, self.configuration(), relayhosts=[default])
        self.hook = lab.lmtp("webhook", self.waybill.lmtp_socket)

    def configuration(self):
        """CONFIGURATION with the relays' ports, in the order of RELAYS."""
        text = CONFIGURATION
        for name in RELAYS:
            text = text.replace("PORT", str(self.relays[name].port), 1)
        return text

    def start(self):
        self.mx.start()
        self.waybill.tool("check")
        self.waybill.start()
        self.waybill.apply()

    # one message

    def play(self, number, scene):
        """Send it and tell; returns what was not as told."""
        self.screen.heading(f"{number}. {scene.title}")
        for place in (*self.relays.values(), self.hook):
            place.clear()
        self.mx.empty_mailboxes()
        self.tell_sent(scene)
        self.tell_decision(scene)
        reply = self.send(scene)
        self.mx.wait_until_empty(20)
        self.tell_arrival(scene, reply)
        problems = list(self.problems(scene, reply))
        self.screen.verdict(problems)
        return problems

    def send(self, scene):
        to = scene.to or ", ".join(scene.recipients)
        text = letter(scene.sender or "MAILER-DAEMON@example.net", to, scene.title,
                      headers=scene.headers)
        if scene.by == "SMTP":
            return self.mx.send(scene.sender, scene.recipients, text, client=scene.client)
        self.mx.sendmail(text, sender=scene.sender)
        return None

    def tell_sent(self, scene):
        origin = f"{scene.by}, from {scene.client or 'this host'}"
        self.screen.row("sent", (f"MAIL FROM <{scene.sender}>  ({origin})", 0))
        self.screen.row("", ("RCPT TO   " + " ".join(f"<{r}>" for r in scene.recipients), 0))
        for name, value in scene.headers:
            self.screen.row("", (f"{name}: {value}", 0))

    def tell_decision(self, scene):
        """By `waybill explain`, which runs the daemon's own code."""
        more = ["--header", "To: " + (scene.to or ", ".join(scene.recipients))]
        for name, value in scene.headers:
            more += ["--header", f"{name}: {value}"]
        if scene.client:
            more += ["--client", scene.client]
        what = "decided"
        for mailer in (self.mx.outbound_mailer, "local"):
            group = [r for r in scene.recipients if is_local(r) == (mailer == "local")]
            if not group:
                continue
            plan = self.waybill.explain(scene.sender, group, "--mailer", mailer, *more)
            if plan["verdict"] != "accept":
                self.screen.row(what, (f"{plan['verdict']}: {plan['reply']}", 0))
            else:
                self.tell_plan(what, plan)
            what = ""

    def tell_plan(self, what, plan):
        for r in plan["recipients"]:
            self.screen.row(what, (r["recipient"], 26), (why(r, KINDS[self.mx.kind][0]), 0))
            what = ""
        sender = plan["sender"]
        if sender["to"] not in (None, sender["from"]):
            self.screen.row(what, (sender["from"] or "<>", 26),
                            (f"returns to {sender['to']} (return_path {sender['return_path']})", 0))

    def tell_arrival(self, scene, reply):
        what = "arrived"
        if reply and reply.code != 250:
            self.screen.row("replied", (f"{reply.code} {reply.text}", 0))
        for place, message in self.arrivals():
            self.screen.row(what, (f"at {place}", 12), (f"MAIL FROM <{message.mail_from}>", 0))
            to = " ".join(f"<{r}>" for r in message.rcpt_to)
            self.screen.row("", ("", 12), (f"RCPT TO   {to}", 0))
            for name in ("X-Waybill-Route", "X-Waybill-Webhook"):
                for value in message.headers(name):
                    self.screen.row("", ("", 12), (f"{name}: {value}", 0))
            what = ""
        for _ in self.mx.mailbox("news"):
            self.screen.row(what, ("at mailbox", 12), ("news", 0))

    def arrivals(self):
        return [(name, message) for name, sink in (*self.relays.items(), ("webhook", self.hook))
                for message in sink.messages]

    def problems(self, scene, reply):
        """What is not as the scene says, a line each."""
        got = {}
        for place, message in self.arrivals():
            # what comes by LMTP carries its mark; the address before it counts
            clean = [re.sub(r"\.crm\.[a-z]+\.[a-z2-7]{26}\.hook\.[a-z2-7]{8}\.waybill\.invalid$",
                            "", r) for r in message.rcpt_to]
            if place == "webhook" and clean == message.rcpt_to:
                yield f"at webhook without a mark: {clean}"
            got[place] = sorted(got.get(place, []) + clean)
            yield from self.problems_of(scene, place, message)
        if box := self.mx.mailbox("news"):
            got["mailbox"] = ["news"] * len(box)
        if got != scene.arrives:
            yield f"arrived {got}, but should be {scene.arrives}"
        if scene.refused and not f"{reply.code} {reply.text}".startswith(scene.refused):
            yield f"not refused with {scene.refused}, but {reply.code} {reply.text}"
        if not scene.refused and reply and set(reply.all_codes()) != {250}:
            yield f"refused: {reply.text}"

    def problems_of(self, scene, place, message):
        wanted = scene.sender if scene.return_path is None else scene.return_path
        if message.mail_from != wanted:
            yield f"at {place} from <{message.mail_from}>, not <{wanted}>"
        if place == "webhook":
            if message.headers("X-Waybill-Webhook") != [scene.mark]:
                yield f"X-Waybill-Webhook is {message.headers('X-Waybill-Webhook')}"
            return
        tags = message.headers("X-Waybill-Route")
        if len(tags) != 1 or set(tags[0].split(", ")) != set(scene.tag.split(", ")):
            yield f"at {place} X-Waybill-Route is {tags}, not {scene.tag}"
        if "waybill.invalid" in message.text or "waybill.invalid" in " ".join(message.rcpt_to):
            yield f"at {place} the suffix shows"


def is_local(recipient):
    return recipient.endswith("@mx.test")


def why(r, mta):
    """The decision for one recipient, in words."""
    if r["webhook"]:
        return f"{r['class']}: webhook {r['webhook']} (filter {r['filter']})"
    if r["route"]:
        return f"{r['class']}: route {r['route']} (rule {r['rule']})"
    return f"{r['class']}: left to {mta}"


def main(kind="postfix"):
    screen = Screen()
    if kind not in KINDS:
        print(f"demo: {kind} is not {' or '.join(KINDS)}", file=sys.stderr)
        return 64
    name, missing = KINDS[kind]
    if reason := missing():
        print(f"demo: {reason}.\n"
              "demo: run `make demo` as root (or with sudo): it fetches what is missing.\n"
              f"demo: A {name} that runs here already is not touched.", file=sys.stderr)
        return 69
    if reason := Waybill.missing():
        print(f"demo: {reason}; run `make` first.", file=sys.stderr)
        return 69
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    try:
        with Lab() as lab:
            problems = show(lab, screen, kind)
    except KeyboardInterrupt:
        print("\ndemo: stopped; everything is ended and removed", file=sys.stderr)
        return 130
    except LabError as failure:
        print(f"\ndemo: {failure}", file=sys.stderr)
        return 70
    screen.say()
    if problems:
        screen.say(screen.paint(f"{problems} things were not as told.", "1;31"))
        return 1
    screen.say(f"All {len(SCENES)} messages went as told, in "
               f"{time.monotonic() - started:.1f} s; everything is ended and removed.")
    screen.say("Next: README for the ideas and the files, INSTALL to put it before your own mail.")
    return 0


def show(lab, screen, kind):
    demo = Demo(lab, screen, kind)
    screen.say(f"A throwaway {KINDS[kind][0]} on 127.0.0.1 with waybill, relays docomo, au, softbank and\n"
               "bulk, and an LMTP receiver for the webhook. Its waybill.conf, in short:")
    for line in demo.configuration().strip().splitlines():
        screen.say("    " + line if line else "")
    demo.start()
    problems = sum(len(demo.play(n, scene)) for n, scene in enumerate(SCENES, 1))
    if leaked := demo.relays["default"].messages:
        screen.say(f"the default relay got {leaked}")
        problems += 1
    return problems


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
