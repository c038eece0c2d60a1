"""Run every cmocka program of this folder; each is one test here."""

import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = sorted(path.stem for path in HERE.glob("test_*.c"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_unit(build, program):
    done = subprocess.run([build / "unit" / program], capture_output=True,
                          text=True, timeout=300, check=False, cwd=HERE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[  PASSED  ]" in done.stderr + done.stdout, "it ran no test"
