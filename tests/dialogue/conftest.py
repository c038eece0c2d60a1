"""Fixtures: a directory with a short name, and daemons that end with the test."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "mta")]    # the latter for its lab

from lab import free_port as lab_free_port  # noqa: E402
from lab.endpoint import Receiver         # noqa: E402
from lmtp import LmtpDaemon, webhook      # noqa: E402
from milter import Milter                 # noqa: E402
from waybill_daemon import ROUTES, Daemon  # noqa: E402


@pytest.fixture
def directory():
    """Short, because a socket's path has at most 107 octets, and open to all,
    because the daemon may become another user."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="wb-dialogue-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def make_daemon(build, directory):
    """make_daemon(text, **options): configured, not started."""
    made = []

    def make(text=ROUTES, **options):
        made.append(Daemon(build, directory, text, **options))
        return made[-1]

    yield make
    for daemon in made:
        daemon.end()


@pytest.fixture
def daemon(make_daemon):
    return make_daemon().start()


@pytest.fixture
def mta(daemon):
    """An MTA that has negotiated, connected from 127.0.0.1 and said HELO."""
    with Milter(daemon.socket) as m:
        yield m.greet()


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    """The environment that puts probe.c into a daemon."""
    path = tmp_path_factory.mktemp("probe") / "probe.so"
    subprocess.run(["cc", "-std=gnu17", "-Wall", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", path,
                    HERE / "probe.c", "-ldl"], check=True, timeout=120)
    asan = os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": str(path),
            "ASAN_OPTIONS": ":".join(filter(None, (asan, "verify_asan_link_order=0")))}


@pytest.fixture
def free_port():
    return lab_free_port()


@pytest.fixture
def receiver():
    """What webhooks post to."""
    made = Receiver().start()
    yield made
    made.stop()


@pytest.fixture
def make_lmtp(build, directory):
    """make_lmtp(text): waybill-lmtp configured, not started."""
    made = []

    def make(text):
        made.append(LmtpDaemon(build, directory, text))
        return made[-1]

    yield make
    for daemon in made:
        daemon.end()


@pytest.fixture
def lmtpd(make_lmtp, receiver):
    """waybill-lmtp at work, with the webhook "crm"."""
    return make_lmtp(webhook("crm", receiver.url(), 'signing_key_file = "keys"')).start()
