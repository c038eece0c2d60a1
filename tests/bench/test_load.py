"""The load of `make bench`, untimed: it takes right answers and no others."""

import json

import pytest

from filters import DoNothing, Floor, SameChanges, Waybill


@pytest.fixture(name="make")
def fixture_make(tmp_path):
    """make(Waybill, ...): started, and ended with the test."""
    made = []

    def make(which, *arguments, **options):
        made.append(which(tmp_path, *arguments, **options))
        return made[-1].start()

    yield make
    for one in made:
        one.stop()


def figures(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("scheme", ["unix", "inet"])
@pytest.mark.parametrize("kind", ["domain", "header"])
def test_every_answer_of_waybill_is_right(make, scheme, kind):
    waybill = make(Waybill, scheme, rules=50, kind=kind)
    for connections, recipients in (1, 1), (7, 3), (20, 10):
        seen = figures(waybill.load("-n", 100, "-R", 50, "-c", connections, "-r", recipients))
        assert seen["messages"] == 100
    assert seen["cpu_us"] > 0 and seen["peak_kb"] >= seen["resident_kb"] > 1000


@pytest.mark.parametrize("kind", [Floor, SameChanges, DoNothing])
def test_the_filters_to_compare_with(make, kind):
    seen = figures(make(kind).load("-n", 100, "-c", 512, "-r", 2))
    assert seen["messages"] == 100
    assert 0 < seen["p50_us"] <= seen["p99_us"] <= seen["p999_us"]


def test_it_ends_after_a_time(make):
    assert figures(make(Floor).load("-t", 100, "-w", 10))["messages"] > 0


@pytest.mark.parametrize("line, wrong", [
    ("addheader\tX-Waybill-Route\tr%d", "addheader\tX-Waybill-Route\tr0"),
    ("chgfrom\t<info@return.example.com>\n", ""),
    ("*delrcpt\t<%r>", "*delrcpt\t<x%r>"),
    ("%l.waybill", "%lx.waybill"),
    ("chgfrom", "chgfrom\t<info@return.example.com>\nchgfrom"),
])
def test_a_wrong_or_missing_change_is_an_error(make, line, wrong):
    waybill = make(Waybill, rules=50)
    text = (waybill.dir / "answer").read_text()
    assert line in text
    (waybill.dir / "answer").write_text(text.replace(line, wrong))
    done = waybill.load("-n", 100, "-R", 50)
    assert done.returncode == 65 and "wrong answer" in done.stderr


def test_changes_of_a_filter_that_owes_none_are_an_error(make):
    floor = make(Floor)
    (floor.dir / "answer").write_text("")
    done = floor.load("-n", 10)
    assert done.returncode == 65 and "wrong answer" in done.stderr


def test_a_wrong_rule_is_an_error(make):
    """By 40 rules, some of the messages for 50 find none."""
    assert make(Waybill, rules=40).load("-n", 100, "-R", 50).returncode == 65


@pytest.mark.parametrize("answer", ["addheader\tX", "addhaeder\tX\ty", "*", "chgfrom\ta\tb\tc"])
def test_an_answer_that_is_not_understood(make, answer):
    floor = make(Floor)
    (floor.dir / "answer").write_text(answer + "\n")
    done = floor.load("-n", 1)
    assert done.returncode == 64 and "not understood" in done.stderr


def test_a_filter_that_is_gone(make):
    floor = make(Floor)
    floor.stop()
    assert floor.load("-n", 1).returncode == 69
