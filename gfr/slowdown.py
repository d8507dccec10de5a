"""Is a benchmark slower than it was, or is the machine busy? The rule, without the measuring.

In: the figures of one measurement and those of saved ones. Out: a Verdict. Pure: figures that hold
under load decide (docs/regressions.md says why these and not p50). Never measures, reads no file.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gfr.latency import MAX_OTHERS_SHARE
from gfr.ranges import Above0, Positive, Share

# Half-way, as ratios go, between nothing and the 1.3x that is to be found: sqrt(1.3) = 1.14.
MIN_WALL_MARGIN = 1.15
# Own CPU time moves with load (docs/regressions.md): two threads that wait less lose up to a third
# of it, one thread that finds its caches cold gains up to 0.3 where others take 0.9 of the machine.
MIN_CPU_MARGIN = 1.10
CPU_MARGIN_PER_OTHERS_SHARE = 0.4
NUM_SPREADS = 3  # standard deviations of the saved runs
MIN_RUNS_FOR_SPREAD = 3
_NO_LIMIT = 20.0  # as a logarithm; damaged figures may ask for more than a float can hold
MAX_MEASUREMENTS = 3  # of one benchmark in one comparison
# Load alone moves the witness by 0.05 of itself.
MAX_WITNESS_RATIO = 1.10
# A quiet machine runs up to 15 % faster or slower for minutes, and the witness with it; where it
# alone speaks for a slow-down, the clock must not speak against it.
MIN_WALL_RATIO = 1.05

OK, SLOWER, BUSY, NO_BASELINE = "ok", "slower", "inconclusive", "no baseline"


@dataclass(frozen=True)
class Measured:
    """One benchmark in one run: seconds of a call on the clock, and p10 of its own CPU seconds.

    `witness_s`: CPU seconds of a fixed loop that shares no code with gfr, run between the calls.
    `others_share`: share 0..1 of the machine's CPU time that other processes took meanwhile.
    """

    num_calls: Positive
    min_s: Above0
    p10_s: Above0
    p50_s: Above0
    cpu_p10_s: Above0
    witness_s: Above0
    others_share: Share

    @property
    def is_clean(self) -> bool:
        """Whether it was measured with the machine to itself."""
        return self.others_share <= MAX_OTHERS_SHARE


@dataclass(frozen=True)
class Verdict:
    """`wall_ratio`, `cpu_ratio`: now over saved, 0 without a baseline; `status` as above."""

    status: str
    reason: str
    wall_ratio: float = 0.0
    wall_margin: float = 0.0
    cpu_ratio: float = 0.0
    num_saved: int = 0


def judge(now: Measured, saved: Sequence[Measured]) -> Verdict:
    """One measurement against all saved ones of the same benchmark and machine.

    As fast as before is ok however busy the machine is; slower counts only if the machine cannot
    be the reason. On a quiet machine calls are held against the witness too: a machine that has
    become faster hides nothing.
    """
    clean = [row for row in saved if row.is_clean]
    if not clean:
        return Verdict(NO_BASELINE, "none saved" if not saved else "saved while others were busy")
    # Both the minimum and p10 must be slower: one lucky or one unlucky call decides nothing.
    wall_ratio = min(
        _ratio(now, clean, lambda row: row.min_s), _ratio(now, clean, lambda row: row.p10_s)
    )
    cpu_ratio = _ratio(now, clean, lambda row: row.cpu_p10_s)
    witness_ratio = _ratio(now, clean, lambda row: row.witness_s)
    wall_margin = margin([row.min_s for row in clean], MIN_WALL_MARGIN)
    cpu_margin = margin([row.cpu_p10_s for row in clean], MIN_CPU_MARGIN)
    cpu_margin += CPU_MARGIN_PER_OTHERS_SHARE * now.others_share
    steady_ratio, steady_margin = _steadied(now, clean)
    if wall_ratio <= wall_margin:
        status, reason = OK, ""
        if now.is_clean and wall_ratio > MIN_WALL_RATIO and steady_ratio > steady_margin:
            status = SLOWER
            reason = f"against a fixed loop, which takes {witness_ratio:.2f} times its saved time"
            wall_ratio, wall_margin = steady_ratio, steady_margin
    elif witness_ratio > MAX_WITNESS_RATIO:
        status = BUSY
        reason = f"machine slower: a fixed loop takes {witness_ratio:.2f} times its saved CPU time"
    elif now.is_clean:
        status, reason = SLOWER, "and the machine was quiet"
    elif cpu_ratio > cpu_margin:
        status, reason = SLOWER, f"own CPU time {cpu_ratio:.2f} times as well"
    else:
        status = BUSY
        reason = f"machine busy: others took {now.others_share:.0%} of it"
    return Verdict(status, reason, wall_ratio, wall_margin, cpu_ratio, len(clean))


def _steadied(now: Measured, clean: Sequence[Measured]) -> tuple[float, float]:
    """The ratio, and what it may be, of calls counted in rounds of the witness beside them."""
    rows = [
        replace(row, min_s=row.min_s / row.witness_s, p10_s=row.p10_s / row.witness_s)
        for row in (now, *clean)
    ]
    ratio = min(
        _ratio(rows[0], rows[1:], lambda row: row.min_s),
        _ratio(rows[0], rows[1:], lambda row: row.p10_s),
    )
    return ratio, margin([row.min_s for row in rows[1:]], MIN_WALL_MARGIN)


def margin(saved_s: Sequence[float], least: float) -> float:
    """The ratio above which a figure is slower: `least`, or wider where saved runs spread more."""
    if len(saved_s) < MIN_RUNS_FOR_SPREAD:
        return least
    spread = statistics.stdev([math.log(value) for value in saved_s])
    return max(least, math.exp(min(NUM_SPREADS * spread, _NO_LIMIT)))


def is_settled(verdicts: Sequence[Verdict]) -> bool:
    """Whether measuring the same once more could change nothing, or has been done often enough."""
    return final(verdicts).status != BUSY or len(verdicts) >= MAX_MEASUREMENTS


def final(verdicts: Sequence[Verdict]) -> Verdict:
    """Of repeated measurements: fast once is ok, slower twice is slower, else inconclusive."""
    for status, times in ((NO_BASELINE, 1), (OK, 1), (SLOWER, 2)):
        found = [row for row in verdicts if row.status == status]
        if len(found) >= times:
            return min(found, key=lambda row: row.wall_ratio)
    busy = [row for row in verdicts if row.status == BUSY]
    if busy:
        return busy[-1]
    return Verdict(BUSY, "to be measured again", **_figures(verdicts[-1]))


def _figures(verdict: Verdict) -> dict:
    return {key: value for key, value in vars(verdict).items() if key not in ("status", "reason")}


def _ratio(now: Measured, saved: Sequence[Measured], figure: Callable[[Measured], float]) -> float:
    return figure(now) / statistics.median(map(figure, saved))
