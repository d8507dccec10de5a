"""Records of a small run, made by hand: what a finished run leaves behind, without running."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from gfr.config import benchmark_files, loader
from gfr.data import records
from gfr.data.dataset import Faces
from gfr.data.records import DataRecord, describe_split, digest_of
from gfr.evaluation import metrics as evaluation_metrics
from gfr.evaluation.metrics import History
from gfr.measurement import latency as measurement_latency
from gfr.measurement.hardware import Hardware
from gfr.measurement.latency import Samples
from gfr.measurement.resources import Cost
from gfr.measurement.software import Provenance
from gfr.models.feature_store import WHOLE, Extracted
from gfr.models.precision import Choice
from gfr.models.weights import Weights
from gfr.pipeline import selection
from gfr.results import records as results_records
from gfr.results.deployment_records import EngineLatency, EngineTiming
from gfr.results.export_records import BITS, ExportResult, JavaScript, WebModel
from gfr.results.regression_records import Finding, Past, Series, Verdict
from gfr.storage import serialization
from gfr.storage.run_directory import RunDirectory

COST = Cost(1.0, 2.0, 3_000_000)
HARDWARE = Hardware("x86_64", "CPU", 2, 2, (), 0.1, 8, 4, (), "none (NVML: absent)")
BENCHMARK = loader.load(benchmark_files.benchmark_file("smoke"))
# 260 images; men come first within each split, and every fourth image is of a young face.
NUM_MALE = {"train": 54, "validation": 18, "test": 40}
NUM_FEMALE = {"train": 66, "validation": 22, "test": 60}
IS_MALE = {name: np.arange(NUM_MALE[name] + NUM_FEMALE[name]) < NUM_MALE[name] for name in NUM_MALE}
SPLITS = np.repeat(list(IS_MALE), [len(row) for row in IS_MALE.values()])
NAMES = [f"{i:06}.jpg" for i in range(260)]
FACES = Faces(
    image_dir=Path("cache/images"),
    table=pd.DataFrame(
        {
            "pixels_sha256": [f"{i:064x}" for i in range(260)],
            "Male": np.concatenate(list(IS_MALE.values())),
            "Young": np.arange(260) % 4 == 0,
            "Bald": np.arange(260) < 3,
        },
        index=NAMES,
    ),
)
SPLIT = describe_split(FACES, SPLITS)
DATA = DataRecord(
    **{"source": "synthetic", "directory": "cache", "image_dir": "cache/images"},
    **{"num_listed": 260, "num_asked": 260, "num_used": 260, "num_unlisted": 0, "dropped": {}},
    **{"converted": {}, "num_other_size": 0, "has_identity": False, "has_partition": False},
    **{"num_male": 112, "names_digest": "n", "digest": digest_of(FACES), "pixels_digest": "p"},
)


def logits(num_right, split):
    """So many right answers, the wrong ones on the first men; hardly sure of the last woman."""
    is_male = IS_MALE[split]
    found = np.where(is_male, 1.0, -2.0)
    found[: len(is_male) - num_right] = -1.0
    found[-1] = -0.2
    return found


def metrics(num_right, num_images, loss=0.5):
    """So many right answers of the split that has so many images."""
    split = next(name for name, row in IS_MALE.items() if len(row) == num_images)
    return replace(evaluation_metrics.metrics(logits(num_right, split), IS_MALE[split]), loss=loss)


def result(trial, validation, test, note=""):
    """A trial with so many right of 40 validation and 100 test images."""
    source = "random" if note else "imagenet"
    weights = Weights(trial.backbone.label, source, "w.h5", "0" * 64, note, "why")
    extracted = Extracted("cache/features", "float32", 260, 0)
    part = results_records.PartResult(
        *(3, trial.feature_set, WHOLE, "host/1", HARDWARE, extracted, None, COST)
    )
    epochs = trial.iteration.epochs
    validation_logits, test_logits = (
        dict(
            zip(
                np.array(NAMES)[SPLITS == split].tolist(),
                logits(num_right, split).tolist(),
                strict=True,
            )
        )
        for split, num_right in (("validation", validation), ("test", test))
    )
    found = {
        "train": metrics(100, 120),
        "validation": metrics(validation, 40),
        "test": metrics(test, 100),
    }
    return results_records.TrialResult(
        schema=3,
        run_id="r",
        trial=trial,
        data_digest=DATA.digest,
        worker="host/1",
        features=results_records.FeatureResult(
            3, trial.feature_set, weights, 8, 260, "float32", note, 1.0, (part,)
        ),
        history=History(*(((0.5,) * epochs,) * 4)),
        metrics=found,
        train_cost=COST,
        provenance=Provenance("commit", False, "lock", "3.11", "Linux", {"gfr": "0.1.0"}),
        hardware=HARDWARE,
        validation_logits=validation_logits,
        test_logits=test_logits,
        refits=tuple(
            results_records.RefitResult(row, found) for row in BENCHMARK.refits(DATA.has_identity)
        ),
        refit_cost=COST,
    )


def latency(feature_set, p50_s, others_share=0.0, num_parameters=1_000_000):
    """A hundred equal calls."""
    single = Samples((9.0,), (p50_s,) * 100, 1.0, 1.0, others_share)
    batches = Samples((), (p50_s,) * 2, 1.0, 1.0, 0.0)
    timing = measurement_latency.Timing("float32", 1.0, 1.0, single, batches, (1, 1), 0.0)
    return measurement_latency.LatencyResult(
        3, feature_set, "t", num_parameters, 64, 0.1, 100, (timing,), COST
    )


def engine_timing(engine, p50_s, num_threads=2, precision="float32", version="1.0", **changed):
    """A hundred equal calls, in turn with other engines, at no background load."""
    single = Samples((9.0,), (p50_s,) * 100, 100 * p50_s, 100 * p50_s, 0.0)
    row = EngineTiming(engine, version, precision, num_threads, single, 1, 1e-6, 0.004)
    return replace(row, **changed)


def engine_latency(feature_set, *rows, unavailable=()):
    """These rows of a feature set."""
    return EngineLatency(1, feature_set, "t", rows, {"": 60_000_000}, tuple(unavailable), COST)


def run(directory=Path("reports/runs/r")):
    """Four trials; VGG16 / iteration 2 has the best validation, iteration 1 the best test."""
    trials = [
        result(trial, validation, test, note)
        for trial, validation, test, note in zip(
            BENCHMARK.trials,
            (30, 36, 25, 24),
            (90, 88, 70, 62),
            ("", "", *["random weights (not comparable)"] * 2),
            strict=True,
        )
    ]
    vgg16, mobilenet = BENCHMARK.feature_sets
    record = results_records.RunRecord(
        schema=3,
        run_id="r",
        created_utc="2026-11-23T00:00:00.000+00:00",
        command="gfr run smoke",
        data_request="synthetic",
        weights_request="auto",
        benchmark=BENCHMARK,
        data=DATA,
        split=SPLIT,
        weights=(trials[0].features.weights, trials[2].features.weights),
        rates=None,
        choices=tuple(
            Choice(row.id, "float32", "as requested", "not run") for row in BENCHMARK.feature_sets
        ),
        cache="cache",
        cache_id="c",
        fresh=False,
        provenance=trials[0].provenance,
        hardware=trials[0].hardware,
        cost=COST,
    )
    latencies = {
        vgg16.id: latency(vgg16, 0.05, num_parameters=14_700_000),
        mobilenet.id: latency(mobilenet, 0.01),
    }
    chosen = selection.best(tuple(trials), latencies, BENCHMARK.selection, IS_MALE["validation"])
    return results_records.Run(directory, record, tuple(trials), (), latencies, chosen, None, None)


def web_model(precision, max_difference, only_keras_right=0, only_this_right=0):
    """One precision: JavaScript says what TensorFlow says."""
    return WebModel(
        precision=precision,
        num_bytes=1_000_000 * BITS[precision],
        num_images=100,
        num_right=90 - only_keras_right + only_this_right,
        only_keras_right=only_keras_right,
        only_this_right=only_this_right,
        max_difference=max_difference,
        mean_difference=max_difference / 10,
        javascript=JavaScript("wasm", "4.22.0", 2, max_difference, 1e-6, 0, (0.1, 0.2)),
    )


def export(run):
    """The selected trial, exported in uint16; uint8 would be too far off."""
    return ExportResult(
        schema=1,
        run_id=run.record.run_id,
        trial=run.result_of(None).trial,
        precision="uint16",
        is_asked_for=False,
        num_parameters=14_700_000,
        num_images=100,
        keras_right=90,
        recorded_right=89,
        models=(
            web_model("float32", 1e-6),
            web_model("uint16", 1e-3),
            web_model("uint8", 0.2, only_keras_right=7, only_this_right=1),
        ),
        digest="d" * 64,
        wall_s=60.0,
    )


def write(run):
    """The same on disk."""
    files = RunDirectory(run.directory)
    serialization.write(files.record, run.record)
    records.write_table(files.faces, FACES, SPLITS)
    for result in run.trials:
        serialization.write(files.trial(result.trial.id), result)
    for row in run.latencies.values():
        serialization.write(files.latency(row.feature_set.id), row)
    for row in run.engine_latencies.values():
        serialization.write(files.engine_latency(row.feature_set.id), row)
    serialization.write(files.selection, run.selection)


def verdict(run, *lost):
    """Fallen behind by these sentences, or by nothing, in one run before it."""
    status = "regression" if lost else "ok"
    trial = run.trials[0].trial
    findings = [
        Finding("accuracy", trial.id, trial.title, status, row) for row in lost or ["as it was"]
    ]
    return Verdict(
        schema=1,
        run_id=run.record.run_id,
        key="smoke-0123456789ab",
        status=status,
        reason="none worse against 3 earlier runs",
        num_compared=3,
        changes=("commit a -> b",),
        findings=tuple(findings),
        runs=(Past("q", "2026-11-22T00:00:00"), Past(run.record.run_id, "2026-11-23T00:00:00")),
        series=(
            Series("accuracy", trial.title, "VGG16", (0.9, 0.8), (False, bool(lost)), 0.89, 0.91),
        ),
    )
