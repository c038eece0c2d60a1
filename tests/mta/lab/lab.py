"""A temporary directory, and every server that a test starts in it."""

import shutil
import tempfile
from pathlib import Path

from .authrelay import AuthRelay
from .dkim import OpenDKIM
from .pop3 import Pop3
from .postfix import Postfix
from .sendmail import Sendmail
from .sink import Sink
from .waybill import Waybill


class Lab:
    """Starts servers and ends all of them, the youngest first."""

    def __init__(self, keep=False):
        self.dir = Path(tempfile.mkdtemp(prefix="waybill-lab-", dir="/tmp"))
        self.dir.chmod(0o755)      # Postfix's own users have to get through
        self._keep = keep
        self._servers = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        failures = []
        while self._servers:
            try:
                self._servers.pop().stop()
            except Exception as failure:    # the others must end as well
                failures.append(failure)
        if not self._keep:
            shutil.rmtree(self.dir, ignore_errors=True)
        if failures:
            raise failures[0]

    def adopt(self, server):
        """End this server with the lab."""
        self._servers.append(server)
        return server

    def sink(self, name):
        return self.adopt(Sink(name)).start()

    def lmtp(self, name, path):
        return self.adopt(Sink(name, lmtp_socket=path)).start()

    def postfix(self, name, *, start=True, **options):
        server = self.adopt(Postfix(self.dir / name, name, **options))
        return server.start() if start else server

    def sendmail(self, name, *, start=True, **options):
        server = self.adopt(Sendmail(self.dir / name, name, **options))
        return server.start() if start else server

    def mta(self, way, name, *, relay, ca_file=None, start=True, **options):
        """A Sendmail if way is "sendmail", or else a Postfix. relay: where it
        sends what has no other way, a nexthop; ca_file: what Sendmail, which
        has but one for all relays, verifies them by; options: what both have,
        as listeners and aliases."""
        if way == "sendmail":
            return self.sendmail(name, start=start, relay=relay, ca_file=ca_file, **options)
        return self.postfix(name, start=start, main={"relayhost": relay}, **options)

    def authrelay(self, name, accounts, sink, **options):
        return self.adopt(AuthRelay(self.dir / name, name, accounts, sink, **options)).start()

    def dkim(self, name, domain):
        return self.adopt(OpenDKIM(self.dir / name, domain)).start()

    def pop3(self, name, accounts, **options):
        return self.adopt(Pop3(self.dir / name, accounts, **options)).start()

    def waybill(self, mta, text, **options):
        """Write waybill's files for that MTA; nothing is started yet."""
        return self.adopt(Waybill(self.dir / "waybill", mta, text, **options))
