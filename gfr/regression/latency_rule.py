"""Latency rule: decide whether code is slower, or the machine is busy.

It relies on figures that are robust against background load; docs/regressions.md explains why these
and not p50.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from gfr.measurement.latency import MAX_OTHERS_SHARE
from gfr.types import Above0, Positive, Share

# Geometric mean of 1 and the slow-down of 1.3 that must be found: sqrt(1.3) = 1.14.
MIN_MARGIN = 1.15

# Own CPU time changes under load (docs/regressions.md): it falls by up to a third with two threads
# that wait less, and rises by up to 0.3 with one thread while others take 0.9 of the machine.
MIN_CPU_MARGIN = 1.10

CPU_MARGIN_PER_OTHERS_SHARE = 0.4

NUM_SPREADS = 3  # standard deviations of the saved runs

MIN_RUNS_FOR_SPREAD = 3

_MAX_LOG_MARGIN = 14.0  # the spread of invalid figures could overflow a float

MAX_MEASUREMENTS = 3  # of one benchmark in one comparison

# An idle machine, and each new process, runs up to 15% faster or slower, and so does the reference
# workload. If that is slower by more than this, the machine explains slower calls.
MAX_REFERENCE_RATIO = 1.10

_CallSeconds = Annotated[float, Field(gt=0, le=1e5, allow_inf_nan=False)]

OK, SLOWER, BUSY, NO_BASELINE = "ok", "slower", "inconclusive", "no baseline"


@dataclass(frozen=True)
class Measured:
    """One benchmark in one run: wall time of a call, and p10 of its own CPU time.

    `witness_s` is p10 of the reference workload: fixed work of the same kind without code of gfr,
    measured next to the calls. `relative` is a call divided by it. `others_share`, 0..1, is the
    share of the machine's CPU time that other processes took.
    """

    num_calls: Positive
    min_s: _CallSeconds
    p10_s: _CallSeconds
    p50_s: _CallSeconds
    cpu_p10_s: Above0
    witness_s: Above0
    relative: Above0
    others_share: Share

    @property
    def is_clean(self) -> bool:
        """Whether it was measured without background load."""
        return self.others_share <= MAX_OTHERS_SHARE


@dataclass(frozen=True)
class Verdict:
    """Ratios of now to the baseline, 0 without one, and the largest ratios that are tolerated.

    `relative` is relative to the reference workload.
    """

    status: str
    reason: str
    wall_ratio: float = 0.0
    wall_margin: float = 0.0
    relative_ratio: float = 0.0
    relative_margin: float = 0.0
    cpu_ratio: float = 0.0


def judge(now: Measured, saved: Sequence[Measured]) -> Verdict:
    """Compare a measurement with all saved ones of the same benchmark and machine.

    If it is as fast as before, it is ok under any load. If it is slower, that counts only if the
    machine cannot be the reason.
    """
    clean = [row for row in saved if row.is_clean]
    if not clean:
        return Verdict(NO_BASELINE, "all saved under background load" if saved else "none saved")
    # The smaller ratio of minimum and p10, so that a single fast or slow call does not decide.
    figures = Verdict(
        OK,
        "",
        wall_ratio=min(_ratio(now, clean, "min_s"), _ratio(now, clean, "p10_s")),
        wall_margin=margin([row.min_s for row in clean], MIN_MARGIN),
        relative_ratio=_ratio(now, clean, "relative"),
        relative_margin=margin([row.relative for row in clean], MIN_MARGIN),
        cpu_ratio=_ratio(now, clean, "cpu_p10_s"),
    )
    cpu_margin = margin([row.cpu_p10_s for row in clean], MIN_CPU_MARGIN)
    cpu_margin += CPU_MARGIN_PER_OTHERS_SHARE * now.others_share
    status, reason = _status(now, figures, _ratio(now, clean, "witness_s"), cpu_margin)
    return replace(figures, status=status, reason=reason)


def _status(
    now: Measured, figures: Verdict, reference_ratio: float, cpu_margin: float
) -> tuple[str, str]:
    """Return status and reason.

    Decide by wall time or by its ratio to the reference workload, whichever spreads less over the
    saved runs. The other one must not contradict.
    """
    is_longer = figures.wall_ratio > figures.wall_margin
    if figures.relative_margin <= figures.wall_margin:
        is_slower = figures.relative_ratio > figures.relative_margin and figures.wall_ratio > 1.0
    else:
        is_slower = is_longer and reference_ratio <= MAX_REFERENCE_RATIO
    if not is_longer and not (is_slower and now.is_clean):
        return OK, ""
    reference = f"the reference workload takes {reference_ratio:.2f} times its saved time"
    if not is_slower:
        return BUSY, f"{reference} too"
    if now.is_clean:
        return SLOWER, f"no background load, {reference}"
    if figures.cpu_ratio > cpu_margin:
        return SLOWER, f"own CPU time takes {figures.cpu_ratio:.2f} times its saved time too"
    return BUSY, f"machine busy: other processes took {now.others_share:.0%} of it"


def margin(saved_s: Sequence[float], least: float) -> float:
    """Return the tolerated ratio: `least`, or e^(3 standard deviations) of the saved runs."""
    if len(saved_s) < MIN_RUNS_FOR_SPREAD:
        return least
    spread = statistics.stdev([math.log(value) for value in saved_s])
    return max(least, math.exp(min(NUM_SPREADS * spread, _MAX_LOG_MARGIN)))


def is_settled(verdicts: Sequence[Verdict]) -> bool:
    """Return whether another measurement could not change the result, or there were enough."""
    return final(verdicts).status != BUSY or len(verdicts) >= MAX_MEASUREMENTS


def final(verdicts: Sequence[Verdict]) -> Verdict:
    """Combine repeated measurements: ok once is ok, slower twice is slower, else inconclusive."""
    for status, times in ((NO_BASELINE, 1), (OK, 1), (SLOWER, 2)):
        rows = [row for row in verdicts if row.status == status]
        if len(rows) >= times:
            return min(rows, key=lambda row: row.wall_ratio)
    busy = [row for row in verdicts if row.status == BUSY]
    return busy[-1] if busy else replace(verdicts[-1], status=BUSY, reason="needs a rerun")


def _ratio(now: Measured, saved: Sequence[Measured], name: str) -> float:
    return getattr(now, name) / statistics.median(getattr(row, name) for row in saved)
