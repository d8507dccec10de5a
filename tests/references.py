"""References of the run in tests/records.py, made by hand."""

from dataclasses import replace

import numpy as np
from records import COST, IS_MALE, NAMES, SPLITS

from gfr.config.references import Reference
from gfr.evaluation import references
from gfr.measurement.latency import Samples
from gfr.results.reference_records import PairedLatency, ReferenceResult, Tried


def names(split):
    """The images of a split."""
    return np.array(NAMES)[SPLITS == split].tolist()


def answers(split, num_right, num_missing=0):
    """p_male of each image: the first ones wrong, the last ones without an answer."""
    is_male = IS_MALE[split]
    is_right = np.arange(len(is_male)) >= len(is_male) - num_missing - num_right
    p_male = np.where(is_male == is_right, 0.9, 0.1)
    p_male[len(is_male) - num_missing :] = np.nan
    return p_male


def samples(p50_s):
    """A hundred equal calls."""
    return Samples((), (p50_s,) * 100, 100 * p50_s, 100 * p50_s, 0.0)


def latency(trial_id, p50_s, selected_p50_s=0.05):
    """In turn with the selected trial."""
    return PairedLatency(trial_id, samples(p50_s), samples(selected_p50_s), 1, COST)


def result(label, right, missing=0, **changed):
    """So many correct of 40 validation and of 100 test images; 7 MB, not timed."""
    reference = Reference(label, file=f"/models/{label}.json", scaling="caffe")
    found = {
        "validation": answers("validation", right[0]),
        "test": answers("test", right[1], missing),
    }
    metrics = {name: references.scores(p, IS_MALE[name], 0.5) for name, p in found.items()}
    by_name = {
        name: {
            image: value
            for image, value in zip(names(name), p.tolist(), strict=True)
            if np.isfinite(value)
        }
        for name, p in found.items()
    }
    row = ReferenceResult(
        schema=1,
        run_id="r",
        reference=reference,
        digest="d" * 64,
        num_bytes=7_000_000,
        num_parameters=7_000_000,
        runtime="TensorFlow",
        runtime_version="2.21.0",
        tried=(Tried(metrics["validation"], "caffe"),),
        chosen=0,
        metrics=metrics,
        cost=COST,
        **by_name,
    )
    return replace(row, **changed)


def with_references(run, *results):
    """The run, whose benchmark has these references."""
    rows = tuple(row.reference for row in results)
    record = replace(run.record, benchmark=replace(run.record.benchmark, reference=rows))
    return replace(run, record=record, references={row.label: row for row in results})
