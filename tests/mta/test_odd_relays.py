"""`waybill test` at servers that are no relays, or odd ones, and with
addresses to which nothing can be sent."""

import json
import os
import re
import socket
import socketserver
import threading

import pytest

from lab import build_directory, free_port, run


class Server:
    """Says one of replies at the beginning, and one to each line, after so
    many seconds each."""

    def __init__(self, replies, *, address="127.0.0.1", port=None, after_s=0):
        self.port = port or free_port()
        silence = threading.Event()

        class Session(socketserver.StreamRequestHandler):
            def handle(self):
                for reply in replies:
                    silence.wait(after_s)
                    self.wfile.write(reply)
                    line = self.rfile.readline()
                if replies[-1].startswith((b"421", b"QUIT")):
                    return
                while line:
                    line = self.rfile.readline()

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer((address, self.port), Session)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,),
                                        daemon=True)
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def ask(tmp_path):
    """Ask a server that says this; POP first where it is a POP server."""
    servers = []

    def ask(replies, *, status, pop=False, to="you@rcpt.test", sender="info@example.com",
            host="[127.0.0.1]", before=(), **options):
        server = Server(replies, **options)
        servers.append(server)
        (tmp_path / "secret").write_text("5" * 64 + "\n")
        (tmp_path / "password").write_text("a secret\n")
        for name in ("secret", "password"):
            os.chmod(tmp_path / name, 0o600)
        login = 'username = "shop"  password_file = "password"  allow_cleartext = yes'
        if pop:
            login += f'  auth = none  pop_before_smtp = "pop3://127.0.0.1:{server.port}"'
        (tmp_path / "waybill.conf").write_text(f"""
mta = postfix
secret_file = "secret"
route odd {{ host = "{host}"  port = {server.port}  tls = none  {login} }}
rule odd {{ recipients = {{ "odd.test" }}  route = odd }}
""")
        return run([*before, build_directory() / "waybill", "test", "-c", tmp_path / "waybill.conf",
                    "--no-tables", "--timeout", "1", "--json", "--to", to, "--from", sender,
                    "odd"], ok=(status,))

    yield ask
    for server in servers:
        server.stop()


@pytest.mark.parametrize("greeting, pop", [
    (b"+OK Dovecot ready.\r\n", False), (b"* OK IMAP4rev1 ready\r\n", False),
    (b"SSH-2.0-OpenSSH_9.2\r\n", False), (b"220 mx.test ESMTP\r\n", True)])
def test_the_port_of_another_service(ask, greeting, pop):
    """Nothing is said that a mail server would understand, but not nothing."""
    found, = json.loads(ask([greeting], status=69, pop=pop).stdout)
    assert found["reply"] == f"the server began with: {greeting.decode().strip()}"
    assert found["result"] == "connect" and "another service" in found["hint"]


def test_a_line_before_the_greeting_is_passed_over_as_by_postfix(ask):
    found, = json.loads(ask([b"hello\r\n220 mx.test\r\n", b"250 mx.test\r\n",
                             b"550 5.7.1 not you\r\n"], status=65).stdout)
    assert (found["failed_at"], found["reply"]) == ("mail", "550 5.7.1 not you")


def test_a_server_that_ends_at_ehlo_is_heard(ask):
    found, = json.loads(ask([b"220 mx.test\r\n", b"421 4.3.2 too many of you\r\n"],
                            status=75).stdout)
    assert (found["result"], found["reply"]) == ("temporary", "421 4.3.2 too many of you")


@pytest.mark.parametrize("to", ["<>", "", "root", "a@b.test, c@d.test", "A <a@b.test>",
                                "a@b.test\r\nRCPT TO:<c@d.test>"])
def test_an_address_to_which_nothing_can_be_sent_is_wrong_usage(ask, to):
    said = ask([b"220 mx.test\r\n"], status=64, to=to)
    assert said.stdout == "" and re.search(r"waybill test: --to ", said.stderr)


def test_a_sender_that_none_can_be_is_wrong_usage(ask):
    said = ask([b"220 mx.test\r\n"], status=64, sender="nobody")
    assert said.stdout == "" and "--from" in said.stderr


def test_the_time_is_for_each_answer(ask):
    found, = json.loads(ask([b"220 mx.test\r\n", b"250 mx.test\r\n", b"550 5.7.1 not you\r\n"],
                            after_s=0.7, status=65).stdout)
    assert (found["failed_at"], found["reply"]) == ("mail", "550 5.7.1 not you")


def test_the_next_address_is_tried_where_one_is_dead(ask, tmp_path):
    """As Postfix does. The first one's queue of connections is full."""
    if run(["unshare", "--mount", "true"], ok=None).returncode:
        pytest.skip("no mount namespace for a hosts file of our own")
    (tmp_path / "hosts").write_text("127.0.0.1 two.test\n127.0.0.2 two.test\n")
    mount = 'mount --bind "$0" /etc/hosts && exec "$@"'
    sockets = [socket.create_server(("127.0.0.1", free_port()), backlog=0)]
    address = sockets[0].getsockname()
    try:
        for _ in range(4):
            sockets.append(socket.socket())
            sockets[-1].setblocking(False)
            sockets[-1].connect_ex(address)
        found, = json.loads(ask(
            [b"220 mx.test\r\n", b"250 mx.test\r\n", b"550 5.7.1 not you\r\n"], status=65,
            host="two.test", address="127.0.0.2", port=address[1],
            before=["unshare", "--mount", "sh", "-c", mount, tmp_path / "hosts"]).stdout)
    finally:
        for each in sockets:
            each.close()
    assert found["steps"][1]["detail"] == f"127.0.0.2 port {address[1]}"
    assert found["reply"] == "550 5.7.1 not you"
