"""Fixtures: a site for each way of attaching, and what must be there.

Tests that take `way` or `site` run in Postfix, before and after its queue, and
in Sendmail. What only one of them has is marked with
pytest.mark.only_postfix(why) or only_sendmail(why).
"""

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lab import Sendmail, Waybill, missing_for_postfix   # noqa: E402
from mailsite import Site                      # noqa: E402
from prerequisites import need                 # noqa: E402

ATTACH = ("before_queue", "after_queue")
WAYS = (*ATTACH, "sendmail")


def pytest_configure(config):
    for one, other in (("postfix", "Sendmail"), ("sendmail", "Postfix")):
        config.addinivalue_line("markers", f"only_{one}(why): not run in {other}, which does "
                                "not have what it is about, or does it otherwise")


def pytest_collection_modifyitems(config, items):
    """Take away what the other MTA alone has: no skip, since it is decided."""
    def is_left_out(item):
        given = item.callspec.params.values() if hasattr(item, "callspec") else ()
        other = "only_postfix" if "sendmail" in given else "only_sendmail"
        return bool(given) and item.get_closest_marker(other)
    left_out = [item for item in items if is_left_out(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not is_left_out(item)]


def pytest_sessionstart(session):
    """Ended from outside, pytest would leave every Postfix behind."""
    def interrupt(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupt)


@pytest.fixture(scope="session")
def postfix_here():
    need(missing_for_postfix(("lmdb", "pcre", "regexp", "texthash")))


@pytest.fixture(scope="session")
def sendmail_here():
    """Nothing stands in its way but that it was not fetched: no skip."""
    assert not Sendmail.missing(), Sendmail.missing()


@pytest.fixture(scope="session")
def programs(postfix_here):
    need(Waybill.missing())


@pytest.fixture(scope="session", params=ATTACH)
def attach(request):
    return request.param


@pytest.fixture(scope="session", params=WAYS)
def way(request):
    """attach in a Postfix, or a Sendmail."""
    return request.param


@pytest.fixture(scope="session")
def running_site(way, programs, sendmail_here):
    """Costly: one for all tests of a way. Use site instead."""
    site = Site(way)
    try:
        yield site.go()
    finally:
        site.close()


@pytest.fixture
def site(running_site):
    """The site, with nothing left of an earlier test."""
    running_site.clear()
    return running_site


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the ends of both logs."""
    report = (yield).get_result()
    site = item.funcargs.get("running_site") if hasattr(item, "funcargs") else None
    if report.when == "call" and report.failed and site:
        for name, text, lines in (("mail log", site.mx.log_text(), 40),
                                  ("waybill log", site.waybill.log_text(), 20)):
            report.sections.append((name, "\n".join(text.splitlines()[-lines:])))
