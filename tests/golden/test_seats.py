"""Which nexthop an account has: never another's from one run to the next."""

import re
import time

import pytest


def section(name, account=None, host="h.example", more=""):
    return (f'route {name} {{ host = "{host}" username = "{account or name}" '
            f'password_file = "secrets/{account or name}" {more} }}\n')


@pytest.fixture
def site(bench):
    """site(routes...) runs maps and returns {route: [(service, nexthop)]} and
    {(service, nexthop): account} of what it wrote."""
    def write(*sections, passwords=None, out="out"):
        text = "".join(sections)
        for account in set(re.findall(r'secrets/([\w-]+)"', text)):
            bench.put(bench.conf / f"secrets/{account}",
                      (passwords or {}).get(account, f"pw-{account}") + "\n")
        bench.configure(text)
        bench.maps(bench.tmp / out)
        return read(bench.tmp / out)
    return write


def read(folder):
    routes, seats = {}, {}
    for name, service, hops in re.findall(
            r"^/@\.\+\\\.([\w-]+)\\\.\w+\\\.waybill\\\.invalid\$/  (waybill-(?!again:)[\w-]+):(.+)$",
            (folder / "transport.pcre").read_text(), re.M):
        routes[name] = [(service, hop) for hop in hops.split(",")]
    for path in folder.glob("sasl-*"):
        for hop, user, password in re.findall(r"^(\[\S+)  ([^:]+):(.+)$", path.read_text(), re.M):
            assert (path.name, hop) not in seats
            seats[path.name.replace("sasl-", "waybill-"), hop] = (user, password)
    return routes, seats


def accounts(routes, seats):
    """{route: the accounts of its relays}"""
    return {name: [seats[hop][0] for hop in hops] for name, hops in routes.items()}


PADDINGS = 60
NAMES = [f"a{i:02}" for i in range(PADDINGS + 5)]


def test_two_services_for_more_accounts_than_paddings(site):
    routes, seats = site(*map(section, NAMES))
    assert accounts(routes, seats) == {name: [name] for name in NAMES}
    assert {service for service, _ in seats} == {
        "waybill-starttls-plain", "waybill-starttls-plain-2"}


def test_who_stays_keeps_its_seat(site):
    before, _ = site(*map(section, NAMES))
    left = NAMES[1::2]
    after, seats = site(*map(section, left))
    assert after == {name: before[name] for name in left}
    assert accounts(after, seats) == {name: [name] for name in left}


def test_whoever_comes_takes_no_seat_that_was_anothers(site):
    """Until the reload, mail is still sent by the old table of transports."""
    before, old = site(*map(section, NAMES[:10]))
    after, new = site(*map(section, NAMES[10:]))
    assert not set(old) & set(new)
    assert accounts(after, new) == {name: [name] for name in NAMES[10:]}


def test_left_seats_are_given_again_later(site):
    first, _ = site(section("a"), section("b"))
    site(section("b"))
    third, seats = site(section("c"), section("b"))
    assert third == {"b": first["b"], "c": first["a"]}
    assert accounts(third, seats) == {"b": ["b"], "c": ["c"]}


def test_a_new_password_keeps_the_seat(site):
    before, _ = site(section("a"), section("b"))
    after, seats = site(section("b"), section("a"), passwords={"b": "new"})
    assert after == before
    assert seats[after["b"][0]] == ("b", "new")


def test_one_name_with_two_passwords_is_two_accounts(site):
    """Whichever stays keeps its seat; the other one never gets its password."""
    one = section("a", "x").replace('username = "x"', 'username = "same"')
    two = section("b", "y").replace('username = "y"', 'username = "same"')
    before, seats = site(one, two)
    assert before["a"] != before["b"]
    after, seats = site(two)
    assert after["b"] == before["b"]
    assert seats == {after["b"][0]: ("same", "pw-y")}


def test_routes_of_one_account_share_its_seat(site):
    routes, seats = site(section("a", "x"), section("b", "x"), section("c"))
    assert routes["a"] == routes["b"] != routes["c"]
    assert len(seats) == 2


def test_relays_of_one_route_have_one_service(site):
    """Accounts of h fill the first service; the fallbacks of the last two must
    follow them to the second one."""
    sections = [section(name) for name in NAMES[:PADDINGS]]
    sections += [section("far", host="far.example")]
    sections += [section("last", more='fallback = { "far", "a00" }'),
                 section("next", host="far.example", more='fallback = { "last" }')]
    routes, seats = site(*sections)
    assert accounts(routes, seats) == {
        **{name: [name] for name in NAMES[:PADDINGS]}, "far": ["far"],
        "last": ["last", "far", "a00"], "next": ["next", "last"]}
    for hops in routes.values():
        assert len({service for service, _ in hops}) == 1
    again, _ = site(*sections)
    assert again == routes
    fewer, seats = site(sections[0], *sections[5:10], *sections[PADDINGS:])
    assert {name: fewer[name] for name in ("far", "last", "next")} == {
        name: routes[name] for name in ("far", "last", "next")}


def test_fallback_to_another_account_of_the_same_host(site):
    routes, seats = site(section("a", more='fallback = { "b" }'),
                         section("b", more='fallback = { "a" }'))
    assert accounts(routes, seats) == {"a": ["a", "b"], "b": ["b", "a"]}
    assert len(seats) == 2


def test_a_directory_without_tables_and_one_with_them_agree(site):
    sections = [*map(section, NAMES), section("x", more='fallback = { "a64", "a03" }')]
    first = site(*sections)
    assert site(*sections) == first
    assert site(*sections, out="new") == first


def test_foreign_and_broken_files_are_not_believed(site, bench):
    first = site(section("a"))
    table = bench.tmp / "out/sasl-starttls-plain"
    mine = table.read_text()
    table.write_text("[h.example]:587  x:y\n")
    assert site(section("a")) == first
    head = mine.split("[")[0]
    table.write_text(head + "h.example:587  x:y\n[h.example]:587\n[h.example  x:y\n"
                     "[h.example]:587  x\n[h.example]:" + "0" * 5000 + "587  x:y\n\n:\n[:  :\n")
    assert site(section("a")) == first


def test_more_services_than_postfix_bears(site, bench):
    """A rate is the account's own, so that each of these needs one."""
    bench.put(bench.conf / "secrets/pw", "x\n")
    rows = ["name\thost\tusername\tpassword_file\trate"]
    rows += [f"r{i}\th.example\tu{i}\tsecrets/pw\t10/minute" for i in range(1001)]
    bench.put(bench.conf / "routes.tsv", "\n".join(rows[:-1]) + "\n")
    routes, seats = site('route_table = "routes.tsv"\n')
    assert len({service for service, _ in seats}) == len(routes) == 1000
    bench.put(bench.conf / "routes.tsv", "\n".join(rows) + "\n")
    assert bench.maps(bench.tmp / "out", ok=78).stderr.splitlines()[-1] == (
        f"waybill maps: {bench.conf}/routes.tsv:1002: route r1000: would need more than 1000 "
        "services of Postfix, which is what it bears; fewer accounts on one host, or fewer "
        "routes with a rate, are right")


def test_many_routes_are_written_in_no_time(site, bench):
    """20,000 accounts, a quarter of them on one host, and twice the same."""
    bench.put(bench.conf / "secrets/pw", "x\n")
    rows = ["name\thost\tusername\tpassword_file"]
    rows += [f"r{i}\t{f'h{i // 15}' if i % 4 else 'big'}.example\tu{i}\tsecrets/pw"
             for i in range(20000)]
    bench.put(bench.conf / "routes.tsv", "\n".join(rows) + "\n")
    text = 'route_table = "routes.tsv"\n'
    start = time.monotonic()
    first = site(text)
    assert time.monotonic() - start < 30, "as long as something quadratic"
    assert site(text) == first == site(text, out="new")
    assert accounts(*first) == {f"r{i}": [f"u{i}"] for i in range(20000)}
    assert len({service for service, _ in first[1]}) == 84
