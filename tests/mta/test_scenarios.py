"""Every example of the seeds, on real servers: see scenario.py for the table.

The providers are two submission servers: `provider`, with Dovecot's SASL and
an account for each template, and `office`, with Cyrus SASL and every mechanism
that a customer's server may ask for. `vendor` is a relay without log-in, and
`direct` is where mail goes that waybill leaves alone.
"""

import re
import shutil

import pytest

from lab import AuthRelay, Lab, build_directory, letter
from prerequisites import need
from scenario import everything

PROVIDER = {name: f"password of {name}" for name in (
    "shop@gmail.example", "shop-yahoo", "shop@icloud.example", "shop-docomo-id", "shop-au",
    "shop-softbank", "apikey")}
OFFICE = {name: f"password of {name}" for name in ("customer", "zaion", "admin")}
SINKS = ("vendor", "bulk", "direct")
RELAYS = {"provider": ("dovecot", "PLAIN LOGIN CRAM-MD5", PROVIDER),
          "office": ("cyrus", "PLAIN LOGIN CRAM-MD5 NTLM", OFFICE)}
LISTENER = "campaign"

SCENARIOS = everything()


class World:
    """One MTA with waybill, and all that it may send to."""

    def __init__(self, lab, kind):
        self.lab = lab
        self.sinks = {name: lab.sink(name) for name in (*SINKS, *RELAYS)}
        self.relays = {
            name: lab.authrelay(f"{name}-relay", accounts, self.sinks[name], sasl=sasl,
                                mechanisms=mechanisms)
            for name, (sasl, mechanisms, accounts) in RELAYS.items()}
        # Sendmail has one file of CAs for all relays
        self.ca_file = lab.dir / "cas.pem"
        self.ca_file.write_text("".join(r.ca_file.read_text() for r in self.relays.values()))
        direct = self.sinks["direct"].nexthop
        self.mx = lab.mta(kind, "mx", relay=direct, ca_file=self.ca_file, listeners=[LISTENER])
        self.waybill = lab.waybill(self.mx, "", relayhosts=[direct])
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
            re.sub(r"\{((?:sink|port|nexthop|relay|open|ssl|account|password) [^{}]+)\}",
                   self.place, scenario.text))

    def _sink(self, name):
        return f'host = "[127.0.0.1]"  port = {self.sinks[name].port}'

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

    def _account(self, name, password=None):
        return f'username = "{name}"  {self._password(name, password)}'

    def _password(self, name, password=None):
        right = {**PROVIDER, **OFFICE}[name]
        file = self.waybill.password(f"{name}-{password or 'right'}", password or right)
        return f'password_file = "{file}"'

    # mail

    def clear(self):
        self.mx.empty_queue()
        for sink in self.sinks.values():
            sink.clear()

    def send(self, sending):
        text = letter(sending.sender, ", ".join(sending.recipients), headers=sending.headers)
        if sending.by_sendmail:
            assert self.mx.sendmail(text, sender=sending.sender).returncode == 0
            return
        port = self.mx.listeners[sending.listener] if sending.listener else None
        reply = self.mx.send(sending.sender, sending.recipients, text, port=port)
        assert set(reply.all_codes()) == {250}, reply

    def settle(self, waiting):
        """Until everything that leaves has left."""
        if waiting:
            self.mx.wait_for_deferred()
        else:
            self.mx.wait_until_empty()
        for relay in self.relays.values():
            relay.postfix.wait_until_empty()

    def arrived(self):
        """{recipient: (place, message)}; nobody gets anything twice."""
        found = {}
        for place, sink in self.sinks.items():
            for message in sink.messages:
                for recipient in message.rcpt_to:
                    assert recipient not in found, f"{recipient} got it twice"
                    found[recipient] = (place, message)
        return found

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
            "route": message.header("X-Waybill-Route"),
        }


@pytest.fixture(scope="module", params=("postfix", "sendmail"))
def running_world(request, programs, sendmail_here):
    need(*(AuthRelay.missing(sasl) for sasl, *_ in RELAYS.values()))
    with Lab() as lab:
        yield World(lab, request.param)


@pytest.fixture
def world(running_world):
    running_world.clear()
    return running_world


def check_sending(world, sending):
    world.clear()
    world.send(sending)
    world.settle(sending.waits)
    arrived = world.arrived()
    assert set(arrived) == set(sending.arrives)
    for recipient, expected in sending.arrives.items():
        facts = world.facts(*arrived[recipient])
        assert {key: facts[key] for key in expected} == expected
        assert "waybill.invalid" not in arrived[recipient][1].text
    reasons = {r["address"]: r["delay_reason"] for m in world.mx.queued() for r in m["recipients"]}
    waits = sending.sendmail if world.mx.kind == "sendmail" else sending.waits
    assert len(reasons) == len(waits)
    for recipient, wanted in waits.items():
        reason, = (why for address, why in reasons.items() if address.startswith(recipient))
        assert re.search(wanted, reason), reason


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_scenario(world, scenario):
    world.configure(scenario)
    checked = world.waybill.tool("check", ok=None)
    if scenario.refused:
        assert checked.returncode == 78 and scenario.refused in checked.stderr, checked.stderr
        return
    assert checked.returncode == 0, checked.stderr
    world.waybill.apply()
    world.waybill.reload()
    for arguments, texts in scenario.runs:
        said = world.waybill.tool(arguments[0], *arguments[1:]).stdout
        assert [text for text in texts if text not in said] == [], said
    for sending in scenario.sendings:
        check_sending(world, sending)
