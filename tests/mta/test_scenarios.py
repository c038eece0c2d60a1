"""Every example of the seeds, on real servers: see scenario.py for the table.

The providers are two submission servers: `provider`, with Dovecot's SASL and
an account for each template, and `office`, with Cyrus SASL and every mechanism
that a customer's server may ask for. `vendor` is a relay without log-in, `gate`
one that takes mail only from where somebody has just logged in by POP, and
`direct` is where mail goes that waybill leaves alone.
"""

import re
import shutil

import pytest

from lab import AuthRelay, Lab, Pop3, build_directory, free_port, letter
from prerequisites import need
from scenario import Sending, everything

PROVIDER = {name: f"password of {name}" for name in (
    "shop@gmail.example", "shop-yahoo", "shop@icloud.example", "shop-docomo-id", "shop-au",
    "shop-softbank", "apikey")}
OFFICE = {name: f"password of {name}" for name in ("customer", "zaion", "admin")}
SINKS = ("vendor", "bulk", "gate", "direct")
RELAYS = {"provider": ("dovecot", "PLAIN LOGIN CRAM-MD5", PROVIDER),
          "office": ("cyrus", "PLAIN LOGIN CRAM-MD5 NTLM", OFFICE)}
LISTENER = "campaign"

SCENARIOS = everything()


class Gate:
    """A relay that takes mail from nobody but who is in its table."""

    def __init__(self, lab, sink):
        self.table = lab.dir / "gate-open"
        self.server = lab.postfix("gate", start=False, chroot="n", main={
            "default_transport": f"smtp:{sink.nexthop}", "mydestination": "", "mynetworks": "",
            "smtpd_relay_restrictions":
                f"check_client_access lmdb:{self.table}, reject_unauth_destination"})
        self.server.write()
        self.table.write_text("")
        self.server.command("postmap", f"lmdb:{self.table}")
        self.server.start()
        self.port = self.server.port

    @property
    def opening(self):
        """A command that opens it to $IP."""
        return (f'echo "$IP OK" | /usr/sbin/postmap -c {self.server.etc} -i lmdb:{self.table}'
                " 2>/dev/null")

    def close(self):
        self.server.command("postmap", "-d", "127.0.0.1", f"lmdb:{self.table}", ok=None)


def unmarked(recipient):
    """waybill-lmtp reads the mark itself."""
    return re.sub(r"(\.[a-z0-9-]+){2}\.[a-z2-7]{26}\.hook\.[a-z2-7]{8}\.waybill\.invalid$", "",
                  recipient)


class World:
    """One MTA with waybill, and all that it may send to."""

    def __init__(self, lab, kind):
        self.lab = lab
        self.sinks = {name: lab.sink(name) for name in (*SINKS, *RELAYS)}
        self.relays = {
            name: lab.authrelay(f"{name}-relay", accounts, self.sinks[name], sasl=sasl,
                                mechanisms=mechanisms)
            for name, (sasl, mechanisms, accounts) in RELAYS.items()}
        self.gate = Gate(lab, self.sinks["gate"])
        self.pops = {
            name: lab.pop3(f"{name}-pop", accounts, tls=self.relays[name].certificates,
                           on_login=self.gate.opening)
            for name, (_, _, accounts) in RELAYS.items()}
        self.state = lab.dir / "state" / "routes.json"
        # Sendmail has one file of CAs for all relays
        self.ca_file = lab.dir / "cas.pem"
        self.ca_file.write_text("".join(r.ca_file.read_text() for r in self.relays.values()))
        direct = self.sinks["direct"].nexthop
        self.mx = lab.mta(kind, "mx", relay=direct, ca_file=self.ca_file, listeners=[LISTENER])
        self.doors = dict(self.mx.listeners)
        self.waybill = lab.waybill(self.mx, "", relayhosts=[direct])
        self.sinks["webhook"] = lab.lmtp("webhook", self.waybill.lmtp_socket)
        # the build may lie where the daemon's user cannot look
        shutil.copytree(build_directory() / "presets", self.waybill.dir / "presets")
        self.waybill.start()
        self.waybill.apply()

    # the configuration

    def place(self, found):
        """What a {word ...} of a scenario stands for."""
        word, *rest = found.group(1).split()
        return getattr(self, f"_{word}")(*rest)

    def configure(self, scenario):
        self.waybill.configure(
            re.sub(r"\{((?:sink|door|port|nexthop|relay|open|ssl|account|password|pop|ca) [^{}]+|gate|state)\}",
                   self.place, scenario.text))

    def _sink(self, name):
        return f'host = "[127.0.0.1]"  port = {self.sinks[name].port}'

    def _door(self, name):
        self.doors.setdefault(name, free_port())
        return f'address = "127.0.0.1"  port = {self.doors[name]}'

    def _port(self, name):
        return str(self.sinks[name].port)

    def _nexthop(self, name):
        return self.sinks[name].nexthop

    def _ssl(self, name):
        return self._relay(name, "tls").replace('"localhost"', '"ssl://localhost"')

    def _relay(self, name, tls, certificate="good", login=True):
        relay = self.relays[name]
        ca = "" if tls == "none" else f'  ca_file = "{self.ca_file}"'
        return f'host = "localhost"  port = {relay.port(tls, certificate, login=login)}{ca}'

    def _open(self, name, tls):
        return self._relay(name, tls, login=False)

    def _ca(self, name):
        return str(self.ca_file)

    def _gate(self):
        return f'host = "[127.0.0.1]"  port = {self.gate.port}'

    def _pop(self, name):
        return (f'pop_before_smtp = "pop3s://localhost:{self.pops[name].tls_port}"'
                f'  ca_file = "{self.relays[name].ca_file}"')

    def _state(self):
        return f'state_file = "{self.state}"'

    def _account(self, name, password=None):
        return f'username = "{name}"  {self._password(name, password)}'

    def _password(self, name, password=None):
        right = {**PROVIDER, **OFFICE}[name]
        file = self.waybill.password(f"{name}-{password or 'right'}", password or right)
        return f'password_file = "{file}"'

    # mail

    def clear(self):
        self.mx.empty_queue()
        if self.mx.kind == "postfix":
            self.mx.age()
        for sink in self.sinks.values():
            sink.clear()

    def send(self, sending):
        text = letter(sending.sender, ", ".join(sending.recipients), headers=sending.headers)
        if sending.by_sendmail:
            assert self.mx.sendmail(text, sender=sending.sender).returncode == 0
            return
        reply = self.mx.send(sending.sender, sending.recipients, text,
                             port=self.doors[sending.listener] if sending.listener else None)
        for recipient, (code, said) in reply.recipients.items():
            wanted = sending.refusals.get(recipient, "250 ")
            assert f"{code} {said}".startswith(wanted), (recipient, reply)
        assert reply.code == 250 or not {*sending.recipients} - {*sending.refusals}, reply

    def settle(self, waiting):
        """Until everything that leaves has left."""
        if waiting:
            self.mx.wait_for_deferred()
        else:
            self.mx.wait_until_empty()
        for relay in (*(r.postfix for r in self.relays.values()), self.gate.server):
            relay.wait_until_empty()

    def arrived(self):
        """{recipient: (place, message)}; nobody gets anything twice."""
        found = {}
        for place, sink in self.sinks.items():
            for message in sink.messages:
                for recipient in map(unmarked, message.rcpt_to):
                    assert recipient not in found, f"{recipient} got it twice"
                    found[recipient] = (place, message)
        return found

    def pace(self):
        """Between two mails; test_pace.py shows that Postfix keeps it."""
        if self.mx.kind != "postfix":
            return "none"
        found = re.findall(r"_transport_rate_delay = ([1-9]\S*)",
                           (self.mx.etc / "main.cf").read_text())
        return " ".join(found) or "none"

    def facts(self, place, message):
        """What the keys of an expectation mean."""
        relay = self.relays.get(place)
        account = relay.login_of(message) if relay else None
        received = message.headers("Received")[0]
        return {
            "place": place,
            "account": account or "none",
            "mechanism": relay.methods()[account] if account else "none",
            "with": re.search(r"\bwith (?:UTF8)?(E?SMTPS?A?)\b", received)[1] if relay else "ESMTP",
            "sender": message.mail_from,
            "from": message.header("From"),
            "subject": message.header("Subject"),
            "route": message.header("X-Waybill-Route"),
            "pace": self.pace(),
            "webhook": message.header("X-Waybill-Webhook"),
        }


@pytest.fixture(scope="module", params=("postfix", "sendmail"))
def running_world(request, programs, sendmail_here):
    need(Pop3.missing(), *(AuthRelay.missing(sasl) for sasl, *_ in RELAYS.values()))
    with Lab() as lab:
        yield World(lab, request.param)


@pytest.fixture
def world(running_world):
    running_world.clear()
    running_world.gate.close()
    running_world.state.unlink(missing_ok=True)
    return running_world


def carry_out(world, run):
    """Postfix works by what the command left, when this returns."""
    old, reloads = world.mx.workers(), world.mx.reloads()
    done = world.waybill.tool(run.arguments[0], *run.arguments[1:], ok=None)
    said = done.stdout + done.stderr
    assert done.returncode == run.status, said
    assert [text for text in run.prints if text not in said] == [], said
    if world.mx.reloads() > reloads:
        world.mx.age()
        world.mx.wait_for_end_of(old)


def check(world, act):
    """What was sent, or what a command sent, is where it should be."""
    world.clear()
    if isinstance(act, Sending):
        world.send(act)
    else:
        carry_out(world, act)
    world.settle(act.waits)
    arrived = world.arrived()
    assert set(arrived) == set(act.arrives)
    for recipient, expected in act.arrives.items():
        facts = world.facts(*arrived[recipient])
        assert {key: facts[key] for key in expected} == expected
        if facts["place"] != "webhook":
            assert "waybill.invalid" not in arrived[recipient][1].text
    reasons = {r["address"]: r["delay_reason"] for m in world.mx.queued() for r in m["recipients"]}
    waits = act.sendmail if world.mx.kind == "sendmail" else act.waits
    assert len(reasons) == len(waits)
    for recipient, wanted in waits.items():
        reason, = (why for address, why in reasons.items() if address.startswith(recipient))
        assert re.search(wanted, reason), reason


def marked(scenario):
    """What Sendmail does not have stands in a scenario as a word of its own."""
    marks = [pytest.mark.only_postfix(scenario.only_postfix)] if scenario.only_postfix else []
    return pytest.param(scenario, id=scenario.name, marks=marks)


@pytest.mark.parametrize("scenario", map(marked, SCENARIOS))
def test_scenario(world, scenario):
    world.configure(scenario)
    checked = world.waybill.tool("check", ok=None)
    if scenario.refused:
        assert checked.returncode == 78 and scenario.refused in checked.stderr, checked.stderr
        return
    assert checked.returncode == 0, checked.stderr
    world.waybill.apply()
    world.waybill.reload()
    for act in scenario.acts:
        check(world, act)
