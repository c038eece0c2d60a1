"""The MTA's side of the milter protocol, packet by packet.

A packet is a length (4 octets, network order), a command octet and data. The
client sends macros before every event, as Postfix does, leaves out the events
that the filter asked it to leave out, and reads no reply where the filter
said that it would not send one. raw() and packet() break every rule.
"""

import socket
import struct

ACTIONS = {"ADDHDRS": 0x1, "CHGBODY": 0x2, "ADDRCPT": 0x4, "DELRCPT": 0x8, "CHGHDRS": 0x10,
           "QUARANTINE": 0x20, "CHGFROM": 0x40, "ADDRCPT_PAR": 0x80, "SETSYMLIST": 0x100}
ALL_ACTIONS = 0x1FF
STEPS = {"NOCONNECT": 0x1, "NOHELO": 0x2, "NOMAIL": 0x4, "NORCPT": 0x8, "NOBODY": 0x10,
         "NOHDRS": 0x20, "NOEOH": 0x40, "NR_HDR": 0x80, "NOUNKNOWN": 0x100, "NODATA": 0x200,
         "SKIP": 0x400, "RCPT_REJ": 0x800, "NR_CONN": 0x1000, "NR_HELO": 0x2000,
         "NR_MAIL": 0x4000, "NR_RCPT": 0x8000, "NR_DATA": 0x10000, "NR_UNKN": 0x20000,
         "NR_EOH": 0x40000, "NR_BODY": 0x80000, "HDR_LEADSPC": 0x100000}
ALL_STEPS = 0x1FFFFF

# event: (the bit that leaves it out, the bit that leaves out its reply)
BITS = {"C": ("NOCONNECT", "NR_CONN"), "H": ("NOHELO", "NR_HELO"), "M": ("NOMAIL", "NR_MAIL"),
        "R": ("NORCPT", "NR_RCPT"), "T": ("NODATA", "NR_DATA"), "L": ("NOHDRS", "NR_HDR"),
        "N": ("NOEOH", "NR_EOH"), "B": ("NOBODY", "NR_BODY"), "U": ("NOUNKNOWN", "NR_UNKN")}

CONTINUE, REJECT, TEMPFAIL = ("c",), ("r",), ("t",)


class Closed(Exception):
    """The filter closed the connection."""


def encode(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def strings(*items):
    return b"".join(encode(item) + b"\0" for item in items)


def decode(command, data):
    """A packet of the filter as a tuple: ("y", "550 5.7.1 text"),
    ("m", 2, "X-Name", "") and so on."""
    text = data.decode("utf-8", "surrogateescape")
    if command == "m":
        return (command, struct.unpack("!I", data[:4])[0],
                *data[4:].decode("utf-8", "surrogateescape").split("\0")[:-1])
    if not data:
        return (command,)
    assert text.endswith("\0"), f"{command}: {data!r} does not end in NUL"
    return (command, *text.split("\0")[:-1])


class Milter:
    """One connection to the filter. address: a path or (host, port)."""

    def __init__(self, address, timeout=20):
        family = socket.AF_UNIX
        if isinstance(address, tuple):
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(address if isinstance(address, tuple) else str(address))
        self.actions = self.steps = 0
        self.symbols = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # packets

    def raw(self, octets):
        self.socket.sendall(octets)

    def packet(self, command, data=b""):
        self.raw(struct.pack("!I", len(data) + 1) + command.encode() + data)

    def _octets(self, count):
        got = b""
        while len(got) < count:
            try:
                more = self.socket.recv(count - len(got))
            except ConnectionResetError:
                more = b""
            if not more:
                raise Closed
            got += more
        return got

    def read(self):
        length = struct.unpack("!I", self._octets(4))[0]
        body = self._octets(length)
        return body[:1].decode(), body[1:]

    def reply(self):
        return decode(*self.read())

    def is_closed(self):
        """Wait for the filter to close; what it sends before is an error."""
        try:
            packet = self.reply()
        except Closed:
            return True
        raise AssertionError(f"a packet instead of the end: {packet}")

    # negotiation

    def negotiate(self, version=6, actions=ALL_ACTIONS, steps=ALL_STEPS):
        self.packet("O", struct.pack("!III", version, actions, steps))
        command, data = self.read()
        assert command == "O", (command, data)
        self.version, self.actions, self.steps = struct.unpack("!III", data[:12])
        self._read_symbols(data[12:])
        assert self.actions & ~actions == 0, "asks for an action that is not offered"
        assert self.steps & ~steps == 0, "asks for a step that is not offered"
        return self

    def _read_symbols(self, data):
        while data:
            stage = struct.unpack("!I", data[:4])[0]
            names, data = data[4:].split(b"\0", 1)
            self.symbols[stage] = names.decode().split()

    def has(self, *names):
        return all(self.steps & STEPS[name] for name in names)

    # events

    def macros(self, command, macros):
        if macros is not None:
            self.packet("D", command.encode() + strings(*(w for kv in macros.items() for w in kv)))

    def event(self, command, data=b"", macros=None):
        """Send it, unless it is to be left out. Returns the reply, or None
        where none comes."""
        left_out, silent = (STEPS[bit] for bit in BITS[command])
        if self.steps & left_out:
            return None
        self.macros(command, macros)
        self.packet(command, data)
        return None if self.steps & silent else self.reply()

    def connect(self, client="127.0.0.1", daemon="smtpd", **macros):
        family = b"6" if ":" in client else b"4"
        given = {"j": "mx.example.com", "{daemon_name}": daemon, "{client_addr}": client}
        given.update({"{%s}" % k: v for k, v in macros.items()})
        return self.event("C", strings("client.example.com") + family
                          + struct.pack("!H", 40000) + strings(client), given)

    def helo(self, name="client.example.com"):
        return self.event("H", strings(name), {})

    def mail(self, sender, *esmtp, login=None, macros=None):
        given = {"{mail_addr}": sender.strip("<>") if isinstance(sender, str) else ""}
        if login:
            given["{auth_authen}"] = login
        return self.event("M", strings(sender, *esmtp), given if macros is None else macros)

    def rcpt(self, recipient, *esmtp, mailer="smtp", host=None, macros=None):
        if macros is None:
            address = recipient.strip("<>") if isinstance(recipient, str) else ""
            macros = {"i": "4F2A", "{rcpt_addr}": address, "{rcpt_mailer}": mailer,
                      "{rcpt_host}": address.rpartition("@")[2] if host is None else host}
        return self.event("R", strings(recipient, *esmtp), macros)

    def header(self, name, value):
        return self.event("L", strings(name, value))

    def data(self):
        return self.event("T", macros={"i": "4F2A"})

    def end_of_headers(self):
        return self.event("N", macros={"i": "4F2A"})

    def body(self, octets=b"text\r\n"):
        return self.event("B", octets)

    def end(self):
        """The end of the message. Returns what the filter wants done, and its
        verdict."""
        self.macros("E", {"i": "4F2A"})
        self.packet("E")
        wanted = []
        while True:
            packet = self.reply()
            if packet[0] in "crtyad":
                return wanted, packet
            wanted.append(packet)

    def abort(self):
        self.packet("A")

    def quit(self):
        self.packet("Q")

    # all of it

    def greet(self, **connect):
        self.negotiate()
        self.connect(**connect)
        self.helo()
        return self

    def message(self, sender, recipients, headers=(), **mail):
        """From MAIL to the end; replies on the way must be "continue"."""
        replies = [self.mail(sender, **mail)]
        replies += [self.rcpt(recipient) for recipient in recipients]
        replies.append(self.data())
        replies += [self.header(*header) for header in headers]
        replies += [self.end_of_headers(), self.body()]
        assert set(replies) <= {None, CONTINUE}, replies
        return self.end()
