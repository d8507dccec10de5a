"""Slow-downs that are put into measurements on purpose. Does not import gfr."""

import time
from collections.abc import Callable
from typing import Any


def slowed(call: Callable[..., Any], factor: float) -> Callable[..., Any]:
    """The same call, made `factor` times as long by busy waiting."""

    def run(*arguments: object) -> Any:
        start_s = time.perf_counter()
        value = call(*arguments)
        end_s = start_s + factor * (time.perf_counter() - start_s)
        while time.perf_counter() < end_s:
            pass
        return value

    return run
