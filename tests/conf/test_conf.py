"""Configurations and what `waybill check` says about them.

A case is a file: good/NAME.conf or bad/NAME.conf. The lines it expects on
stderr, exactly and in order, stand at its top:

    # expect: NAME.conf:5: port: "5x7" is not a number; 1 to 65535 is right

A good one exits with 0 and may expect warnings; a bad one exits with 78.
parts/ holds what cases include. Each case runs in a copy of its folder that
has, beside it, `secret` (0640) and `password` (0600).
"""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("WAYBILL_BUILD", HERE.parent.parent / "build"))
WAYBILL = BUILD.resolve() / "waybill"
PASSWORD = "correct horse battery staple"


def cases(kind):
    return [pytest.param(p, id=p.stem)
            for p in sorted((HERE / kind).glob("*.conf"))]


def expected(path):
    mark = "# expect: "
    return [line[len(mark):] for line in path.read_text().splitlines()
            if line.startswith(mark)]


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def add_secrets(folder):
    write(folder / "secret", "k" * 44 + "\n", 0o640)
    write(folder / "password", PASSWORD + "\n", 0o600)
    write(folder / "token", "t0ken.of-webhook\n", 0o640)
    write(folder / "keys", "new key of webhook\nold key of webhook\n", 0o640)


@pytest.fixture
def folder(tmp_path):
    add_secrets(tmp_path)
    return tmp_path


def check(folder, *args):
    """Returns the exit status and the lines of stderr; stdout stays empty."""
    done = subprocess.run([WAYBILL, "check", *args], cwd=folder, text=True,
                          errors="replace", capture_output=True, timeout=60)
    assert done.stdout == ""
    assert PASSWORD not in done.stderr
    return done.returncode, done.stderr.splitlines()


def check_text(folder, text, **files):
    """Check text as w.conf, with other files beside it."""
    write(folder / "w.conf", text)
    for name, content in files.items():
        write(folder / name, content)
    return check(folder, "-c", "w.conf")


@pytest.mark.parametrize("path", cases("good"))
def test_good(path, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(path.parent, folder)
    add_secrets(folder)
    status, lines = check(folder, "-c", path.name)
    assert lines == expected(path)
    assert status == 0


@pytest.mark.parametrize("path", cases("bad"))
def test_bad(path, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(path.parent, folder)
    add_secrets(folder)
    status, lines = check(folder, "-c", path.name)
    assert lines == expected(path)
    assert any(": warning: " not in line for line in lines)
    assert status == 78


ROUTE = ('route a { host = "relay.example.com" username = "u"\n'
         ' password_file = "password" }\n'
         'rule r { route = a }\n')


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660, 0o666])
def test_password_that_others_can_read(folder, mode):
    (folder / "password").chmod(mode)
    password = folder / "password"
    assert check_text(folder, ROUTE) == (78, [
        f"w.conf:2: password_file: {password} has mode {mode:04o}; "
        f"chmod 600 {password}"])


HOOK = 'webhook a { url = "https://app.example.com/" format = raw %s = "key" %s}\n' \
       'bounces { domains = "b.example.com" webhook = a }\n'


def hook(option):
    return HOOK % (option, 'username = "u" ' if option == "password_file" else "")


KEY_FILES = ("password_file", "token_file", "signing_key_file")


@pytest.mark.parametrize("option", KEY_FILES)
@pytest.mark.parametrize("mode, is_right", [(0o600, True), (0o640, True), (0o440, True),
                                            (0o644, False), (0o660, False), (0o604, False)])
def test_key_that_others_can_read(folder, option, mode, is_right):
    key = write(folder / "key", "0123456789abcdef\n", mode)
    assert check_text(folder, hook(option)) == ((0, []) if is_right else (78, [
        f"w.conf:1: {option}: {key} has mode {mode:04o} and can be read by others or "
        f"written by its group; chmod 640 {key}"]))


EMPTY = "the file is empty, or has an empty line; the key alone on its line is right"


@pytest.mark.parametrize("content, fault", [
    ("", EMPTY),
    ("\n", EMPTY),
    ("\n0123456789abcdef\n", EMPTY),
    ("0123456789abcdef\0\n", "the file holds a NUL octet; plain text is right"),
    ("0123456789abcdef\r\n", "a line begins or ends with a blank; leave it out"),
    (" 0123456789abcdef", "a line begins or ends with a blank; leave it out"),
    ("01234567\x0189abcdef", "a line holds a control character; plain text is right"),
    ("a" * 1024, "a line is too long; at most 1023 octets are right"),
    ("a" * 99999, "a line is too long; at most 1023 octets are right"),
])
@pytest.mark.parametrize("option", KEY_FILES)
def test_key_content(folder, option, content, fault):
    key = write(folder / "key", content, 0o640)
    assert check_text(folder, hook(option)) == (78, [f"w.conf:1: {option}: {key}: {fault}"])


@pytest.mark.parametrize("option, content, fault", [
    ("token_file", "a b", "the token holds more than letters, digits and signs of ASCII"),
    ("token_file", "a\u3042", "the token holds more than letters, digits and signs of ASCII"),
    ("password_file", "a\nb\n",
     "the file has several lines; the key alone on its only line is right"),
    ("signing_key_file", "0123456789abcde", "key 1 has 15 octets; 16 to 1023 are right"),
    ("signing_key_file", "0123456789abcdef\nshort\n",
     "key 2 has 5 octets; 16 to 1023 are right"),
    ("signing_key_file", "0123456789abcdef\n" * 3,
     "the file has more than two lines; the new key and the old one are right"),
])
def test_key_content_by_its_use(folder, option, content, fault):
    key = write(folder / "key", content, 0o640)
    status, lines = check_text(folder, hook(option))
    assert (status, lines) == (78, [f"w.conf:1: {option}: {key}: {fault}"])


@pytest.mark.parametrize("octets, is_right", [
    (b"geheim\n", True), ("\u79d8\u5bc6\n".encode(), True), (b"gehe\xefm\n", False)])
def test_api_key_is_text(folder, octets, is_right):
    key = folder / "key"
    write(key, "", 0o640)
    key.write_bytes(octets)
    text = hook("api_key_file").replace("format = raw", "format = cmc")
    assert check_text(folder, text) == ((0, []) if is_right else (
        78, [f"w.conf:1: api_key_file: {key}: the key is not UTF-8"]))


def test_key_files_that_are_none(folder):
    missing = folder / "key"
    assert check_text(folder, hook("token_file")) == (
        78, [f"w.conf:1: token_file: {missing} cannot be read: No such file or directory"])
    os.mkfifo(missing, 0o600)
    assert check_text(folder, hook("token_file")) == (
        78, [f"w.conf:1: token_file: {missing} is not a regular file"])


def test_ca_file_of_a_webhook(folder):
    ca = folder / "key"
    assert check_text(folder, hook("ca_file")) == (
        78, [f"w.conf:1: ca_file: {ca} cannot be read: No such file or directory"])
    write(ca, "no certificate\n")
    assert check_text(folder, hook("ca_file")) == (
        78, [f"w.conf:1: ca_file: {ca} holds no certificate; one or more in PEM are right"])


@pytest.mark.parametrize("content, fault", [
    ("", "the file is empty; the password stands on its only line"),
    ("\n", "the file is empty; the password stands on its only line"),
    ("a\nb\n", "the file has several lines; the password stands on its only "
               "line"),
    ("a\r\n", "the password holds a NUL or CR; one plain line is right"),
    ("a\0b\n", "the password holds a NUL or CR; one plain line is right"),
    (" a\n", "the password begins or ends with a blank, which Postfix's "
             "tables would lose"),
    ("a" * 1024, "the password is too long; at most 1023 octets are right"),
    ("a" * 9999, "the password is too long; at most 1023 octets are right"),
])
def test_password_content(folder, content, fault):
    password = write(folder / "password", content, 0o600)
    assert check_text(folder, ROUTE) == (78, [
        f"w.conf:2: password_file: {password}: {fault}"])


@pytest.mark.parametrize("content", ["pass", "pass\n", "p a s s\n", "a" * 1023])
def test_password_is_fine(folder, content):
    write(folder / "password", content, 0o600)
    assert check_text(folder, ROUTE) == (0, [])


def test_password_file_is_missing(folder):
    (folder / "password").unlink()
    assert check_text(folder, ROUTE) == (78, [
        f"w.conf:2: password_file: {folder}/password cannot be read: "
        "No such file or directory"])


def test_password_file_is_a_folder(folder):
    (folder / "password").unlink()
    (folder / "password").mkdir()
    assert check_text(folder, ROUTE) == (78, [
        f"w.conf:2: password_file: {folder}/password is not a regular file"])


def test_secret_is_missing(folder):
    (folder / "secret").unlink()
    status, lines = check_text(folder, 'secret_file = "secret"\n')
    assert status == 78
    assert len(lines) == 1
    assert lines[0].startswith("w.conf:1: secret_file: ")
    assert lines[0].endswith("(umask 027; head -c 32 /dev/urandom | base64 > "
                             "secret) makes one")


def test_secret_that_others_can_read(folder):
    (folder / "secret").chmod(0o644)
    status, lines = check_text(folder, "")
    assert status == 78
    assert len(lines) == 1
    assert lines[0].startswith("w.conf: secret_file: ")


def test_secret_that_is_too_short_is_never_shown(folder):
    write(folder / "secret", "# mine\nabc123\n", 0o640)
    status, lines = check_text(folder, "")
    assert status == 78
    assert len(lines) == 1
    assert lines[0].startswith("secret:2: ")
    assert "abc123" not in lines[0]


def test_missing_file(folder):
    assert check(folder, "-c", "none.conf") == (78, [
        "none.conf: cannot be read: No such file or directory; -c FILE names "
        "another"])


def test_folder_instead_of_file(folder):
    (folder / "d").mkdir()
    assert check(folder, "-c", "d") == (78, [
        "d: cannot be read: it is a directory; -c FILE names another"])


def test_nul_octet(folder):
    assert check_text(folder, b"user = a\nuser\0 = b\n") == (78, [
        "w.conf:2: cannot be read: it holds a NUL octet, so it is not text; "
        "-c FILE names another"])


def test_empty_file(folder):
    assert check_text(folder, "") == (0, [])


def test_byte_order_mark_and_crlf(folder):
    assert check_text(folder, b"\xef\xbb\xbfuser = a\r\n# x\r\npid_file = ''"
                      ) == (0, [])


def test_control_characters_are_not_printed(folder):
    status, lines = check_text(folder, b'user\x1b[31m = x\nmta = "\x1b[31m"\n')
    assert status == 78
    assert lines == [
        'w.conf:1: user?[31m: unknown option; waybill.conf(5) names all',
        'w.conf:2: mta: "?[31m" is not known; postfix or sendmail is right']


def test_line_break_by_the_environment(folder, monkeypatch):
    monkeypatch.setenv("NAME", "a\nb")
    assert check_text(folder, 'user = "${NAME}"\n') == (78, [
        "w.conf:1: user: holds a line break; one line is right"])


def test_environment(folder, monkeypatch):
    monkeypatch.setenv("RELAY", "relay.example.com")
    assert check_text(folder, 'route a { host = "${RELAY}" }\n'
                      'rule r { route = "a" }\n') == (0, [])


def test_relative_paths_start_at_their_own_file(tmp_path):
    inner = tmp_path / "etc" / "conf.d"
    write(tmp_path / "etc" / "w.conf", 'include = { "conf.d/*.conf" }\n')
    write(inner / "a.conf", ROUTE)
    add_secrets(inner)
    (inner / "secret").rename(tmp_path / "etc" / "secret")
    assert check(tmp_path, "-c", "etc/w.conf") == (0, [])


def test_unreadable_include(folder):
    (folder / "x.conf").symlink_to("x.conf")
    assert check_text(folder, "include = x.conf\n") == (78, [
        "w.conf:1: include: x.conf cannot be read: Too many levels of symbolic "
        "links"])


@pytest.mark.parametrize("option", ["include", "rule_table"])
def test_a_file_that_never_ends(folder, option):
    assert check_text(folder, f"{option} = /dev/zero\n") == (78, [
        f"w.conf:1: {option}: /dev/zero cannot be read: it is not a regular "
        "file"])


def test_a_pipe_that_nobody_writes_to(folder):
    os.mkfifo(folder / "x")
    assert check_text(folder, "include = x\n") == (0, [])
    assert check_text(folder, "rule_table = x\n") == (78, [
        "w.conf:1: rule_table: x cannot be read: its first line, which names "
        "the columns, is missing"])


def test_all_errors_of_all_files_at_once(folder):
    files = {f"part{i:02}.conf":
             f"wrong{i} = 1\nroute r{i} {{\n  port = {i}x\n}}\n"
             for i in range(40)}
    files["rules.tsv"] = "route\tpriority\n" + "nowhere\tx\n" * 100
    status, lines = check_text(
        folder, 'include = { "part*.conf" }\nrule_table = "rules.tsv"\n',
        **files)
    assert status == 78
    assert len(lines) == 40 * 3 + 100 * 2
    for i in range(40):
        mine = [line for line in lines if line.startswith(f"part{i:02}.conf:")]
        assert [line.split(": ")[:2] for line in mine] == [
            [f"part{i:02}.conf:1", f"wrong{i}"],
            [f"part{i:02}.conf:2", f"route r{i}"],
            [f"part{i:02}.conf:3", "port"]]


def test_very_many_unknown_names(folder):
    text = "".join(f"wrong{i} = 1\n" for i in range(200))
    status, lines = check_text(folder, text)
    assert status == 78
    assert len(lines) == 51
    assert lines[-1] == ("w.conf:51: wrong50: unknown option; the rest of this "
                         "file is not read and may have more errors")


def test_one_broken_file_does_not_hide_another(folder):
    status, lines = check_text(
        folder, 'include = { "a.conf", "b.conf" }\n',
        **{"a.conf": "route a {\n", "b.conf": "match_limit = 1\n"})
    assert (status, lines) == (78, [
        "a.conf:1: route a: the section is not closed; a } is missing after "
        "its last option",
        "b.conf:1: match_limit: 1 is out of bounds; 1000 to 10000000 is right"])


def test_many_table_rows(folder):
    rows = "".join(f"{i}\tu{i}@d{i}.example.com, .x{i}.example.com\t"
                   f"To: info{i}@\tr{i % 100}\n" for i in range(10000))
    routes = "".join(f"r{i}\th{i}.example.com\n" for i in range(100))
    assert check_text(
        folder, 'rule_table = "rules.tsv"\nroute_table = "routes.tsv"\n',
        **{"rules.tsv": "priority\trecipients\theader\troute\n" + rows,
           "routes.tsv": "name\thost\n" + routes}) == (0, [])


def test_many_sections(folder):
    text = "".join(f'route r{i} {{ host = "h{i}.example.com" }}\n'
                   f'rule x{i} {{ senders = "d{i}.example.com" route = r{i} }}\n'
                   for i in range(5000))
    assert check_text(folder, text) == (0, [])


def test_help(folder):
    done = subprocess.run([WAYBILL, "check", "--help"], text=True,
                          capture_output=True, timeout=10)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: waybill check" in done.stdout


@pytest.mark.parametrize("args", [["--nonsense"], ["-c"], ["extra"]])
def test_usage(folder, args):
    status, lines = check(folder, *args)
    assert status == 64
    assert lines == [f'waybill check: "{args[-1]}" is not understood; '
                     "try waybill check --help"]


CLIENT = ('route a { host = "relay.example.com" tls = tls\n'
          ' cert_file = "cert.pem"\n key_file = "key.pem" }\n'
          'rule r { route = a }\n')


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def make_certificate(folder, name="", days="2", kind="ec"):
    """A certificate and its key, cert.pem and key.pem."""
    more = ["-pkeyopt", "ec_paramgen_curve:prime256v1"] if kind == "ec" else []
    key, request = folder / f"{name}key.pem", folder / f"{name}request.pem"
    openssl("req", "-newkey", kind, *more, "-nodes", "-subj", "/CN=client.example.com",
            "-keyout", key, "-out", request)
    openssl("x509", "-req", "-in", request, "-signkey", key, "-days", days,
            "-out", folder / f"{name}cert.pem")
    key.chmod(0o600)


@pytest.mark.parametrize("kind", ["ec", "rsa:2048"])
def test_client_certificate(folder, kind):
    make_certificate(folder, kind=kind)
    assert check_text(folder, CLIENT) == (0, [])


def test_key_that_others_can_read(folder):
    make_certificate(folder)
    key = folder / "key.pem"
    key.chmod(0o640)
    assert check_text(folder, CLIENT) == (78, [
        f"w.conf:3: key_file: {key} has mode 0640; chmod 600 {key}"])


def test_key_of_another_certificate(folder):
    make_certificate(folder)
    make_certificate(folder, "other-")
    (folder / "other-key.pem").rename(folder / "key.pem")
    assert check_text(folder, CLIENT) == (78, [
        f"w.conf:3: key_file: {folder}/key.pem is not the key of {folder}/cert.pem"])


def test_files_that_are_neither_certificate_nor_key(folder):
    for name in ("cert.pem", "key.pem"):
        write(folder / name, "-----BEGIN NONSENSE-----\n", 0o600)
    assert check_text(folder, CLIENT) == (78, [
        f"w.conf:2: cert_file: {folder}/cert.pem holds no certificate (PEM)",
        f"w.conf:3: key_file: {folder}/key.pem holds no key (PEM) that can be used without a "
        "passphrase"])


def test_certificate_that_is_missing(folder):
    assert check_text(folder, CLIENT) == (78, [
        f"w.conf:{line}: {name}_file: {folder}/{name}.pem cannot be read: "
        "No such file or directory" for line, name in ((2, "cert"), (3, "key"))])


def test_key_with_a_passphrase(folder):
    make_certificate(folder)
    openssl("pkey", "-in", folder / "key.pem", "-aes256", "-passout", "pass:secret",
            "-out", folder / "locked.pem")
    (folder / "locked.pem").rename(folder / "key.pem")
    (folder / "key.pem").chmod(0o600)
    status, lines = check_text(folder, CLIENT)
    assert status == 78
    assert "without a passphrase" in lines[0]


def test_fallback_has_the_same_certificate(folder):
    make_certificate(folder)
    text = CLIENT.replace('"key.pem"', '"key.pem" fallback = { "b", "c" }')
    more = 'route b { host = "b.example.com" tls = tls }\n'
    more += 'route c { host = "c.example.com" tls = tls cert_file = "cert.pem" key_file = "key.pem" }\n'
    assert check_text(folder, text + more) == (78, [
        'w.conf:3: fallback: "b" has another cert_file; the relays of one route share tls, '
        "auth, ca_file and cert_file"])


def test_expired_certificate_is_warned_of(folder):
    make_certificate(folder, days="-1")
    assert check_text(folder, CLIENT) == (0, [
        f"w.conf:2: warning: cert_file: {folder}/cert.pem has expired"])
