"""The site that most tests use: one MTA with everything an admin may have,
waybill, four relays, and a place for each way that mail can go."""

import email
import re
from concurrent.futures import ThreadPoolExecutor

from lab import Lab, letter

# the seeds' examples: each carrier's customers through that carrier's account
CARRIERS = {"docomo": "docomo.ne.jp", "au": "ezweb.ne.jp", "softbank": "softbank.jp"}

ROUTES = (*CARRIERS, "bulk")

INBOUND = r"""
return_path main {
    senders = { "example.com" }
    mode    = domain
    domain  = "return.example.com"
}
webhook crm  { url = "https://app.example.com/hook" }
webhook desk { url = "https://desk.example.com/hook" }
inbound mailform {
    domains = { "mailform.example.com" }
    header  = "To"  match = 'info@mailform\.example\.com'
    webhook = crm
}
inbound box {
    domains  = { "box.example.com" }
    match    = '^hidden@box\.example\.com$'
    match_on = envelope
    webhook  = desk
}
return_path signed {
    senders = { "srs.example.com" }
    mode    = srs
    domain  = "signed.example.com"
}
return_path each {
    senders = { "verp.example.com" }
    mode    = verp
    domain  = "signed.example.com"
}
return_path tagged {
    senders = { "batv.example.com" }
    mode    = batv
    domain  = "tagged.example.com"
}
bounces {
    domains = { "return.example.com", "signed.example.com", "tagged.example.com" }
    webhook = crm
}
"""


def route(name, sink, *options):
    """A route section to a relay of the lab without TLS."""
    more = "  ".join(options)
    return (f'route {name} {{ host = "[127.0.0.1]"  port = {sink.port}  tls = none'
            f'  auth = none  {more} }}\n')


def rule(name, domain, to):
    return f'rule {name} {{ priority = 10  recipients = {{ "{domain}" }}  route = {to} }}\n'


class Site:
    """One MTA and what stands around it.

    way:     how waybill is attached in a Postfix, or "sendmail"
    default: the relayhost, which must get nothing once waybill is at work
    own:     where the admin's own transport table sends some mail
    gateway: the inner host of a relay domain
    legacy:  a route that keeps the sender as it is
    """

    def __init__(self, way, *, main=None, services=(), aliases=None, extra="",
                 before_apply=None):
        """main and services are Postfix's; extra stands in waybill.conf."""
        self.way = self.attach = way
        self.lab = lab = Lab()
        try:
            self.sinks = {name: lab.sink(name) for name in
                          (*ROUTES, "legacy", "default", "own", "gateway")}
            aliases = self._aliases(aliases)
            self.mx = (self._sendmail(aliases) if way == "sendmail" else
                       self._postfix(aliases, main, services))
            self.waybill = lab.waybill(self.mx, self.configuration() + extra,
                                       attach=self.mx.attach(way),
                                       relayhosts=[self.sinks["default"].nexthop])
            self.sinks["lmtp"] = lab.lmtp("lmtp", self.waybill.lmtp_socket)
            self.mx.start()
            if before_apply:
                before_apply(self)
        except BaseException:
            lab.close()
            raise

    def go(self):
        """Put waybill to work."""
        self.waybill.start()
        self.waybill.apply()
        return self

    def __getattr__(self, name):
        try:
            return self.__dict__["sinks"][name]
        except KeyError:
            raise AttributeError(name) from None

    def close(self):
        self.lab.close()

    # what stands in the files

    def configuration(self):
        text = "".join(route(name, self.sinks[name]) for name in ROUTES)
        text += route("legacy", self.sinks["legacy"], "return_path = keep")
        text += "".join(rule(name, domain, name) for name, domain in CARRIERS.items())
        text += rule("old", "legacy.test", "legacy")
        text += 'rule vip { priority = 5  recipients = { "vip.test" }  ' \
                'senders = { "example.com" }  route = au }\n'
        text += "rule everything { priority = 100  route = bulk }\n"
        return text + INBOUND

    WRONG_LABEL = "x@docomo.ne.jp.docomo.aaaaaaaa.waybill.invalid"

    def _aliases(self, more):
        return {"sales": "bob@remote.test", "team": "news, carol@remote.test",
                "sneaky": self.WRONG_LABEL} | (more or {})

    def _postfix(self, aliases, main, services):
        mx = self.mx = self.lab.postfix("mx", start=False, services=services, aliases=aliases)
        mx._main.update(self._main() | dict(main or {}))
        return mx

    def _sendmail(self, aliases):
        """The same for Sendmail. Its virtual users are local ones; what its
        table says of hosts cannot name a port, so own and gateway have mailers
        of their own, and another name: the smart host's is in relayhosts."""
        sinks = self.sinks
        domains = ("virtual.test", "remote-alias.test", "partner.test")
        mx = self.lab.sendmail(
            "mx", start=False, aliases=aliases, relay=sinks["default"].nexthop,
            mc="".join(f"VIRTUSER_DOMAIN(`{domain}')dnl\n" for domain in domains)
            + f"define(`RELAY_MAILER_ARGS', `TCP $h {sinks['gateway'].port}')dnl\n"
              f"define(`SMTP8_MAILER_ARGS', `TCP $h {sinks['own'].port}')dnl\n",
            mc_end="LOCAL_RULE_0\n"
                   "Rspecial < @ $+ > $*\t$#smtp8 $@ [localhost] $: special < @ $1 > $2\n",
            tables={
                "mailertable": {".jp": "smtp8:[localhost]", "gateway.test": "relay:[localhost]"},
                "access": {"To:gateway.test": "RELAY", "To:partner.test": "RELAY"},
                "virtusertable": {
                    "boss@remote-alias.test": "dave@remote.test",
                    "sneaky@remote-alias.test": self.WRONG_LABEL,
                    "inner@remote-alias.test": "news@mx.test",
                    "known@partner.test": "eve@remote.test",
                    "box@virtual.test": "backup", "@virtual.test": "error:nouser no such user",
                    "@remote-alias.test": "error:nouser no such user"}})
        mx.mailbox_of("backup", "virtual.test/box")
        return mx

    def _main(self):
        table, sinks = self.mx.table, self.sinks
        virtual = "boss@remote-alias.test dave@remote.test\n" \
                  f"sneaky@remote-alias.test {self.WRONG_LABEL}\n" \
                  "inner@remote-alias.test news@mx.test\n" \
                  "known@partner.test eve@remote.test\n"
        # The admin's own: a host for every .jp, and one for a single user name
        # at any domain: the latter would catch a suffixed address as well.
        own = rf"/\.jp$/ smtp:{sinks['own'].nexthop}" "\n" \
              rf"/^special@/ smtp:{sinks['own'].nexthop}" "\n"
        return {
            "relayhost": sinks["default"].nexthop,
            "relay_domains": "gateway.test",
            "relay_transport": f"relay:{sinks['gateway'].nexthop}",
            "transport_maps": table("own-transport", own, "regexp"),
            "virtual_alias_domains": "remote-alias.test",
            "virtual_alias_maps": table("virtual-alias", virtual),
            "virtual_mailbox_domains": "virtual.test",
            "virtual_mailbox_maps": table("virtual-box", "box@virtual.test virtual.test/box/\n"),
            "virtual_mailbox_base": self.mx.maildir,
            "virtual_uid_maps": "static:65534", "virtual_gid_maps": "static:65534",
            "virtual_minimum_uid": "1",
        }

    # using it

    def clear(self):
        """Forget everything that came before."""
        self.mx.empty_queue()
        self.mx.empty_mailboxes()
        for sink in self.sinks.values():
            sink.clear()

    def send(self, sender, recipients, text=None, **options):
        return self.mx.send(sender, recipients, text, **options)

    def settle(self, timeout=30.0):
        """Wait until the MTA has nothing left to do."""
        self.mx.wait_until_empty(timeout)

    def arrived(self):
        """{place: sorted recipients} of all places that got something."""
        places = {name: sorted(sink.rcpt_to) for name, sink in self.sinks.items()}
        for box in (*self.mx.LOCAL_USERS, "virtual.test/box"):
            places[f"mailbox {box}"] = [box] * len(self.mx.mailbox(box))
        return {place: got for place, got in places.items() if got}

    def outcome(self, sender, recipients, text=None, *, by="smtp", **options):
        """Send one message and say where it went: arrived(), once all is done."""
        self.clear()
        if by == "sendmail":
            text = text or letter(sender, ", ".join(recipients))
            self.mx.sendmail(text, sender=sender)
        else:
            self.send(sender, recipients, text, **options)
        self.settle()
        return self.arrived()

    def only(self, name):
        """The one message at a relay."""
        messages = self.sinks[name].wait_for(1, log=self.mx.log)
        assert len(messages) == 1, [m.rcpt_to for m in messages]
        return messages[0]

    def told_by(self, report):
        """What must be clean in a report of the MTA. Sendmail's has a text for
        people that quotes its own queue, marks and all; what programs read of
        it, and the message, is as clean as in Postfix."""
        if self.way != "sendmail":
            return report
        message = email.message_from_string(report)
        assert message.get_content_type() == "multipart/report", report
        text, *parts = message.get_payload()
        assert text.get_content_type() == "text/plain" and len(parts) == 2, report
        return "".join(part.as_string() for part in parts)

    def label(self):
        """The LABEL of the running configuration, as an admin sees it: in the
        queue listing."""
        self.sinks["docomo"].refuse("450 4.2.0 later", "label@docomo.ne.jp")
        self.send("label@keep.test", ["label@docomo.ne.jp"])
        self.mx.wait_for_deferred()
        address = self.mx.queued()[0]["recipients"][0]["address"]
        self.clear()
        found = re.fullmatch(r"label@docomo\.ne\.jp\.docomo\.([a-z2-7]{8})\.waybill\.invalid",
                             address)
        assert found, address
        return found.group(1)


def send_many(mx, count, concurrency, make):
    """Submit count messages over concurrency connections. make(i) gives
    (sender, recipients, text) of number i. Returns the replies by number."""
    def worker(start):
        replies, smtp = {}, mx.connect()
        for i in range(start, count, concurrency):
            replies[i] = mx.send(*make(i), smtp=smtp)
            if replies[i].code != 250:    # a session whose milter broke stays so
                smtp.quit()
                smtp = mx.connect()
        smtp.quit()
        return replies
    found = {}
    with ThreadPoolExecutor(concurrency) as pool:
        for replies in pool.map(worker, range(concurrency)):
            found |= replies
    return [found[i] for i in range(count)]
