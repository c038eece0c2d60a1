"""Throwaway real mail servers on loopback, for the tests and for `make demo`.

Every server has a directory, ports and processes of its own, is ready when
its start() returns, and is gone when its stop() returns.

    with Lab() as lab:
        relay = lab.sink("docomo")
        mx = lab.postfix("mx", main={"relayhost": relay.nexthop})
        mx.send("info@example.com", ["a@docomo.ne.jp"])
        relay.wait_for(1)

What is received is kept as it came over the wire, so that a test can say
exactly what must have arrived.
"""

from .authrelay import AuthRelay
from .basics import (LabError, build_directory, free_port, missing_for_postfix,
                     run, wait_for)
from .dkim import OpenDKIM
from .lab import Lab
from .mta import letter
from .pop3 import Pop3
from .postfix import Postfix
from .sendmail import Sendmail
from .sink import Message, Sink
from .waybill import Waybill

__all__ = ["AuthRelay", "Lab", "LabError", "Message", "OpenDKIM", "Pop3", "Postfix",
           "Sendmail", "Sink", "Waybill", "build_directory", "free_port", "letter",
           "missing_for_postfix", "run", "wait_for"]
