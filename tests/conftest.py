"""What all tests share: where the programs are, and how skips are treated."""

import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures time, so that nothing may run beside it")


@pytest.fixture(scope="session")
def build():
    """The folder with the programs under test."""
    path = pathlib.Path(os.environ.get("WAYBILL_BUILD", ROOT / "build"))
    assert (path / "waybill").exists(), f"{path}/waybill is missing; run make"
    return path.resolve()


def pytest_terminal_summary(terminalreporter):
    """A skip that nobody sees is a hole: show each, and in CI refuse it."""
    skipped = terminalreporter.stats.get("skipped", [])
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.write_line(f"SKIPPED {report.nodeid}: {reason}")


def pytest_sessionfinish(session, exitstatus):
    """In CI every part is there, so no skip is expected."""
    if hasattr(session.config, "workerinput"):
        return   # the process that collects the workers' results judges
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and exitstatus == 0 and reporter.stats.get("skipped"):
        reporter.write_line("a skip in CI is a failure")
        session.exitstatus = 1
