"""Engines for tests: those that are not installed skip a test, but fail it in CI."""

import os

import pytest

from gfr import engines
from gfr.engines.base import Engine


def engine(name: str) -> Engine:
    """The engine of that name; CI installs every one (`make engines`)."""
    found = engines.get(name)
    if why := found.unavailable():
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return found
