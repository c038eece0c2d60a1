"""The throwaway Sendmail itself: a broken lab must not look like a broken
waybill. It is never skipped: what it needs, `contrib/need sendmail` brings."""

import pytest

from lab import Lab, letter

STRANGER = "192.0.2.7"


@pytest.fixture(scope="module")
def lab():
    with Lab() as one:
        yield one


@pytest.fixture(scope="module")
def relay(lab):
    return lab.sink("relay")


@pytest.fixture(scope="module")
def mx(lab, relay, sendmail_here):
    return lab.sendmail("mx", relay=relay.nexthop, aliases={"sales": "bob@remote.test"})


@pytest.fixture(autouse=True)
def nothing_left(mx, relay):
    mx.empty_queue()
    mx.empty_mailboxes()
    relay.clear()


def test_mail_and_its_dsn_arguments_reach_the_relay(mx, relay):
    reply = mx.send("a@b.test", ["c@d.test"], mail_options=["ENVID=tag7", "RET=HDRS"],
                    rcpt_options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;old@d.test"])
    message = relay.wait_for(1, log=mx.log)[0]
    assert message.mail_args["ENVID"] == "tag7"
    assert message.recipients == [("c@d.test", {"NOTIFY": "SUCCESS,FAILURE",
                                                "ORCPT": "rfc822;old@d.test"})]
    assert mx.wait_for_log(f"{reply.queue_id}: to=<c@d.test>", "stat=Sent")


def test_local_users_aliases_and_forward(mx, relay):
    mx.forward("games", "d@remote.test\n")
    mx.sendmail(letter("a@b.test", "news@mx.test, games@mx.test, sales@mx.test"))
    assert len(mx.wait_for_mailbox("news")) == 1
    relay.wait_for_recipients(2, log=mx.log)
    assert sorted(relay.rcpt_to) == ["bob@remote.test", "d@remote.test"]
    mx.wait_until_empty()


def test_a_stranger_reaches_local_users_only(mx, relay):
    reply = mx.send("a@b.test", ["news@mx.test", "c@d.test"], client=STRANGER)
    assert reply.all_codes() == [250, 550, 250]
    assert len(mx.wait_for_mailbox("news")) == 1
    mx.wait_until_empty()
    assert relay.messages == []


def test_deferred_mail_waits_and_says_why(mx, relay):
    relay.refuse("450 4.2.0 later")
    mx.send("a@b.test", ["c@d.test"])
    message, = mx.wait_for_deferred()
    assert [r["address"] for r in message["recipients"]] == ["c@d.test"]
    assert "450 4.2.0 later" in message["recipients"][0]["delay_reason"]
    relay.accept()
    mx.flush()
    mx.wait_until_empty()
    assert relay.rcpt_to == ["c@d.test"]


def test_what_the_admin_changes_is_at_work_after_make_and_reload(lab, mx):
    other = lab.sink("other")
    mx.tables["mailertable"]["inside.test"] = "smtp:[127.0.0.1]"
    mx.write_table("mailertable")
    mx.mc += f"define(`SMTP_MAILER_ARGS', `TCP $h {other.port}')dnl\n"
    mx.write_mc()
    mx.make()
    mx.reload()
    mx.send("a@b.test", ["c@inside.test"])
    mx.wait_until_empty()
    assert other.rcpt_to == ["c@inside.test"]


def test_nothing_is_left_of_it_when_it_ends(lab, relay, sendmail_here):
    relay.held = True
    one = lab.sendmail("brief", relay=relay.nexthop)
    one.send("a@b.test", ["c@d.test"])
    assert one.workers()
    one.stop()
    relay.held = False
    assert one.workers() == set()
