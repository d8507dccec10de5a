"""How far a stage is, as log records.

In: a stage's name and counts. Out: records of the logger `gfr.progress`, at most two a second,
that carry `step`, `done`, `total` and `unit`; what listens decides how to show them. Never prints.
"""

import logging
import time
from collections.abc import Callable

LOGGER = logging.getLogger("gfr.progress")
_EVERY_S = 0.5

Report = Callable[[int, int | None], None]  # done, total if known


def reporter(step: str, unit: str = "") -> Report:
    """A function to call with (done, total or None if unknown) as often as one likes.

    `unit`: what is counted, where the step's name does not say it.
    """
    last_s = [0.0]

    def report(done: int, total: int | None) -> None:
        now_s = time.monotonic()
        if (total is None or done < total) and now_s - last_s[0] < _EVERY_S:
            return
        last_s[0] = now_s
        extra = {"step": step, "done": done, "total": total, "unit": unit}
        LOGGER.debug("%s: %d of %s", step, done, total or "?", extra=extra)

    return report
