"""Shows the progress of a run on standard error, from the log records of `gfr`.

A terminal gets a live view of the current step and of the whole run, each with the time left; a
file or a pipe gets plain lines. Standard output has the result alone.
"""

import contextlib
import logging
import os
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gfr import text as gfr_text
from gfr.config.schema import Benchmark
from gfr.measurement import hardware
from gfr.models.precision import may_accelerate_bfloat16
from gfr.results.export_records import STEP

PLAIN_EVERY_S = 15
MIN_SHARE = 0.1  # done before the time left is estimated
_REFERENCE_PX = 128 * 128
# Cost of one image relative to VGG16 (docs/LOG.md); other backbones have about _SMALL_COST.
_RELATIVE_COST = {"VGG16": 1.0, "VGG19": 1.3, "InceptionV3": 0.2, "InceptionResNetV2": 0.5}
_SMALL_COST = 0.2
_FLOAT32_OVER_BFLOAT16 = 6.0
_JAVASCRIPT_OVER_FLOAT32 = 12.0  # one image in Node over one in a batch


@contextlib.contextmanager
def display(benchmark: Benchmark | None) -> Iterator[None]:
    """Show what `gfr` logs inside the block; with a benchmark, also the progress of the run."""
    # A copy of the descriptor, since `gfr predict` redirects the original.
    stream = os.fdopen(os.dup(2), "w", buffering=1)
    console = Console(file=stream, highlight=False)
    run = _RunProgress(benchmark)
    handler = _Bars(console, run) if console.is_terminal else _Lines(console, run)
    logger = logging.getLogger("gfr")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        with handler.bars:
            yield
    finally:
        logger.removeHandler(handler)
        with contextlib.suppress(OSError):  # of text that could not be written
            stream.close()


def costs(benchmark: Benchmark) -> dict[str, float]:
    """Expected cost of each step by its title, in images of 128 x 128 through VGG16."""
    data, export = benchmark.data, benchmark.export
    num_images = 5000 if data.images == "all" else data.images
    num_test = data.test_fraction * num_images
    num_exported = num_test + export.javascript_images * _JAVASCRIPT_OVER_FLOAT32
    # Models are measured in float32 too, but features are computed in the faster precision.
    is_fast = benchmark.features.precision != "float32" and may_accelerate_bfloat16(
        hardware.collect()
    )
    float32 = _FLOAT32_OVER_BFLOAT16 if is_fast else 1.0
    # One model will be exported; each contributes its share to the expected cost.
    export_share = len(export.precisions) / len(benchmark.feature_sets)
    steps, export_cost = dict[str, float](), 0.0
    for feature_set in benchmark.feature_sets:
        per_image = _RELATIVE_COST.get(feature_set.backbone.name, _SMALL_COST)
        per_image *= feature_set.size[0] * feature_set.size[1] / _REFERENCE_PX
        steps[feature_set.title] = num_images * per_image
        steps[f"{feature_set.title}, latency"] = (200 + num_test) * per_image * float32
        export_cost += export_share * num_exported * per_image * float32
    steps[STEP] = export_cost
    num_heads = 1 + sum(refit.fraction for refit in benchmark.refits(has_identity=False))
    for trial in benchmark.trials:
        steps[trial.title] = num_heads * 0.0015 * trial.iteration.epochs * num_images
    return steps


class _RunProgress:
    """The share of a run that is done and the time left, from the progress of its steps.

    A step whose first record is its last was done before, in the cache or in the run. It says
    nothing about how long the others take.
    """

    def __init__(self, benchmark: Benchmark | None) -> None:
        self.costs = costs(benchmark) if benchmark else {}
        self.done: dict[str, float] = {}
        self.done_before: set[str] = set()
        self.start_s = 0.0  # of the first step that was not done before, by time.monotonic

    def advance(self, record: logging.LogRecord) -> float:
        """The share of the run, 0..1, that is done after this record of progress."""
        step, share = record.step, record.done / (record.total or record.done or 1)
        if step in self.costs:
            if step not in self.done and share >= 1:
                self.done_before.add(step)
            elif not self._computed(self.done):
                self.start_s = time.monotonic()
            self.done[step] = min(share, 1) * self.costs[step]
        return sum(self.done.values()) / max(sum(self.costs.values()), 1e-9)

    def left_s(self) -> float | None:
        """Seconds left; None while that would be a guess."""
        done, total = self._computed(self.done), self._computed(self.costs)
        if done < MIN_SHARE * total or not done:
            return None
        return (time.monotonic() - self.start_s) * (total - done) / done

    def _computed(self, costs: dict[str, float]) -> float:
        return sum(cost for step, cost in costs.items() if step not in self.done_before)


class _Bars(logging.Handler):
    """Progress bars on a terminal, with log lines above them."""

    def __init__(self, console: Console, run: _RunProgress) -> None:
        super().__init__(logging.DEBUG)
        self.run = run
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            speed_estimate_period=600,
        )
        visible = bool(run.costs)
        self.total = self.bars.add_task("all steps, %", total=100, left="", visible=visible)
        self.step = self.bars.add_task("start", total=None, left="")

    def emit(self, record: logging.LogRecord) -> None:
        if not hasattr(record, "step"):
            self.bars.console.print(gfr_text.line(record.getMessage()), markup=False)
            return
        step = self.bars.tasks[1]
        if step.description != record.step:
            self.bars.reset(self.step, description=record.step)
        self.bars.update(self.step, completed=record.done, total=record.total)
        left_s = step.time_remaining if step.percentage >= 100 * MIN_SHARE else None
        self.bars.update(self.step, left=_left(left_s))
        percent = round(100 * self.run.advance(record), 1)
        self.bars.update(self.total, completed=percent, left=_left(self.run.left_s()))


class _Lines(logging.Handler):
    """A line for each log record, and a line of progress every `PLAIN_EVERY_S`."""

    bars = contextlib.nullcontext()

    def __init__(self, console: Console, run: _RunProgress) -> None:
        super().__init__(logging.DEBUG)
        self.console, self.run = console, run
        self.start_s = self.last_s = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        # A full disk or a closed pipe behind the log must not end a run.
        with contextlib.suppress(OSError):
            is_progress = hasattr(record, "step")
            line = self._line(record) if is_progress else gfr_text.line(record.getMessage())
            if line:
                self.console.print(line, soft_wrap=True, markup=False)

    def _line(self, record: logging.LogRecord) -> str:
        """The line for a record of progress; "" if the last one was just printed."""
        now_s = time.monotonic()
        self.run.advance(record)
        if now_s - self.last_s < PLAIN_EVERY_S:
            return ""
        self.last_s = now_s
        total = f" of {record.total:,}" if record.total else ""
        counts = f"{record.done:,}{total} {record.unit}".rstrip()
        line = f"{record.step}: {counts}, {_duration(now_s - self.start_s)} elapsed"
        left = _left(self.run.left_s())
        return f"{line}, about {left} for the run" if left else line


def _left(time_s: float | None) -> str:
    """`12 min left`; "" if the time is unknown."""
    return "" if time_s is None else f"{_duration(time_s)} left"


def _duration(time_s: float) -> str:
    """`40 s`, `12 min`."""
    return f"{time_s:.0f} s" if round(time_s) < 90 else f"{time_s / 60:.0f} min"
