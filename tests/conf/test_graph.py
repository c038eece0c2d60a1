"""`waybill graph`: what is drawn, that nothing breaks out of its place, and
that very much of it is drawn in groups."""
import html.parser
import os
import re
import shutil
import subprocess

import pytest

from test_conf import WAYBILL, folder, write  # noqa: F401

PASSWORD = "hunter2-hunter2"
TEXT = f"""\
route docomo {{ host = "smtp.docomo.test"  username = "shop"  password_file = "secrets/docomo"
               fallback = {{ "[192.0.2.9]:26" }} }}
route bulk   {{ host = "[192.0.2.25]"  port = 2525 }}
route idle   {{ host = "[192.0.2.26]" }}
rule mobile  {{ priority = 10  recipients = {{ "docomo.ne.jp" }}  senders = {{ "shop.test" }}
               route = docomo }}
rule rest    {{ route = bulk }}
return_path main {{ senders = {{ "shop.test" }}  domain = "return.shop.test" }}
bounces {{ domains = {{ "return.shop.test" }}  webhook = crm }}
inbound form {{ domains = {{ "form.test" }}  header = "To"  match = 'info@'  webhook = crm }}
webhook crm {{ url = "https://app.test:8443/hook/{PASSWORD}?key={PASSWORD}"  api_key_file = "secrets/crm" }}
"""


def graph(folder, *words, text=None, ok=True, **kwargs):  # noqa: F811
    if text is not None:
        write(folder / "w.conf", text)
        write(folder / "secret", "s" * 40, 0o640)
        write(folder / "secrets/docomo", PASSWORD, 0o600)
        write(folder / "secrets/crm", PASSWORD, 0o600)
    done = subprocess.run([WAYBILL, "graph", "-c", "w.conf", *words], cwd=folder, text=True,
                          capture_output=True, timeout=120, check=False, **kwargs)
    assert done.returncode == 0 or not ok, done.stderr
    return done


def drawn(dot):
    """(the nodes by name: their labels, the edges), as dot itself reads them."""
    plain = subprocess.run(["dot", "-Tplain"], input=dot, text=True, check=True,
                           capture_output=True, timeout=120).stdout
    word = r'("(?:\\.|[^"\\])*"|\S+)'
    nodes = dict(re.findall(rf"^node (\S+) \S+ \S+ \S+ \S+ {word}", plain, re.M))
    edges = set(re.findall(r"^edge (\S+) (\S+) ", plain, re.M))
    return nodes, edges


class Page(html.parser.HTMLParser):
    """Elements, attributes and texts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.attributes, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)


def test_the_picture(folder):  # noqa: F811
    done = graph(folder, text=TEXT)
    nodes, edges = drawn(done.stdout)
    assert {("sender_0", "rule_0"), ("rule_0", "route_1"), ("rule_1", "route_2"),
            ("path_1", "bounces_0"), ("bounces_0", "webhook_0"), ("inbound_0", "webhook_0")} <= edges
    relays = {name: label for name, label in nodes.items() if name.startswith("relay_")}
    assert len(relays) == 4
    to = {relays[b] for a, b in edges if a == "route_1"}
    assert to == {r'"smtp.docomo.test\nport 587"', r'"[192.0.2.9]\nport 26"'}
    assert nodes["rule_0"] == r'"rule mobile\npriority 10\nto docomo.ne.jp"'
    assert nodes["sender_0"] == '"shop.test"' and nodes["sender_1"] == '"any sender"'
    assert nodes["webhook_0"] == r'"webhook crm\napp.test:8443"'


def test_the_page(folder):  # noqa: F811
    assert graph(folder, "--html", "page.html", text=TEXT).stdout == ""
    text = (folder / "page.html").read_text()
    assert graph(folder, "--html", "-").stdout == text
    page = Page(text)
    assert page.elements.count("svg") == 1 and page.elements.count("table") == 6
    texts = "\n".join(page.texts)
    assert "route idle: no rule uses it" in texts and "smtp.docomo.test port 587" in texts
    assert {v for k, v in page.attributes if k == "id" and v} >= {
        "rules", "routes", "return_paths", "inbound", "bounces", "webhooks", "problems", "picture",
        "rule_0", "route_1", "relay_0", "webhook_0"}


@pytest.mark.parametrize("words", [[], ["--html"], ["--html", "--no-picture"]])
def test_no_password_is_shown(folder, words):  # noqa: F811
    done = graph(folder, *words, text=TEXT)
    assert PASSWORD not in done.stdout + done.stderr and "s" * 40 not in done.stdout


HOSTILE = """\
# <script>document.title = "comment"</script>
route a {{ host = "[192.0.2.1]"  username = '{0}'  password_file = "secrets/docomo" }}
rule evil {{ recipients = {{ '/{1}/' }}  logins = {{ '{0}' }}  route = a }}
rule more {{ logins = {{ '{0}' }}  senders = {{ '/{1}x/' }}  route = a }}
"""
EVILS = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', r'\\"; x [label=<b>]; "',
         '&lt;script&gt;', '</svg><script>x</script>', '-->]]>', r'\N\G\E\l\r', '%s%n{}', 'café \U0001f4e6',
         '‮gpj', '{a|b}', "x" * 5000]


@pytest.mark.parametrize("evil", EVILS, ids=range(len(EVILS)))
def test_nothing_breaks_out(folder, evil):  # noqa: F811
    text = HOSTILE.format(evil, re.escape(evil).replace("\\", "\\\\"))
    done = graph(folder, text=text)
    nodes, edges = drawn(done.stdout)
    assert set(nodes) == {"sender_0", "sender_1", "rule_0", "rule_1", "route_0", "route_1", "relay_0"}
    assert edges == {("sender_0", "rule_0"), ("sender_1", "rule_1"), ("rule_0", "route_1"),
                     ("rule_1", "route_1"), ("route_1", "relay_0")}
    page = Page(graph(folder, "--html").stdout)
    allowed = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "br", "code", "ul",
               "li", "div", "svg", "g", "polygon", "text", "path", "ellipse", "polyline", "table",
               "tr", "th", "td", "span"}
    assert set(page.elements) <= allowed
    assert not [k for k, _ in page.attributes if k.startswith("on") or k in ("src", "href")]
    if evil.isascii() and len(evil) < 100:
        # a backslash before a backslash escapes it, in single quotes, too
        assert evil.replace("\\\\", "\\") in "".join(page.texts)


def test_what_is_no_utf_8(folder):  # noqa: F811
    text = TEXT.replace('"shop"', '"sh\udcffop\udcc0\udcaf"').encode("utf-8", "surrogateescape")
    done = graph(folder, text=text)
    nodes, _ = drawn(done.stdout)
    assert "sh�op��" in nodes["route_1"]
    assert "sh�op��" in graph(folder, "--html").stdout


def big(rules, routes, relays):
    text = "".join(f'route r{i} {{ host = "h{i % relays}.test" }}\n' for i in range(routes))
    text += "".join(f'rule n{i} {{ recipients = {{ "d{i}.test" }} route = r{i % routes} }}\n'
                    for i in range(rules))
    return text + "rule d { recipients = { \"x.test\" } route = direct }\n"


@pytest.mark.parametrize("rules, routes, relays, groups, drawn_relays", [
    (1000, 50, 50, {"20 rules": 50}, 50), (100, 1000, 10, {"100 routes": 10}, 10),
    (3000, 1200, 10, {"300 rules": 10, "120 routes": 10}, 10),
    (3000, 3000, 3000, {"3000 rules": 1, "3000 routes": 1, "3000 relays": 1}, 0)])
def test_very_many(folder, rules, routes, relays, groups, drawn_relays):  # noqa: F811
    done = graph(folder, text=big(rules, routes, relays))
    nodes, edges = drawn(done.stdout)
    assert len(nodes) < 700
    for label, count in groups.items():
        assert list(nodes.values()).count(f'"{label}"') == count, label
    assert len([n for n in nodes if n.startswith("relay_")]) == drawn_relays
    text = graph(folder, "--html").stdout
    assert "only groups are drawn" in text
    page = Page(text)
    assert page.elements.count("tr") == min(rules + 1, 2000) + min(routes + 1, 2000) + 2
    assert ("more are not shown" in text) == (max(rules, routes) + 1 > 2000)
    # every edge leads from and to a node that was made
    assert not [label for label in nodes.values() if re.fullmatch(r"(rules?|routes?|relays?)_\d+", label)]


def test_a_table_of_20000_rules(folder):  # noqa: F811
    rows = "".join(f"r{i}\td{i}.test\ta\n" for i in range(20000))
    write(folder / "rules.tsv", "name\trecipients\troute\n" + rows)
    done = graph(folder, "--html", text='route a { host = "a.test" }\nrule_table = "rules.tsv"\n')
    assert "20000 rules" in done.stdout and "18000 more are not shown" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide a program")
def test_without_dot(folder):  # noqa: F811
    """A PATH of the tool's own making holds sbin and /usr/bin, so dot can only be
    hidden where the whole of the file system is another."""
    graph(folder, text=TEXT)
    hide = 'mount --bind /dev/null "$1" && shift && exec "$@"'
    done = subprocess.run(["unshare", "--mount", "sh", "-c", hide, "sh",
                           os.path.realpath(shutil.which("dot")), WAYBILL, "graph", "-c", "w.conf",
                           "--html"], cwd=folder, text=True, capture_output=True, timeout=60)
    assert done.returncode == 69 and "install graphviz" in done.stderr and done.stdout == ""
    done = graph(folder, "--html", "--no-picture")
    assert "<svg" not in done.stdout and '<table id="rules">' in done.stdout


@pytest.mark.parametrize("words, status", [
    (["--no-picture"], 64), (["a", "b"], 64), (["--bogus"], 64), (["/nonexistent/x"], 73)])
def test_usage(folder, words, status):  # noqa: F811
    assert graph(folder, *words, text=TEXT, ok=False).returncode == status


def test_a_faulty_configuration(folder):  # noqa: F811
    done = graph(folder, text="route x { }\n", ok=False)
    assert done.returncode == 78 and done.stdout == ""
