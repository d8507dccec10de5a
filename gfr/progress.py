"""Progress of a stage as log records.

The logger `gfr.progress` gets at most two records a second, with `step`, `part`, `done`, `total`
and `unit`. Handlers decide how to show them.
"""

import logging
import time
from collections.abc import Callable

LOG = logging.getLogger("gfr")  # everything but progress
LOGGER = logging.getLogger("gfr.progress")
_EVERY_S = 0.5

Report = Callable[[int, int | None], None]  # done, total if known


def reporter(step: str, unit: str = "", part: tuple[int, int] = (1, 1)) -> Report:
    """Return a function to call with (done, total or None if unknown) as often as needed.

    `unit`: what is counted, if the name of the step does not say it. `part`: its number, from 1,
    and the number of parts of a step that several workers share.
    """
    last_s = [0.0]

    def report(done: int, total: int | None) -> None:
        now_s = time.monotonic()
        if (total is None or done < total) and now_s - last_s[0] < _EVERY_S:
            return
        last_s[0] = now_s
        extra = {"step": step, "part": part, "done": done, "total": total, "unit": unit}
        LOGGER.debug("%s: %d of %s", step, done, total or "?", extra=extra)

    return report
