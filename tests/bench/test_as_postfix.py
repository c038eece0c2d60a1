"""The load of `make bench` gives a filter what a real Postfix gives it."""

import itertools
import subprocess

import pytest

from filters import build_directory, wait_for
from lab import Lab, missing_for_postfix
from recorder import Recorder

ALL_SILENT = 0x80 | 0x1000 | 0x4000 | 0x8000 | 0x80000
# What waybill asks for on unix and on inet sockets, and where it may reject a
# recipient; and what a filter has that asks for nothing.
STEPS = {"unix": ALL_SILENT | 0x352, "inet": ALL_SILENT | 0x40112,
         "early": (ALL_SILENT & ~0x8000) | 0x352, "nothing": 0}


@pytest.fixture(name="recorder", params=STEPS.values(), ids=STEPS.keys())
def fixture_recorder(request):
    recorder = Recorder(request.param)
    yield recorder
    recorder.stop()


def shape(packets):
    """However many headers there were: one. The last ABORTs and QUIT differ
    by what the client does."""
    end = max(i for i, packet in enumerate(packets) if packet == "E")
    kept = packets[:end + 1]
    return [key for key, _ in itertools.groupby(
        "header" if packet == "L" or packet.startswith("D L") else packet for packet in kept)]


def by_postfix(recorder):
    with Lab() as lab:
        sink = lab.sink("relay")
        mx = lab.postfix("mx", main={"relayhost": sink.nexthop,
                                     "smtpd_milters": f"inet:127.0.0.1:{recorder.port}"})
        with mx.connect() as smtp:
            for _ in range(2):
                assert mx.send("info@example.com", ["a@d1.test", "b@d1.test"],
                               smtp=smtp).code == 250
        # the lab's own looks at the port are connections, too
        return shape(next(c for c in recorder.connections if c.count("E") == 2))


def by_load(recorder):
    recorder.connections.clear()
    subprocess.run([build_directory() / "bench/load", "-n", "2", "-c", "1", "-r", "2",
                    f"inet:{recorder.port}@127.0.0.1"], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)
    wait_for("the end of the load", lambda: recorder.connections[0][-1] == "Q")
    return shape(recorder.connections[0])


def test_the_load_is_what_postfix_sends(recorder):
    missing = missing_for_postfix()
    if missing:
        pytest.skip(missing)
    assert by_load(recorder) == by_postfix(recorder)
