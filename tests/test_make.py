"""make install and make uninstall, below DESTDIR."""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRESETS = [path.name for path in (ROOT / "rules/presets").iterdir()]


def make(target, folder):
    subprocess.run(["make", "-s", "-C", ROOT, target, f"DESTDIR={folder}", "PREFIX=/usr"],
                   check=True, capture_output=True, timeout=300)
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_install_and_uninstall(tmp_path):
    kept = tmp_path / "etc/waybill/waybill.conf"
    kept.parent.mkdir(parents=True)
    kept.write_text("")
    assert make("install", tmp_path) == {
        "etc/waybill/waybill.conf", "usr/bin/waybill", "usr/sbin/waybill-milter",
        "usr/share/man/man1/waybill.1", "usr/share/man/man5/waybill.conf.5",
        "usr/sbin/waybill-lmtp",
        "usr/share/man/man8/waybill-milter.8", "usr/share/man/man8/waybill-lmtp.8",
        "usr/share/waybill/waybill-lmtp.service", "usr/share/waybill/waybill.conf.sample",
        "usr/share/waybill/waybill-milter.service",
        "usr/share/waybill/waybill-pop.service", "usr/share/waybill/waybill-pop.timer",
        "usr/share/waybill/waybill-test.service", "usr/share/waybill/waybill-test.timer",
        "usr/share/waybill/waybill-metrics.service", "usr/share/waybill/waybill-metrics.timer",
        "usr/share/bash-completion/completions/waybill",
        "usr/share/zsh/site-functions/_waybill",
        "usr/share/fish/vendor_completions.d/waybill.fish",
        "usr/share/waybill/waybill-rotate.service", "usr/share/waybill/waybill-rotate.timer",
        *(f"usr/share/waybill/presets/{name}" for name in PRESETS)}
    for unit in (tmp_path / "usr/share/waybill").glob("*.service"):
        text = unit.read_text()
        assert "/usr/local" not in text and re.search(r"/usr/s?bin/waybill", text)
    told = subprocess.run([tmp_path / "usr/bin/waybill", "presets", "gmail"], text=True,
                          check=True, capture_output=True, timeout=60).stdout
    assert f"{tmp_path}/usr/share/waybill/presets/gmail.conf" in told
    assert make("uninstall", tmp_path) == {"etc/waybill/waybill.conf"}
