"""A temporary directory, and every server that a test starts in it."""

import shutil
import tempfile
from pathlib import Path

from .authrelay import AuthRelay
from .dkim import OpenDKIM
from .pop3 import Pop3
from .postfix import Postfix
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

    def authrelay(self, name, accounts, sink, **options):
        return self.adopt(AuthRelay(self.dir / name, name, accounts, sink, **options)).start()

    def dkim(self, name, domain):
        return self.adopt(OpenDKIM(self.dir / name, domain)).start()

    def pop3(self, name, accounts, **options):
        return self.adopt(Pop3(self.dir / name, accounts, **options)).start()

    def waybill(self, postfix, text, **options):
        """Write waybill's files for that Postfix; nothing is started yet."""
        return self.adopt(Waybill(self.dir / "waybill", postfix, text, **options))
