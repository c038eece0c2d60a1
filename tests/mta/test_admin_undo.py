"""Undo on a Postfix at work, and apply next to other programs."""

import os
import socket

import pytest

from lab import free_port
from mailsite import Site


@pytest.fixture
def fresh(programs):
    site = Site("before_queue")
    try:
        site.waybill.start()
        yield site
    finally:
        site.close()


def test_undo_waits_for_sessions_that_still_mark_mail(fresh):
    """A smtpd goes on with the milter until its client ends the session: what
    it takes in must find waybill's tables."""
    fresh.waybill.apply()
    session = fresh.mx.connect()
    done = fresh.waybill.tool("apply", "--undo", "--wait", "1", ok=None)
    assert done.returncode == 75
    assert "smtpd" in done.stderr
    fresh.send("a@keep.test", ["x@docomo.ne.jp"], smtp=session)
    fresh.settle()
    assert fresh.arrived() == {"docomo": ["x@docomo.ne.jp"]}
    session.quit()
    fresh.mx.age()
    fresh.waybill.undo()
    assert not (fresh.mx.etc / "waybill").exists()
    assert fresh.outcome("a@keep.test", ["x@remote.test"]) == {"default": ["x@remote.test"]}


def test_a_taken_port_does_not_stop_postfix(fresh):
    """Its master dies of an address that it cannot have."""
    before = (fresh.mx.etc / "main.cf").read_bytes()
    master = fresh.mx.master_pid()
    with socket.create_server(("127.0.0.1", fresh.waybill.loopback_port)):
        done = fresh.waybill.apply(ok=None)
    assert done.returncode == 78
    assert "loopback_listener" in done.stderr
    assert (fresh.mx.etc / "main.cf").read_bytes() == before
    assert os.path.exists(f"/proc/{master}")
    assert fresh.outcome("a@keep.test", ["x@remote.test"]) == {"default": ["x@remote.test"]}
    fresh.waybill.loopback_port = free_port()
    fresh.waybill.configure(fresh.waybill.text)
    fresh.waybill.apply()
