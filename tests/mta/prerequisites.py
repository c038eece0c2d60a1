"""What a test needs beyond the programs under test."""

import pytest


def need(*reasons):
    """Skip with the first reason that there is."""
    for reason in filter(None, reasons):
        pytest.skip(reason)
