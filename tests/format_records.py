"""Records of a trial's formats, made by hand: validated, timed, failed and not installed ones."""

from dataclasses import replace

import records
from records import engine_timing

from gfr.engines import formats
from gfr.results.deployment_records import (
    KERAS,
    Agreement,
    EngineLatency,
    FormatResult,
    FreshProcess,
)

SECONDS = {  # of one image with two threads; one thread takes twice as long
    ("tensorflow", "float32"): 0.05,
    ("tensorflow", "bfloat16"): 0.03,
    ("litert", "float32"): 0.052,
    ("litert", "float16"): 0.053,
    ("litert", "dynamic int8"): 0.0129,
    ("litert", "int8"): 0.0129,
    ("openvino", "float32"): 0.04,
    ("openvino", "bfloat16"): 0.011,
}
MEGABYTES = {
    KERAS: 59.4,
    "tfjs": 29.5,
    "litert": 59.1,
    "litert-float16": 29.6,
    "litert-dynamic": 14.9,
    "litert-int8": 15.2,
    "openvino": 59.2,
}


def agreement(num_images, keras_right, lost=0, won=0):
    """So many images right with Keras, of which a format loses some, and wins others."""
    counts = num_images, keras_right - lost + won, keras_right, lost, won
    return Agreement(*counts, max_difference=0.14, mean_difference=0.01, calibration_error=0.02)


def format_result(run, name, lost=0, won=0, validation_lost=0, reason="", **changed):
    """A format of the selected trial, which Keras gets right on 36 of 40 and 90 of 100 images."""
    form = formats.FORMATS.get(name)
    engine, precision = (form.engine, form.precision) if form else ("tensorflow", "float32")
    row = FormatResult(
        schema=1,
        run_id=run.record.run_id,
        trial=run.result_of(None).trial,
        format=name,
        engine=engine,
        engine_version="2.1",
        precision="uint16" if name == "tfjs" else precision,
        model_digest="m",
        reason=reason,
        num_bytes=0 if reason else int(1e6 * MEGABYTES[name]),
        validation=None if reason else agreement(40, 36, validation_lost),
        test=None if reason else agreement(100, 90, lost, won),
    )
    if reason:
        return replace(row, **changed)
    batches = records.Samples((), (0.5, 0.5), 1.0, 1.0, 0.0)
    counts = (1,) if name == "tfjs" else (1, 2)
    processes = tuple(
        FreshProcess(engine, "2.1", num, 0.25, 0.5 / num, 200_000_000, 32, batches)
        for num in counts
    )
    return replace(row, processes=processes, **changed)


def latency(run, **changed):
    """The formats of the selected trial with one and two threads, TensorFlow.js in one."""
    rows = [
        engine_timing(engine, (3 - num) * seconds, num, precision, "2.1", **changed)
        for (engine, precision), seconds in SECONDS.items()
        for num in (1, 2)
    ]
    rows.append(engine_timing("tfjs", 0.4, 1, "uint16", "4.22", **changed))
    trial, missing = run.result_of(None).trial, (("onnxruntime", "not installed"),)
    return EngineLatency(1, trial.feature_set, trial.id, tuple(rows), {}, missing, records.COST)


def with_formats(run, **changed):
    """The run with everything that the formats of its selected trial may be."""
    rows = [
        format_result(run, KERAS),
        format_result(run, "tfjs"),
        format_result(run, "litert"),
        format_result(run, "litert-float16"),
        format_result(run, "litert-dynamic", lost=1, won=3),
        format_result(run, "litert-int8", lost=2, won=1, **changed),
        format_result(run, "openvino"),
        format_result(
            run,
            "onnx",
            reason="onnxruntime is not installed. Install it: make engines",
            engine_version="missing",
        ),
    ]
    return replace(run, formats={row.format: row for row in rows}, format_latency=latency(run))


def with_engines(run):
    """The run with TensorFlow and LiteRT in float32 for every feature set."""
    measured = {
        key: replace(
            records.engine_latency(
                row.feature_set,
                engine_timing("tensorflow", row.float32.p50_ms / 1000),
                engine_timing("litert", row.float32.p50_ms / 2000),
            ),
            size_bytes={"": row.size_bytes, "litert": row.size_bytes},
        )
        for key, row in run.latencies.items()
    }
    return replace(run, engine_latencies=measured)
