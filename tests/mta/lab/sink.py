"""A relay that keeps what it gets: an SMTP or LMTP server in a thread.

Postfix's own smtp-sink knows neither SMTPUTF8 nor a reply for one recipient
alone, and both are needed here; so this speaks just enough of RFC 5321, 2033,
3461 and 6531, and keeps each command's arguments untouched.
"""

import asyncio
import email.parser
import email.policy
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from .basics import LabError, free_port, tail


@dataclass
class Message:
    """One transaction as it came over the wire."""
    mail_from: str                # without "<>"; "" is the null sender
    mail_args: dict = field(default_factory=dict)   # {"ENVID": "x", "BODY": ...}
    recipients: list = field(default_factory=list)  # [(address, args), ...]
    data: bytes = b""             # header and body, dots unstuffed
    time_s: float = 0.0           # when it was taken, by time.monotonic()

    @property
    def rcpt_to(self):
        """The recipients alone, in the order of their RCPT commands."""
        return [address for address, _ in self.recipients]

    @property
    def text(self):
        return self.data.decode("utf-8", "surrogateescape")

    @property
    def parsed(self):
        policy = email.policy.default.clone(utf8=True)
        return email.parser.BytesParser(policy=policy).parsebytes(self.data)

    def headers(self, name):
        """Every value of a header, unfolded, in the order of the message."""
        head = re.split(r"\r?\n\r?\n", self.text, maxsplit=1)[0]
        head = re.sub(r"\r?\n([ \t])", r"\1", head)
        found = []
        for line in head.splitlines():
            key, colon, value = line.partition(":")
            if colon and key.strip().lower() == name.lower():
                found.append(value.strip())
        return found

    def header(self, name):
        """The one value of a header; None without it."""
        values = self.headers(name)
        if len(values) > 1:
            raise LabError(f"{name} stands {len(values)} times: {values}")
        return values[0] if values else None

    @property
    def body(self):
        parts = re.split(r"\r?\n\r?\n", self.text, maxsplit=1)
        return parts[1] if len(parts) == 2 else ""


class Sink:
    """A relay (TCP) or LMTP receiver (unix socket).

    refuse() makes it answer single recipients, or all of them, as told;
    greeting and verdict are what it says first, and of a message's text; with
    None it breaks off there. While held is true, it makes each message wait;
    waiting is how many there are, most_waiting how many there were at most.
    """

    extensions = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN",
                  "ENHANCEDSTATUSCODES", "SIZE 50000000")

    def __init__(self, name, *, lmtp_socket=None):
        self.name = name
        self.socket = Path(lmtp_socket) if lmtp_socket else None
        self.port = None if lmtp_socket else free_port()
        self.greeting = f"220 {name}.relay.invalid ESMTP"
        self.verdict = "250 2.0.0 Ok"
        self.held = False
        self.waiting = self.most_waiting = 0
        self._changed = threading.Condition()
        self._messages = []
        self._refusals = {}
        self._loop = None
        self._thread = None
        self._tasks = set()

    # what it got

    @property
    def nexthop(self):
        return f"[127.0.0.1]:{self.port}"

    @property
    def messages(self):
        with self._changed:
            return list(self._messages)

    @property
    def rcpt_to(self):
        """Every recipient of every message so far."""
        return [a for m in self.messages for a in m.rcpt_to]

    def clear(self):
        """Forget the messages and the refusals."""
        with self._changed:
            self._messages.clear()
            self._refusals.clear()

    def wait_for(self, count, timeout=15.0, log=None):
        """The messages, once there are at least count of them."""
        return self.wait_until(lambda got: len(got) >= count, timeout,
                               f"{count} messages", log)

    def wait_for_recipients(self, count, timeout=15.0, log=None):
        """The messages, once they have at least count recipients together."""
        return self.wait_until(
            lambda got: sum(len(m.recipients) for m in got) >= count, timeout,
            f"{count} recipients", log)

    def wait_until(self, wanted, timeout=15.0, what="what was wanted", log=None):
        end = time.monotonic() + timeout
        with self._changed:
            while not wanted(self._messages):
                left = end - time.monotonic()
                if left <= 0:
                    got = [m.rcpt_to for m in self._messages]
                    raise LabError(f"{self.name}: after {timeout:g} s not "
                                   f"{what}, but {got}" + tail(log))
                self._changed.wait(left)
            return list(self._messages)

    # what it says

    def refuse(self, reply, recipient="*"):
        """Answer RCPT for that recipient with reply, such as "550 5.1.1 no"."""
        with self._changed:
            self._refusals[recipient.lower()] = reply

    def accept(self):
        """Refuse nothing any more."""
        with self._changed:
            self._refusals.clear()

    def _rcpt_reply(self, address):
        with self._changed:
            return (self._refusals.get(address.lower())
                    or self._refusals.get("*") or "250 2.1.5 Ok")

    # its life

    def start(self):
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,),
                                        name=f"sink-{self.name}", daemon=True)
        self._thread.start()
        if not started.wait(10):
            raise LabError(f"{self.name}: did not start")
        return self

    def stop(self):
        if self._loop:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop = None
        if self.socket:
            self.socket.unlink(missing_ok=True)

    def _run(self, started):
        self._loop = loop = asyncio.new_event_loop()
        if self.socket:
            serve = asyncio.start_unix_server(self._session, str(self.socket))
        else:
            serve = asyncio.start_server(self._session, "127.0.0.1", self.port,
                                         backlog=256)
        server = loop.run_until_complete(serve)
        if self.socket:
            self.socket.chmod(0o666)
        started.set()
        loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    async def _session(self, reader, writer):
        try:
            await _Session(self, reader, writer).serve()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def _keep(self, message):
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()


class _Session:
    """One connection to a sink."""

    def __init__(self, sink, reader, writer):
        self.sink, self.reader, self.writer = sink, reader, writer
        self.message = None

    def say(self, line):
        self.writer.write(line.encode() + b"\r\n")

    async def wait(self):
        sink = self.sink
        sink.waiting += 1
        sink.most_waiting = max(sink.most_waiting, sink.waiting)
        try:
            while sink.held:
                await asyncio.sleep(0.01)
        finally:
            sink.waiting -= 1

    def say_or_break_off(self, line):
        if line is None:
            raise ConnectionError("broken off")
        self.say(line)

    async def serve(self):
        greeting = self.sink.greeting
        self.say_or_break_off(greeting)
        while greeting.startswith("2"):
            await self.writer.drain()
            line = await self.reader.readline()
            if not line:
                return
            verb, _, rest = line.decode("utf-8", "surrogateescape").strip().partition(" ")
            verb = verb.upper()
            if verb == "QUIT":
                self.say("221 2.0.0 Bye")
                await self.writer.drain()
                return
            await self.command(verb, rest)

    async def command(self, verb, rest):
        if verb in ("EHLO", "LHLO", "HELO"):
            self.greet()
        elif verb == "MAIL":
            address, args = path_and_args(rest)
            self.message = Message(address, args)
            self.say("250 2.1.0 Ok")
        elif verb == "RCPT":
            self.recipient(rest)
        elif verb == "DATA":
            await self.data()
        elif verb in ("RSET", "NOOP"):
            self.message = None if verb == "RSET" else self.message
            self.say("250 2.0.0 Ok")
        else:
            self.say("502 5.5.1 not known here")

    def greet(self):
        lines = (f"{self.sink.name}.relay.invalid",) + tuple(self.sink.extensions)
        for line in lines[:-1]:
            self.say("250-" + line)
        self.say("250 " + lines[-1])

    def recipient(self, rest):
        address, args = path_and_args(rest)
        reply = self.sink._rcpt_reply(address)
        if reply.startswith("2"):
            self.message.recipients.append((address, args))
        self.say(reply)

    async def data(self):
        if not self.message or not self.message.recipients:
            self.say("554 5.5.1 no valid recipients")
            return
        self.say("354 go on")
        await self.writer.drain()
        lines = []
        while (line := await self.reader.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        message, self.message = self.message, None
        message.data = b"".join(lines)
        await self.wait()
        message.time_s = time.monotonic()
        verdict = self.sink.verdict
        if verdict and verdict.startswith("2"):
            self.sink._keep(message)
        for _ in message.recipients if self.sink.socket else (None,):
            self.say_or_break_off(verdict)


def path_and_args(rest):
    """Split "FROM:<path> A=b C" into the address and {"A": "b", "C": ""}."""
    rest = rest.partition(":")[2].strip()
    end = end_of_path(rest)
    args = {}
    for word in rest[end + 1:].split():
        name, _, value = word.partition("=")
        args[name.upper()] = value
    return rest[1:end], args


def end_of_path(text):
    """The place of the ">" that ends a path; a quoted local part may hold
    one too."""
    quoted = False
    i = 0
    while i < len(text):
        if text[i] == "\\":
            i += 1
        elif text[i] == '"':
            quoted = not quoted
        elif text[i] == ">" and not quoted:
            return i
        i += 1
    return len(text)
