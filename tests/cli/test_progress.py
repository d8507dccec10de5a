"""The progress of a run on a terminal and in a file."""

import io
import logging
import re
import time
from dataclasses import replace

import records
from rich.console import Console

from cli import progress
from gfr.config.references import Reference
from gfr.progress import LOGGER


def test_the_time_left_is_estimated_once_enough_is_done(monkeypatch, capfd):
    """Neither the start nor steps that were done before count."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    found, first, *others = progress.costs(records.BENCHMARK)
    told = [(50, "checking images", 9), (51, found, 10), (60, first, 0), (71, first, 1)]
    told += [(72, step, 9) for step in others]
    with progress.display(records.BENCHMARK):
        for now_s, step, done in [*told, (131, first, 9)]:
            clock[0] = now_s
            counts = {"done": done, "total": 10, "unit": "images"}
            LOGGER.debug("", extra={"step": step, "part": (1, 1), **counts})
    assert [
        "checking images: 9 of 10 images, 50 s elapsed",
        f"{first}: 1 of 10 images, 71 s elapsed",
        f"{first}: 9 of 10 images, 2 min elapsed, about 7 s left for the run",
    ] == capfd.readouterr().err.splitlines()


def test_references_with_a_file_are_steps_of_the_run():
    """Their answers in a CSV take no time."""
    rows = Reference("net", file="/net.onnx"), Reference("cloud", predictions="/a.csv")
    found = progress.costs(replace(records.BENCHMARK, reference=rows))
    assert {"net, reference"} == found.keys() - progress.costs(records.BENCHMARK).keys()


def test_the_terminal_shows_the_time_left_of_the_step_and_of_the_run(monkeypatch):
    """One minute is left after half of the step took one minute; the run has done less."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None)
    handler = progress._Handler(console, records.BENCHMARK)
    step = next(iter(handler.costs))
    for now_s, done in ((0.0, 0), (1.0, 1), (60.0, 50)):
        clock[0] = now_s
        record = {"step": step, "part": (1, 1), "done": done, "total": 100, "unit": "images"}
        handler.emit(logging.makeLogRecord(record))
    console.print(handler.bars.get_renderable())
    whole, current = console.file.getvalue().splitlines()
    assert re.search(rf"{step} .* 50 of 100 images +0:01:00 +0:01:01", current), current
    assert re.search(r"all steps .* 3% +0:01:00 +0:3\d", whole), whole


def test_each_part_of_a_step_has_a_bar_and_its_share_of_the_run(monkeypatch):
    """Two workers compute one feature set; the bars go when the next step begins."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=110)
    handler = progress._Handler(console, records.BENCHMARK)
    step, other, *_ = handler.costs
    handler.costs = {step: 6.0, other: 4.0}
    shown = []
    for title, part, done in (
        (step, (1, 2), 50), (step, (2, 2), 10), (step, (1, 2), 100), (step, (2, 2), 100),
        (other, (1, 1), 50),
    ):  # fmt: skip
        record = {"step": title, "part": part, "done": done, "total": 100, "unit": "images"}
        handler.emit(logging.makeLogRecord(record))
        console.file.seek(console.file.truncate(0))
        console.print(handler.bars.get_renderable())
        lines = console.file.getvalue().splitlines()
        shown.append([re.sub("[ ━╸╺]+", " ", line.split("0:")[0]) for line in lines])
    assert [f"{step}, part 1 of 2 50 of 100 images "] == shown[0][1:]
    assert ["all steps 18% ", f"{step}, part 1 of 2 50 of 100 images ",
            f"{step}, part 2 of 2 10 of 100 images "] == shown[1]  # fmt: skip
    assert ["all steps 80% ", f"{other} 50 of 100 images "] == shown[4]
