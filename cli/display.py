"""What the terminal shows while a run goes on.

In: log records of `gfr` and `gfr.progress`. Out: on a terminal one live view: the step at hand and
the whole, each with the time left; elsewhere plain lines. Everything goes to standard error, so
that standard output is the result alone.
"""

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from gfr import text
from gfr.config.schema import Benchmark
from gfr.measurement import hardware
from gfr.models.precision import may_accelerate_bfloat16
from gfr.results.export_records import STEP

PLAIN_EVERY_S = 15
SOUND_SHARE = 0.1  # with less of it done nobody knows how long the rest of something takes
_REFERENCE_PX = 128 * 128
# One image through a backbone against VGG16 (docs/LOG.md); what is not here is taken for small.
_RELATIVE_COST = {"VGG16": 1.0, "VGG19": 1.3, "InceptionV3": 0.2, "InceptionResNetV2": 0.5}
_SMALL_COST = 0.2
_FLOAT32_OVER_BFLOAT16 = 6.0
_JAVASCRIPT_OVER_FLOAT32 = 12.0  # one image in Node against one in a batch


@contextlib.contextmanager
def progress(benchmark: Benchmark | None) -> Iterator[None]:
    """Show what `gfr` logs while the block runs; with a benchmark also how far the whole is."""
    # A descriptor of its own: start.quiet_tensorflow holds back the usual one.
    stream = os.fdopen(os.dup(2), "w", buffering=1)
    console = Console(file=stream, highlight=False)
    handler = _Live(console, benchmark) if console.is_terminal else _Plain(console, benchmark)
    logger = logging.getLogger("gfr")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        with handler:
            yield
    finally:
        logger.removeHandler(handler)
        with contextlib.suppress(OSError):  # what could not be shown is still in it
            stream.close()


def effort(benchmark: Benchmark) -> dict[str, float]:
    """Expected cost of each step by its name, in one image of 128 x 128 through VGG16."""
    num_images = 5000 if benchmark.data.images == "all" else benchmark.data.images
    steps = {}
    # Models are timed in float32 too, features computed in what is faster.
    is_fast = benchmark.features.precision != "float32" and may_accelerate_bfloat16(
        hardware.collect()
    )
    slower = _FLOAT32_OVER_BFLOAT16 if is_fast else 1.0
    num_tested = benchmark.data.test_fraction * num_images
    asked = benchmark.export
    num_exported = num_tested + asked.javascript_images * _JAVASCRIPT_OVER_FLOAT32
    for row in benchmark.feature_sets:
        per_image = _RELATIVE_COST.get(row.backbone.name, _SMALL_COST)
        per_image *= row.size[0] * row.size[1] / _REFERENCE_PX
        steps[row.title] = num_images * per_image
        steps[f"{row.title}, latency"] = (200 + num_tested) * per_image * slower
        # Which of them will be exported is not known yet: a share of each.
        share = len(asked.precisions) / len(benchmark.feature_sets)
        steps[STEP] = steps.get(STEP, 0.0) + share * num_exported * per_image * slower
    num_heads = 1 + sum(row.fraction for row in benchmark.refits(has_identity=False))
    for trial in benchmark.trials:
        steps[trial.title] = num_heads * 0.0015 * trial.iteration.epochs * num_images
    return steps


class _Whole:
    """Share of the whole that is done, from the steps' progress, and the time left.

    A step whose first record is its last was found done, in a cache or in the run: it says nothing
    of how long others take.
    """

    def __init__(self, benchmark: Benchmark | None) -> None:
        self.effort = effort(benchmark) if benchmark else {}
        self.done: dict[str, float] = {}
        self.found: set[str] = set()
        self.began_s = 0.0  # of the first step that was not found, on time.monotonic

    def advance(self, step: str, share: float) -> float:
        """Share of the whole, 0..1, when `share` of a step is done."""
        if step in self.effort:
            if step not in self.done and share >= 1:
                self.found.add(step)
            elif not self._paced(self.done):
                self.began_s = time.monotonic()
            self.done[step] = min(share, 1) * self.effort[step]
        return sum(self.done.values()) / max(sum(self.effort.values()), 1e-9)

    def left_s(self) -> float | None:
        """Seconds left; None while that would be a guess."""
        done, total = self._paced(self.done), self._paced(self.effort)
        if done < SOUND_SHARE * total or not done:
            return None
        return (time.monotonic() - self.began_s) * (total - done) / done

    def _paced(self, efforts: dict[str, float]) -> float:
        return sum(effort for step, effort in efforts.items() if step not in self.found)


class _Left(ProgressColumn):
    """Time left: of the whole as told, of a step by rich, once enough is done to know it."""

    def render(self, task: Task) -> Text:
        left_s = task.time_remaining if task.percentage >= 100 * SOUND_SHARE else None
        left_s = task.fields.get("left_s", left_s)
        known = "-:--:--" if left_s is None else str(timedelta(seconds=round(left_s)))
        return Text(known, style="progress.remaining")


class _Live(logging.Handler):
    """Bars on a terminal; log lines above them."""

    def __init__(self, console: Console, benchmark: Benchmark | None) -> None:
        super().__init__(logging.DEBUG)
        self.whole = _Whole(benchmark)
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            _Left(),
            console=console,
            speed_estimate_period=600,
        )
        self.step: TaskID | None = None
        self.total: TaskID | None = None
        if benchmark:
            self.total = self.bars.add_task("all steps, %", total=100, left_s=None)

    def __enter__(self) -> "_Live":
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def emit(self, record: logging.LogRecord) -> None:
        if not hasattr(record, "step"):
            self.bars.console.print(text.line(record.getMessage()), markup=False)
            return
        tasks = {task.id: task for task in self.bars.tasks}
        if self.step is None or tasks[self.step].description != record.step:
            if self.step is not None:
                self.bars.remove_task(self.step)
            self.step = self.bars.add_task(record.step, total=record.total)
        self.bars.update(self.step, completed=record.done, total=record.total)
        if self.total is not None:
            share = self.whole.advance(record.step, record.done / record.total)
            done = round(100 * share, 1)
            self.bars.update(self.total, completed=done, left_s=self.whole.left_s())


class _Plain(logging.Handler):
    """A line an event, a line of progress every quarter of a minute."""

    def __init__(self, console: Console, benchmark: Benchmark | None) -> None:
        super().__init__(logging.DEBUG)
        self.console, self.whole = console, _Whole(benchmark)
        self.began_s = self.last_s = time.monotonic()

    def __enter__(self) -> "_Plain":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: each line is written as it comes."""

    def emit(self, record: logging.LogRecord) -> None:
        # A log that is full, or that nobody reads any more, must not cost a run.
        with contextlib.suppress(OSError):
            self._print(record)

    def _print(self, record: logging.LogRecord) -> None:
        now_s = time.monotonic()
        if not hasattr(record, "step"):
            self.console.print(text.line(record.getMessage()), soft_wrap=True, markup=False)
            return
        self.whole.advance(record.step, record.done / (record.total or record.done or 1))
        if now_s - self.last_s < PLAIN_EVERY_S:
            return
        self.last_s = now_s
        known = f" of {record.total:,}" if record.total else ""
        known += f" {record.unit}".rstrip()
        line = f"{record.step}: {record.done:,}{known}; {_about(now_s - self.began_s)} gone"
        if (left_s := self.whole.left_s()) is not None:
            line += f", about {_about(left_s)} left in all"
        self.console.print(line, markup=False)


def _about(time_s: float) -> str:
    """`40 s`, `12 min`: as exactly as a run's time is known."""
    return f"{time_s:.0f} s" if round(time_s) < 90 else f"{time_s / 60:.0f} min"
