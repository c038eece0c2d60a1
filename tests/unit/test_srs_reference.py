"""SRS addresses made here decode with Perl's Mail::SRS, the reference, under
the same secret, and the other way round."""

import random
import shutil
import string
import subprocess

import pytest

KEY = "0123456789abcdef"  # also in test_srs.c
NOW = 1_700_000_000
DAY = 86_400
MAX_AGE = 10
# Mail::SRS knows no clock skew: our last day is its MaxAge.
PERL_MAX_AGE = MAX_AGE + 1
COUNT = 10_000

# The protocol of `test_srs --lines`, spoken by the reference.
PERL = r"""
my $now = 0;
BEGIN { *CORE::GLOBAL::time = sub { $now } }
use Mail::SRS;
$SIG{__WARN__} = sub { };
my $srs = new Mail::SRS(Secret => [$ARGV[0]], MaxAge => $ARGV[1],
                        AlwaysRewrite => 1);
while (<STDIN>) {
    chomp;
    my ($what, $address, $domain);
    ($what, $now, $address, $domain) = split / /;
    my $out = eval { $what eq 'F' ? $srs->forward($address, $domain)
                                  : $srs->reverse($address) };
    print defined $out ? $out : '!', "\n";
}
"""


def run(command, lines):
    """Every answer to lines, of a program that answers line by line."""
    text = "".join(line + "\n" for line in lines)
    done = subprocess.run(command, input=text, capture_output=True, check=True,
                          encoding="utf-8", timeout=120)
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines), done.stderr
    return answers


@pytest.fixture(scope="module", name="perl")
def _perl():
    probe = ["perl", "-MMail::SRS", "-e", "1"]
    if shutil.which("perl") is None or subprocess.run(
            probe, capture_output=True, check=False).returncode != 0:
        pytest.skip("Perl's Mail::SRS is missing (Debian: libmail-srs-perl)")
    return ["perl", "-e", PERL, KEY, str(PERL_MAX_AGE)]


@pytest.fixture(scope="module", name="ours")
def _ours(build):
    return [build / "unit" / "test_srs", "--lines", str(MAX_AGE)]


def senders():
    """Addresses that need no quotes, which Mail::SRS knows nothing of."""
    rng = random.Random(3)
    atext = string.ascii_letters + string.digits + "!#$%&'*+-/=?^_`{|}~あé"
    tlds = ["test", "example.com", "co.jp"]
    made = []
    for _ in range(COUNT):
        atoms = ["".join(rng.choices(atext, k=rng.randint(1, 6)))
                 for _ in range(rng.randint(1, 3))]
        label = "".join(rng.choices(string.ascii_letters + string.digits, k=rng.randint(1, 8)))
        made.append(f"{'.'.join(atoms)}@{label.lower()}.{rng.choice(tlds)}")
    return made


def test_ours_decodes_with_the_reference(perl, ours):
    plain = senders()
    made = run(ours, [f"F {NOW} {s} return.test" for s in plain])
    assert "!" not in made
    assert run(perl, [f"R {NOW} {a}" for a in made]) == plain


def test_the_reference_decodes_with_ours(perl, ours):
    plain = senders()
    made = run(perl, [f"F {NOW} {s} return.test" for s in plain])
    assert run(ours, [f"R {NOW} {a}" for a in made]) == plain


def test_both_make_the_same_on_any_day(perl, ours):
    lines = [f"F {NOW + i * DAY} {s} return.test" for i, s in enumerate(senders()[:2000])]
    assert run(ours, lines) == run(perl, lines)


def test_what_was_forwarded_before_becomes_the_same_srs1(perl, ours):
    """Three hops under one secret, each time through the other program."""
    plain = [s for s in senders() if len(s) < 24]
    first = run(perl, [f"F {NOW} {s} first.test" for s in plain])
    # To another host's key these are foreign; here the hash is made so.
    first = [a.replace("=", "=Zz", 1) for a in first]
    for hop, domain in enumerate(["b.test", "c.test", "d.test"]):
        lines = [f"F {NOW} {a} {domain}" for a in first]
        seconds = [run(ours, lines), run(perl, lines)]
        assert seconds[0] == seconds[1]
        assert all(a.startswith("SRS1=") for a in seconds[0])
        back = [f"R {NOW} {a}" for a in seconds[0]]
        origin = run(perl, back)
        assert run(ours, back) == origin
        if hop == 0:
            assert origin == first
        # Altered, or we would leave it: our own is never signed twice.
        first = [a.replace("SRS1=", "SRS1=Zz", 1) for a in seconds[0]]


def test_folded_case_is_read_by_both(perl, ours):
    plain = [s for s in senders() if s.isascii()]
    made = [a.lower() for a in run(ours, [f"F {NOW} {s} return.test" for s in plain])]
    lines = [f"R {NOW} {a}" for a in made]
    expected = [s.lower() for s in plain]
    assert run(perl, lines) == expected
    assert run(ours, lines) == expected


def test_both_agree_on_every_age(perl, ours):
    """All 1,024 days of the cycle, wrap included. But tomorrow's we take: the
    signer's clock may be a day ahead."""
    [made] = run(ours, [f"F {NOW} info@example.com return.test"])
    lines = [f"R {NOW + age * DAY} {made}" for age in range(1024)]
    reference, answers = run(perl, lines), run(ours, lines)
    good = "info@example.com"
    assert answers[:MAX_AGE + 2] == [good] * (MAX_AGE + 1) + [good]
    assert answers[MAX_AGE + 2] == "!"
    assert (reference[-1], answers[-1]) == ("!", good)
    assert answers[:-1] == reference[:-1]
