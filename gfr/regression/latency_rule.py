"""Is a benchmark slower than it was, or is the machine busy? The rule, without the measuring.

In: the figures of one measurement and those of saved ones. Out: a Verdict. Pure: figures that hold
under load decide (docs/regressions.md says why these and not p50). Never measures, reads no file.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gfr.measurement.latency import MAX_OTHERS_SHARE
from gfr.types import Above0, Positive, Share

# Half-way, as ratios go, between nothing and the 1.3x that is to be found: sqrt(1.3) = 1.14.
MIN_MARGIN = 1.15

# Own CPU time moves with load (docs/regressions.md): two threads that wait less lose up to a third
# of it, one thread that finds its caches cold gains up to 0.3 where others take 0.9 of the machine.
MIN_CPU_MARGIN = 1.10

CPU_MARGIN_PER_OTHERS_SHARE = 0.4

NUM_SPREADS = 3  # standard deviations of the saved runs

MIN_RUNS_FOR_SPREAD = 3

_NO_LIMIT = 20.0  # as a logarithm; damaged figures may ask for more than a float can hold

MAX_MEASUREMENTS = 3  # of one benchmark in one comparison

# A quiet machine, and each new process on it, runs up to 15 % faster or slower, and the witness
# with it. Where calls are slower and the witness is by more than this, it was the machine.
MAX_WITNESS_RATIO = 1.10

OK, SLOWER, BUSY, NO_BASELINE = "ok", "slower", "inconclusive", "no baseline"


@dataclass(frozen=True)
class Measured:
    """One benchmark in one run: seconds of a call on the clock, and p10 of its own CPU seconds.

    `witness_s`: p10 of the seconds of the witness, which is fixed work of the same kind that shares
    no code with gfr, beside the calls. `relative`: how often it fits into a call.
    `others_share`: share 0..1 of the machine's CPU time that other processes took meanwhile.
    """

    num_calls: Positive
    min_s: Above0
    p10_s: Above0
    p50_s: Above0
    cpu_p10_s: Above0
    witness_s: Above0
    relative: Above0
    others_share: Share

    @property
    def is_clean(self) -> bool:
        """Whether it was measured with the machine to itself."""
        return self.others_share <= MAX_OTHERS_SHARE


@dataclass(frozen=True)
class Verdict:
    """Ratios are now over saved, 0 without a baseline; margins what they may be at most.

    `status` as above; `relative` against the witness.
    """

    status: str
    reason: str
    wall_ratio: float = 0.0
    wall_margin: float = 0.0
    relative_ratio: float = 0.0
    relative_margin: float = 0.0
    cpu_ratio: float = 0.0
    num_saved: int = 0


def judge(now: Measured, saved: Sequence[Measured]) -> Verdict:
    """One measurement against all saved ones of the same benchmark and machine.

    As fast as before is ok however busy the machine is; slower counts only if the machine cannot
    be the reason.
    """
    clean = [row for row in saved if row.is_clean]
    if not clean:
        return Verdict(NO_BASELINE, "none saved" if not saved else "saved while others were busy")
    # Both the minimum and p10 must be slower: one lucky or one unlucky call decides nothing.
    figures = Verdict(
        OK,
        "",
        wall_ratio=min(_ratio(now, clean, "min_s"), _ratio(now, clean, "p10_s")),
        wall_margin=margin([row.min_s for row in clean], MIN_MARGIN),
        relative_ratio=_ratio(now, clean, "relative"),
        relative_margin=margin([row.relative for row in clean], MIN_MARGIN),
        cpu_ratio=_ratio(now, clean, "cpu_p10_s"),
        num_saved=len(clean),
    )
    cpu_margin = margin([row.cpu_p10_s for row in clean], MIN_CPU_MARGIN)
    cpu_margin += CPU_MARGIN_PER_OTHERS_SHARE * now.others_share
    status, reason = _status(now, figures, _ratio(now, clean, "witness_s"), cpu_margin)
    return replace(figures, status=status, reason=reason)


def _status(
    now: Measured, found: Verdict, witness_ratio: float, cpu_margin: float
) -> tuple[str, str]:
    """Status and reason; of clock and witness the one that spreads less among saved runs decides.

    By the witness calls are slower if the clock does not say the contrary, by the clock if the
    witness is not slower too.
    """
    is_longer = found.wall_ratio > found.wall_margin
    if found.relative_margin <= found.wall_margin:
        is_slower = found.relative_ratio > found.relative_margin and found.wall_ratio > 1.0
    else:
        is_slower = is_longer and witness_ratio <= MAX_WITNESS_RATIO
    if not is_longer and not (is_slower and now.is_clean):
        return OK, ""
    if not is_slower:
        return BUSY, f"not beside the witness, which takes {witness_ratio:.2f} times its saved time"
    if now.is_clean:
        return SLOWER, f"and the machine was quiet, the witness {witness_ratio:.2f} times"
    if found.cpu_ratio > cpu_margin:
        return SLOWER, f"own CPU time {found.cpu_ratio:.2f} times as well"
    return BUSY, f"machine busy: others took {now.others_share:.0%} of it"


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


def _ratio(now: Measured, saved: Sequence[Measured], name: str) -> float:
    return getattr(now, name) / statistics.median(getattr(row, name) for row in saved)
