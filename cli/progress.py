"""Shows the progress of a run on standard error, from the log records of `gfr`.

A terminal gets a live view of the current step and of the whole run, each with the time left; a
file or a pipe gets plain lines. Standard output has the result alone.
"""

import collections
import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from gfr import text as gfr_text
from gfr.config.schema import TFJS, Benchmark
from gfr.measurement import hardware
from gfr.models.precision import may_accelerate_bfloat16
from gfr.results.export_records import STEP

PLAIN_EVERY_S = 15
_QUIET_S = 60  # a bar is removed after so long without a record when another step begins
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
    encoding = sys.stderr.encoding or "utf-8"
    stream = os.fdopen(os.dup(2), "w", 1, encoding, "backslashreplace")
    handler = _Handler(Console(file=stream, highlight=False), benchmark)
    logger = logging.getLogger("gfr")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        handler.bars.start()
        yield
    finally:
        logger.removeHandler(handler)
        for end in (handler.bars.stop, stream.close):
            with contextlib.suppress(OSError):  # of text that could not be written
                end()


def costs(benchmark: Benchmark) -> dict[str, float]:
    """Expected cost of each step by its title, in images of 128 x 128 through VGG16."""
    data, export = benchmark.data, benchmark.export
    num_images = 5000 if data.images == "all" else data.images
    num_test = data.test_fraction * num_images
    num_compared = num_test + data.validation_fraction * num_images
    num_exported = num_compared + export.javascript_images * _JAVASCRIPT_OVER_FLOAT32
    # Models are measured in float32 too, but features are computed in the faster precision.
    is_auto = benchmark.features.precision != "float32"
    is_fast = is_auto and may_accelerate_bfloat16(hardware.collect())
    # One model will be exported; each contributes its share to the expected cost.
    share = 1 / len(benchmark.feature_sets)
    num_files = len(set(export.written) - {TFJS})
    num_precisions = len(export.precisions) if TFJS in export.written else 0
    steps = collections.defaultdict[str, float](float)
    for feature_set in benchmark.feature_sets:
        per_image = _RELATIVE_COST.get(feature_set.backbone.name, _SMALL_COST)
        per_image *= feature_set.size[0] * feature_set.size[1] / _REFERENCE_PX
        in_float32 = per_image * (_FLOAT32_OVER_BFLOAT16 if is_fast else 1.0)
        steps[feature_set.title] = num_images * per_image
        steps[f"{feature_set.title}, latency"] = (200 + num_test) * in_float32
        steps[STEP] += share * num_precisions * num_exported * in_float32
        steps[STEP] += share * num_files * num_compared * in_float32
        if benchmark.latency.engines:
            num_calls = len(benchmark.latency.engines) * benchmark.latency.calls
            steps[f"{feature_set.title}, engines"] = num_calls * in_float32
    num_heads = 1 + sum(refit.fraction for refit in benchmark.refits(has_identity=False))
    for trial in benchmark.trials:
        steps[trial.title] = num_heads * 0.0015 * trial.iteration.epochs * num_images
    for row in benchmark.reference:
        if row.file:  # a CSV takes no time
            num_tried = len(row.scalings) * len(row.crops)
            num_classified = num_tried * (num_compared - num_test) + num_test
            steps[f"{row.label}, reference"] = num_classified * _SMALL_COST
    return steps


class _Handler(logging.Handler):
    """Prints log lines. Shows progress as bars on a terminal, else as lines."""

    def __init__(self, console: Console, benchmark: Benchmark | None) -> None:
        super().__init__(logging.DEBUG)
        self.costs = costs(benchmark) if benchmark else {}
        self.done: dict[str, float] = {}  # part of the costs
        self.start_s = self.last_s = time.monotonic()
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            get_time=time.monotonic,
            speed_estimate_period=600,
        )
        self.run = self.bars.add_task("all steps", counts="", visible=bool(self.costs))
        start = self.bars.add_task("start", total=None, counts="", seen_s=float("-inf"))
        self.steps = {"start": start}  # the bars of steps by their titles

    def emit(self, record: logging.LogRecord) -> None:
        # A full disk or a closed pipe behind the log must not end a run.
        with contextlib.suppress(OSError):
            if not hasattr(record, "step"):
                self._print(gfr_text.line(record.getMessage()))
                return
            title = self._title(record.step, *record.part)
            self._advance_run(title, record.done / (record.total or record.done or 1))
            total = f" of {record.total:,}" if record.total else ""
            counts = f"{record.done:,}{total} {record.unit}".rstrip()
            self._show_step(title, record.done, record.total, counts)
            if self.bars.disable:
                self._print_progress(f"{title}: {counts}")

    def _show_step(self, title: str, done: int, total: int | None, counts: str) -> None:
        """Show the bar of a step; a step that begins replaces those that are over."""
        if title not in self.steps:
            for other, bar in list(self.steps.items()):
                task = self.bars.tasks[self.bars.task_ids.index(bar)]
                if task.finished or time.monotonic() - task.fields["seen_s"] > _QUIET_S:
                    self.bars.remove_task(self.steps.pop(other))
            self.steps[title] = self.bars.add_task(title, total=total, counts="")
        self.bars.update(
            self.steps[title],
            completed=done,
            total=total,
            counts=counts,
            seen_s=time.monotonic(),
        )

    def _title(self, step: str, number: int, num_parts: int) -> str:
        """Name a part of a step that several workers share, and divide the step's cost."""
        if num_parts == 1:
            return step
        titles = [f"{step}, part {n} of {num_parts}" for n in range(1, num_parts + 1)]
        if step in self.costs:
            self.costs |= dict.fromkeys(titles, self.costs.pop(step) / num_parts)
        return titles[number - 1]

    def _advance_run(self, step: str, share: float) -> None:
        """Take a step into account whose share `share`, 0..1, is done.

        A step whose first record is its last was done before, in the cache or in an earlier run. It
        is left out, since it says nothing about how long the others take.
        """
        if step in self.costs and step not in self.done and share >= 1:
            del self.costs[step]
        elif step in self.costs:
            self.done[step] = min(share, 1) * self.costs[step]
        done, total = sum(self.done.values()), sum(self.costs.values())
        percent = f"{done / total:.0%}" if total else ""
        self.bars.update(self.run, completed=done, total=total, counts=percent)

    def _print_progress(self, line: str) -> None:
        """Print a line, unless the last one is less than `PLAIN_EVERY_S` old."""
        now_s = time.monotonic()
        if now_s - self.last_s < PLAIN_EVERY_S:
            return
        self.last_s = now_s
        left_s = self.bars.tasks[0].time_remaining
        left = f", about {_duration(left_s)} left for the run" if left_s else ""
        self._print(f"{line}, {_duration(now_s - self.start_s)} elapsed{left}")

    def _print(self, line: str) -> None:
        self.bars.console.print(line, soft_wrap=True, markup=False)


def _duration(time_s: float) -> str:
    """`40 s`, `12 min`."""
    return f"{time_s:.0f} s" if round(time_s) < 90 else f"{time_s / 60:.0f} min"
