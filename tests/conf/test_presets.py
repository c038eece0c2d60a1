"""Presets: the shipped ones, what they do to a route, and an admin's own.

What is wrong with presets, and with routes that name one, stands in good/ and
bad/ (preset*.conf)."""
import datetime
import json
import re

import pytest

from test_conf import (HERE, WAYBILL, check_text, folder,  # noqa: F401
                       subprocess, write)

SHIPPED = sorted(p.stem for p in (HERE.parent.parent / "rules/presets").iterdir())


def presets(*args, cwd=None, status=0):
    """What `waybill presets` prints; nothing on stderr unless it fails."""
    done = subprocess.run([WAYBILL, "presets", *args], cwd=cwd, text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == status
    assert status or done.stderr == ""
    return done.stderr if status else done.stdout


def shipped(name):
    return json.loads(presets("-c", "/nonexistent/w.conf", "--json", name))


def explained(folder, route):  # noqa: F811
    """What becomes of a route's options, as explain tells it."""
    write(folder / "w.conf", f"route r {{ {route} }}\nrule r {{ route = r }}\n")
    done = subprocess.run(
        [WAYBILL, "explain", "-c", "w.conf", "--sender", "a@b.test",
         "--recipient", "c@d.test"], cwd=folder, text=True,
        capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return re.search(r"route      r: (.*)", done.stdout).group(1)


def test_all_are_listed():
    lines = presets("-c", "/nonexistent/w.conf").splitlines()
    assert [line.split()[0] for line in lines] == SHIPPED
    objects = json.loads(presets("-c", "/nonexistent/w.conf", "--json"))
    assert [o["name"] for o in objects] == SHIPPED
    assert objects == [shipped(name) for name in SHIPPED]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_one_says_who_says_so_and_when(name):
    preset = shipped(name)
    assert preset["source"]
    datetime.date.fromisoformat(preset["checked"])
    assert preset["host"] or preset["host_hint"]
    assert preset["ports"]
    assert preset["title"] != name
    assert bool(preset["no_password"]) != bool(preset["password_steps"])


@pytest.mark.parametrize("name", SHIPPED)
def test_the_route_that_is_shown_passes_check(folder, name):  # noqa: F811
    """With its words in capitals replaced. What takes no password has none to
    show, and a route for it fails with the reason."""
    text = presets("-c", "/nonexistent/w.conf", name)
    shown = re.search(rf"^route {name} {{.*?^}}", text, re.M | re.S)
    reason = shipped(name)["no_password"]
    assert bool(shown) != bool(reason)
    route = shown.group() if shown else (
        f'route {name} {{ preset = {name}  username = "YOU@EXAMPLE.COM"\n'
        f'password_file = "secrets/{name}" }}')
    for word, own in {"YOU@EXAMPLE.COM": "shop@example.com", "HOST": "smtp.example.com",
                      "YOU": "shop", "ID": "shop", "NAME": "shop"}.items():
        route = route.replace(f'"{word}"', f'"{own}"')
    assert not re.search(r'"[A-Z@.]+"', route)
    write(folder / "secrets" / name, "password\n", 0o600)
    status, lines = check_text(folder, f"{route}\nrule r {{ route = {name} }}\n")
    assert status == (78 if reason else 0)
    assert len(lines) == (1 if reason else 0), lines
    assert not reason or f": username: {reason};" in lines[0]


@pytest.mark.parametrize("route, becomes", [
    ("preset = gmail", "smtp.gmail.com port 465, TLS"),
    ("preset = gmail port = 465", "smtp.gmail.com port 465, TLS"),
    ("preset = gmail port = 587", "smtp.gmail.com port 587, STARTTLS"),
    ("preset = gmail port = 2525", "smtp.gmail.com port 2525, TLS"),
    ("preset = gmail tls = starttls", "smtp.gmail.com port 587, STARTTLS"),
    ("preset = gmail tls = tls", "smtp.gmail.com port 465, TLS"),
    ("preset = gmail tls = ssl", "smtp.gmail.com port 465, TLS"),
    ("preset = gmail tls = none allow_cleartext = yes", "smtp.gmail.com port 25, no TLS"),
    ("preset = gmail port = 25 tls = starttls", "smtp.gmail.com port 25, STARTTLS"),
    ("preset = gmail host = relay.test", "relay.test port 465, TLS"),
    ("preset = sendgrid host = 'ssl://relay.test'", "relay.test port 465, TLS"),
    ("preset = sendgrid port = 2525", "smtp.sendgrid.net port 2525, STARTTLS"),
    ("preset = postmark tls = tls", "smtp.postmarkapp.com port 465, TLS"),
    ("preset = docomo", "smtp.spmode.ne.jp port 465, TLS"),
    ("preset = rented host = relay.test", "relay.test port 587, STARTTLS"),
])
def test_a_route_s_own_options_win(folder, route, becomes):  # noqa: F811
    account = "" if "sendgrid" in route else "username = 'u@b.test' "
    as_whom = ", as " + ("apikey" if "sendgrid" in route else "u@b.test")
    assert explained(folder, f"{route} {account} password_file = password") \
        == becomes + as_whom


OWN = """preset NAME {
    host  = "mail.example.com"
    ports = { "2525 starttls" }
    auth  = login
    fixed_username = "us"
}
"""


@pytest.mark.parametrize("name", ["own", "gmail"])
def test_one_of_the_admin_s_own_comes_first(folder, name):  # noqa: F811
    write(folder / "presets" / f"{name}.conf", OWN.replace("NAME", name))
    assert explained(folder, f"preset = {name} password_file = password") == \
        "mail.example.com port 2525, STARTTLS, as us"
    maps = subprocess.run([WAYBILL, "maps", "-c", "w.conf", "--out", "out"], cwd=folder,
                          text=True, capture_output=True, timeout=60)
    assert maps.returncode == 0, maps.stderr
    assert (folder / "out" / "sasl-starttls-login").read_text() \
        .rstrip().splitlines()[-1].split()[0] == "[mail.example.com]:2525"
    told = json.loads(presets("-c", "w.conf", "--json", name, cwd=folder))
    assert (told["host"], told["file"]) == ("mail.example.com", f"presets/{name}.conf")
    names = [line.split()[0] for line in presets("-c", "w.conf", cwd=folder).splitlines()]
    assert names == sorted({*SHIPPED, name})


def test_a_table_names_presets_too(folder):  # noqa: F811
    assert check_text(
        folder, 'route_table = "routes.tsv"\nrule_table = "rules.tsv"\n',
        **{"routes.tsv": "name\tpreset\tusername\tpassword_file\n"
                         "a\ticloud\tu@b.test\tpassword\n"
                         "b\tgmial\tu@b.test\tpassword\n",
           "rules.tsv": "route\trecipients\na\ta.test\nb\tb.test\n"}) == (78, [
               'routes.tsv:3: preset: there is no preset "gmial"; did you mean "gmail"?'])


def test_one_that_there_is_not():
    assert presets("gmial", status=65) == \
        'waybill presets: there is no preset "gmial"; did you mean "gmail"?\n'


def test_faulty_ones_are_told_and_the_others_listed(folder):  # noqa: F811
    write(folder / "presets" / "a.conf", "preset a { hots = x }\n")
    write(folder / "presets" / "b.conf", "preset b { host = x.test }\n")
    write(folder / "presets" / "not a label.conf", "")
    write(folder / "presets" / "c.conf~", "preset c { host = x.test }\n")
    done = subprocess.run([WAYBILL, "presets", "-c", "w.conf"], cwd=folder, text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 78
    assert done.stderr == 'presets/a.conf:1: hots: unknown option; did you mean "host"?\n'
    assert [line.split()[0] for line in done.stdout.splitlines()] == sorted({*SHIPPED, "b"})


@pytest.mark.parametrize("args", [["--nonsense"], ["-c"], ["a", "b"]])
def test_usage(args):
    assert "try waybill presets --help" in presets(*args, status=64)


def test_help():
    assert presets("--help").startswith("usage: waybill presets")
