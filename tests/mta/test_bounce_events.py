"""Bounces from end to end: a mail goes out with a signed return path, another
real Postfix takes it and cannot deliver it, its report comes back, and an event
arrives at the webhook and in the log."""

import json
import shutil

import pytest

from lab import Lab
from lab.endpoint import Receiver
from lab.lmtpd import SOCKET, WaybillLmtp

SENDERS = {"verp": "info@verp.example.com", "srs": "info@srs.example.com",
           "domain": "info@example.com"}


class Circle:
    """mx, with waybill, sends to far, which sends to last, which refuses."""

    def __init__(self, kind):
        self.lab = lab = Lab()
        try:
            self.receiver = lab.adopt(Receiver())
            self.receiver.start()
            self.last = lab.sink("last")
            self.mx = getattr(lab, kind)("mx", start=False)
            self.far = lab.postfix("far", start=False, domain="far.test")
            self.far._main.update({
                "relay_domains": "remote.test",
                "transport_maps": self.far.table(
                    "transport", f"remote.test smtp:{self.last.nexthop}\n"
                                 f"* smtp:[127.0.0.1]:{self.mx.port}\n")})
            self.lmtpd = lab.adopt(WaybillLmtp(lab.dir))
            self.logs = lab.dir / "logs"
            self.logs.mkdir()
            shutil.chown(self.logs, "nobody")
            self.waybill = lab.waybill(self.mx, self.configuration(), lmtp_socket=SOCKET)
            self.far.start()
            self.mx.start()
            self.waybill.start()
            self.waybill.apply()
            self.lmtpd.start(self.waybill)
        except BaseException:
            lab.close()
            raise

    def configuration(self):
        text = self.lmtpd.options() + f"""
route far {{ host = "[127.0.0.1]"  port = {self.far.port}  tls = none  auth = none }}
rule all {{ route = far }}
bounces {{
    domains = {{ "return.example.com", "signed.example.com" }}  webhook = crm
    report  = both  log_file = "{self.logs}/bounces"
}}
webhook crm {{
    url = "{self.receiver.url()}"  allow_private = yes  server_composition = "site"
}}
"""
        for mode, sender in SENDERS.items():
            domain = "return" if mode == "domain" else "signed"
            text += (f'return_path {mode} {{ senders = {{ "{sender}" }}  mode = {mode}'
                     f'  domain = "{domain}.example.com" }}\n')
        return text

    def logged(self):
        path = self.logs / "bounces"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def close(self):
        self.lab.close()


@pytest.fixture(scope="module", params=("postfix", "sendmail"))
def circle(request, programs, sendmail_here):
    made = Circle(request.param)
    yield made
    made.close()


REFUSALS = [("550 5.1.1 <yuki@remote.test>: User unknown", "hard", "5.1.1"),
            ("552 5.2.2 <yuki@remote.test>: no room", "full", "5.2.2"),
            ("550 5.7.1 refused", "blocked", "5.7.1")]


@pytest.mark.parametrize("mode", SENDERS)
@pytest.mark.parametrize("refusal, kind, code", REFUSALS, ids=[row[1] for row in REFUSALS])
def test_a_bounce_becomes_an_event(circle, mode, refusal, kind, code):
    circle.receiver.clear()
    circle.last.refuse(refusal)
    subject = f"Order {mode} {kind}"
    text = (f"From: Shop <{SENDERS[mode]}>\r\nTo: yuki@remote.test\r\nSubject: {subject}\r\n"
            f"Message-ID: <{mode}.{kind}@example.com>\r\n\r\nText.\r\n")
    reply = circle.mx.send(SENDERS[mode], ["yuki@remote.test"], text)
    assert reply.code == 250, reply
    request, = circle.receiver.wait_for(1, log=circle.mx.log)
    circle.mx.wait_until_empty()
    assert request.header("Content-Type").startswith("multipart/form-data; boundary=")
    event = request.body.split(b'name="event"\r\n\r\n')[1].split(b"\r\n--")[0]
    bounce, = json.loads(event)["bounces"]
    assert (bounce["kind"], bounce["code"]) == (kind, code)
    assert (bounce["from"], bounce["to"]) == (SENDERS[mode], "yuki@remote.test")
    assert (bounce["subject"], bounce["messageId"]) == (subject, f"<{mode}.{kind}@example.com>")
    assert refusal.removeprefix("550 ") in bounce["reason"]
    assert bounce["returnPath"].split("@")[1] in ("return.example.com", "signed.example.com")
    assert bounce["id"] == request.id
    assert circle.logged()[-1] == bounce
