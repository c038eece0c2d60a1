"""What every mail server of the lab has: a log, mailboxes, mail sent into it."""

import email.utils
import re
import shutil
import smtplib
import time
from dataclasses import dataclass, field
from pathlib import Path

from .basics import LabError, free_port, wait_for


@dataclass
class Reply:
    """What the server said to one submission."""
    recipients: dict = field(default_factory=dict)  # address -> (code, text)
    final: tuple = (0, "")    # the reply to MAIL if refused, else to DATA's end

    @property
    def code(self):
        return self.final[0]

    @property
    def text(self):
        return self.final[1]

    @property
    def queue_id(self):
        found = re.search(r"queued as (\S+)|(\S+) Message accepted for delivery", self.text)
        return found.group(1) or found.group(2) if found else None

    def all_codes(self):
        """Every code that was given, in order."""
        return [code for code, _ in self.recipients.values()] + [self.code]


def letter(sender, to, subject="A letter", body="Text.\r\n", headers=()):
    """A message text. headers: more of them, as (name, value)."""
    lines = [f"From: {sender}", f"To: {to}", f"Subject: {subject}",
             f"Date: {email.utils.formatdate()}",
             f"Message-ID: {email.utils.make_msgid(domain='lab.invalid')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines) + "\r\n\r\n" + body


class Mta:
    """A mail server below directory. What its kinds add:

    connect(), log_in(), sendmail(), start(), stop(), queued(), wait_until_empty(),
    wait_for_deferred(), flush(), empty_queue(); and for Waybill kind, group,
    outbound_mailer, sockets, written(), options() and being_installed_into().
    """

    LOCAL_USERS = ("games", "news")

    def __init__(self, directory, name, domain, listeners=()):
        """listeners: names of more SMTP services; listeners[name] is the port."""
        self.dir, self.name, self.domain = Path(directory), name, domain
        self.port = free_port()
        self.listeners = {listener: free_port() for listener in listeners}
        self.etc, self.queue = self.dir / "etc", self.dir / "q"
        self.log = self.dir / "log" / "maillog"
        self.maildir = self.dir / "mail"
        self.running = False

    def forward(self, user, text):
        """Give a local user a .forward file."""
        path = self.dir / "forward" / user
        path.write_text(text)
        shutil.chown(path, user)

    @staticmethod
    def attach(way):
        """What waybill.conf says of a way to attach waybill: the same, but in
        Sendmail, which has one alone."""
        return "before_queue" if way == "sendmail" else way

    def trust(self, ca_file):
        """Have what verifies all relays alike, where there is such a thing."""

    def environment(self):
        """What waybill's tool is told of this instance by its environment."""
        return {}

    # its log

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_lines(self, *wanted):
        """The log's lines that hold every word of wanted."""
        return [line for line in self.log_text().splitlines()
                if all(word in line for word in wanted)]

    def wait_for_log(self, *wanted, timeout=15.0):
        return wait_for(f"log line with {' and '.join(wanted)}",
                        lambda: self.log_lines(*wanted), timeout, self.log)

    # its queue

    def retry_until_empty(self, timeout=30.0):
        """Flush again and again: after failures an MTA rests a destination,
        and defers what it finds then without trying it."""
        end = time.monotonic() + timeout
        while True:
            self.flush()
            try:
                return self.wait_until_empty(1)
            except LabError:
                if time.monotonic() > end:
                    raise

    # its mailboxes

    def mailbox(self, name):
        """The texts in a local or virtual mailbox, in no order."""
        new = self.maildir / name / "new"
        return [p.read_text(errors="replace") for p in new.iterdir()] if new.exists() else []

    def wait_for_mailbox(self, name, count=1, timeout=15.0):
        return wait_for(f"{count} messages in mailbox {name}",
                        lambda: (got := self.mailbox(name)) and len(got) >= count and got,
                        timeout, self.log)

    def empty_mailboxes(self):
        for new in list(self.maildir.glob("*/new")) + list(self.maildir.glob("*/*/new")):
            for path in new.iterdir():
                path.unlink()

    # mail into it

    def connect(self, client=None, port=None):
        """An SMTP connection; client: the address that the MTA is to believe
        it comes from."""
        raise NotImplementedError

    def send(self, sender, recipients, text=None, *, client=None, port=None,
             mail_options=(), rcpt_options=None, smtp=None):
        """Submit one message by SMTP.

        recipients:   addresses, given to RCPT exactly so, inside "<>".
        rcpt_options: {address: ["NOTIFY=...", ...]}, or one list for all.
        Returns a Reply; a refusal is no error here.
        """
        if text is None:
            text = letter(sender or "MAILER-DAEMON@lab.invalid", ", ".join(recipients))
        session = smtp or self.connect(client, port)
        try:
            return self._transaction(session, sender, recipients, text,
                                     list(mail_options), rcpt_options or {})
        finally:
            if smtp is None:
                quietly(session.quit)

    def _transaction(self, smtp, sender, recipients, text, options, rcpt_options):
        reply = Reply()
        if not "".join([sender, *recipients]).isascii() and "SMTPUTF8" not in options:
            options.append("SMTPUTF8")
        encoding = "utf-8" if "SMTPUTF8" in options else "ascii"
        smtp.command_encoding = encoding
        code, said = smtp.docmd("MAIL", " ".join([f"FROM:<{sender}>", *options]))
        if code != 250:
            reply.final = (code, said.decode())
            return reply
        for address in recipients:
            more = rcpt_options.get(address, []) if isinstance(rcpt_options, dict) else rcpt_options
            code, said = smtp.docmd("RCPT", " ".join([f"TO:<{address}>", *more]))
            reply.recipients[address] = (code, said.decode())
        if not any(code == 250 for code, _ in reply.recipients.values()):
            reply.final = next(iter(reply.recipients.values()))
            smtp.rset()
            return reply
        try:
            code, said = smtp.data(text if isinstance(text, bytes) else text.encode())
        except smtplib.SMTPDataError as refused:    # DATA itself was
            code, said = refused.smtp_code, refused.smtp_error
            smtp.rset()
        reply.final = (code, said.decode())
        return reply


def quietly(function):
    try:
        function()
    except (smtplib.SMTPException, OSError):
        pass
