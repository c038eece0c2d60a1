"""The page of `waybill graph --html` in a real browser: chromium, headless."""
import subprocess

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

EVIL = "<script>document.title=1</script><img src=x onerror=alert(1)>"
CONF = f"""\
# <script>document.title = "comment"</script>
route docomo {{ host = "smtp.docomo.test"  username = '{EVIL}'  password_file = "password" }}
route bulk   {{ host = "[192.0.2.25]" }}
route idle   {{ host = "[192.0.2.26]" }}
rule mobile  {{ priority = 10  recipients = {{ "docomo.ne.jp" }}  logins = {{ '{EVIL}' }}
               route = docomo }}
rule rest    {{ route = bulk }}
return_path main {{ senders = {{ "example.com" }}  domain = "return.example.com" }}
bounces {{ domains = {{ "return.example.com" }}  webhook = crm }}
webhook crm  {{ url = "https://app.example.com/hook" }}
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    for word in ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1300,1000",
                 f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(word)
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    yield driver
    driver.quit()


@pytest.fixture
def show(browser, build, tmp_path):
    """show(configuration): the page, opened."""
    def run(text):
        (tmp_path / "w.conf").write_text(text)
        for name in ("secret", "password"):
            (tmp_path / name).write_text("p" * 32 + "\n")
            (tmp_path / name).chmod(0o600)
        subprocess.run([build / "waybill", "graph", "-c", "w.conf", "--html", "page.html"],
                       cwd=tmp_path, check=True, capture_output=True, timeout=120)
        browser.get(f"file://{tmp_path}/page.html")
        return browser
    return run


def errors(browser):
    return [entry["message"] for entry in browser.get_log("browser")]


def nodes(browser):
    return {g.get_attribute("id"): g for g in browser.find_elements(By.CSS_SELECTOR, "#picture g.node")}


def test_the_page_in_a_browser(show):
    page = show(CONF)
    assert errors(page) == []
    assert page.title == "waybill"
    found = nodes(page)
    assert set(found) == {"sender_0", "rule_0", "rule_1", "route_0", "route_1", "route_2", "route_3",
                          "relay_0", "relay_1", "relay_2", "path_1", "bounces_0", "webhook_0"}
    for name, node in found.items():      # it is not only there, it takes room
        assert node.is_displayed() and node.rect["width"] > 10 < node.rect["height"], name
    svg = page.find_element(By.CSS_SELECTOR, "#picture svg").rect
    assert svg["width"] > 400 and svg["height"] > 200
    assert "smtp.docomo.test" in found["relay_1"].text + found["relay_2"].text + found["relay_0"].text
    rows = page.find_elements(By.CSS_SELECTOR, "#rules tr")
    assert [row.text.split()[:2] for row in rows[1:]] == [["10", "mobile"], ["100", "rest"]]
    assert "route idle: no rule uses it" in page.find_element(By.ID, "problems").text


def test_no_script_runs_and_none_is_there(show):
    page = show(CONF)
    for tag in ("script", "img", "iframe", "object", "link", "a"):
        assert page.find_elements(By.TAG_NAME, tag) == [], tag
    assert page.title == "waybill" and errors(page) == []
    assert EVIL in page.find_element(By.CSS_SELECTOR, "#rules").text
    assert EVIL[:60] in nodes(page)["route_1"].text
    handlers = page.execute_script(
        "return [...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames())"
        ".filter(n => n.startsWith('on')).length")
    assert handlers == 0


def test_its_policy_would_stop_a_script(show):
    """The second wall: what would be put in is not run."""
    page = show(CONF)
    page.execute_script("const s = document.createElement('script');"
                        "s.textContent = 'document.title = \"ran\"'; document.body.append(s)")
    assert page.title == "waybill"
    assert any("Content Security Policy" in message for message in errors(page))


def test_1000_routes_in_a_browser(show):
    text = "".join(f'route r{i} {{ host = "h{i % 20}.test" }}\n'
                   f'rule n{i} {{ recipients = {{ "d{i}.test" }} route = r{i} }}\n' for i in range(1000))
    page = show(text)
    assert errors(page) == []
    found = nodes(page)
    assert len([n for n in found if n.startswith("routes_")]) == 20
    assert len([n for n in found if n.startswith("relay_")]) == 20
    assert all(node.rect["width"] > 5 for node in found.values())
    assert len(page.find_elements(By.CSS_SELECTOR, "#routes tr")) == 1002
