"""The table of routes that wait for a POP login: what `waybill maps` and
`apply` make of what is remembered. tests/mta/test_pop.py has real servers."""

import json
import time

import pytest

CONF = """
state_file = "state/routes.json"
route docomo { host = "smtp.docomo.example" port = 25 auth = none
               username = "shop" password_file = "secrets/docomo"
               pop_before_smtp = "pop3s://pop.docomo.example" }
route au     { host = "smtp.au.example" port = 25 auth = none
               username = "shop" password_file = "secrets/au"
               pop_before_smtp = "pop3s://pop.au.example" }
route bulk   { host = "smtp.example.net" port = 25 tls = none }
rule docomo { recipients = { "docomo.ne.jp" } route = docomo }
rule au     { recipients = { "ezweb.ne.jp" } route = au }
rule rest   { priority = 200 route = bulk }
"""
NOT_YET = "retry:4.7.0 no POP login yet"


@pytest.fixture
def pop(bench):
    bench.configure(CONF)
    (bench.conf / "state").mkdir(mode=0o700)
    return bench


def remember(bench, account="shop@pop.docomo.example:995", age=10, **more):
    """What a run of `waybill pop-login` left for the route docomo."""
    then = int(time.time()) - age
    condition = {"last": then, "since": then, "failures": 0, "kind": "", "step": "",
                 "words": "", "hint": ""} | more
    path = bench.conf / "state" / "routes.json"
    path.write_text(json.dumps({"must_reload": False, "routes": {
        "docomo": {"account": account, "pop": condition}}}))


def answer(bench, route):
    """As trivial-rewrite asks: the first table that answers."""
    for table in bench.value("transport_maps").split(", "):
        found = bench.answer(table, f"u@d.test.{route}.{bench.label()}.waybill.invalid")
        if found is not None:
            return found
    return None


def test_routes_wait_for_their_first_login(pop):
    pop.apply()
    assert answer(pop, "docomo") == answer(pop, "au") == NOT_YET
    assert answer(pop, "bulk") == "waybill-none-none:[smtp.example.net]:25"
    assert pop.value("transport_maps").split(", ")[0].endswith("/down.pcre")


WAYS = "waybill-none-none:[smtp.docomo.example]:25"

REMEMBERED = [
    ("logged in", {}, WAYS),
    ("almost expired", {"age": 290}, WAYS),
    ("expired", {"age": 400}, "retry:4.7.0 the last POP login has expired"),
    ("another account", {"account": "other@pop.docomo.example:995"}, NOT_YET),
    ("another server", {"account": "shop@pop.docomo.example:110"}, NOT_YET),
    ("refused", {"failures": 3, "words": "-ERR [AUTH] no"},
     "retry:4.7.0 POP login failed: -ERR [AUTH] no"),
    ("odd words", {"failures": 1, "words": "-ERR $1 ${x} \u00e9\t!\nline"},
     "retry:4.7.0 POP login failed: -ERR ?1 ?{x} ???! / line"),
    ("many words", {"failures": 1, "words": "x" * 3000},
     "retry:4.7.0 POP login failed: " + "x" * (200 - len("POP login failed: "))),
    ("nonsense", {"failures": -1, "last": "x"}, NOT_YET),
]


@pytest.mark.parametrize("why, what, wanted", REMEMBERED, ids=[r[0] for r in REMEMBERED])
def test_apply_goes_by_what_is_remembered(pop, why, what, wanted):
    remember(pop, **what)
    pop.apply()
    assert answer(pop, "docomo") == wanted
    assert answer(pop, "au") == NOT_YET


def test_a_state_that_cannot_be_read_opens_nothing(pop):
    (pop.conf / "state" / "routes.json").write_text('{"routes": ')
    assert "routes.json" in pop.apply().stderr
    assert answer(pop, "docomo") == NOT_YET


def test_the_second_apply_changes_nothing(pop):
    remember(pop)
    pop.apply()
    before = pop.snapshot()
    assert pop.apply().stdout == ""
    assert pop.snapshot() == before


def test_undo_gives_everything_back(pop):
    before = pop.snapshot()
    pop.apply()
    pop.apply("--undo")
    assert {n: f[:2] for n, f in pop.snapshot().items()} == {n: f[:2] for n, f in before.items()}


def test_without_pop_the_table_goes(pop):
    pop.apply()
    pop.configure(CONF.replace('pop_before_smtp = "pop3s://pop.docomo.example"', "")
                  .replace('pop_before_smtp = "pop3s://pop.au.example"', "")
                  .replace("auth = none", "allow_cleartext = yes tls = none"))
    assert "removed  down.pcre" in pop.apply().stdout
    assert "down.pcre" not in pop.main.read_text()


def login(bench, *arguments, **more):
    import os
    os.utime(bench.main, (1, 1))
    return bench.run("pop-login", "-c", bench.conf / "waybill.conf", *arguments, **more)


def test_login_before_apply_says_so(pop):
    pop.configure(CONF.replace("pop.docomo.example", "[127.0.0.1]:1"))
    done = login(pop, "docomo", ok=72)
    assert "run waybill apply" in done.stderr
    assert not (pop.etc / "waybill").exists()


@pytest.mark.parametrize("arguments, text", [
    (["bulk"], "route bulk has no pop_before_smtp"), (["nowhere"], 'no route "nowhere"'),
    (["--timeout", "x"], "1 to 300"), (["--what"], "--what")])
def test_wrong_usage(pop, arguments, text):
    assert text in login(pop, *arguments, ok=64).stderr


def test_nothing_to_do_without_pop(bench):
    bench.configure('route bulk { host = "smtp.example.net" port = 25 tls = none }\n'
                    "rule rest { route = bulk }\n")
    done = login(bench)
    assert done.stdout == done.stderr == ""
