"""The fused model against the clock.

In: a run directory and a feature set. Out: a LatencyResult in the run directory. To be called
alone on the machine, after all training. Checks on the way that pixels to probability gives what
features to probability gave. Never trains.
"""

import dataclasses
import logging
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from gfr import backbones, images, latency, results
from gfr.errors import BadInput
from gfr.metering import metered
from gfr.progress import reporter
from gfr.results import SCHEMA
from gfr.spec import FeatureSet
from gfr.stages import open_run

NUM_WARMUPS = 10
NUM_SINGLE_CALLS = 100
BATCH = 64
_CHUNK = 16 * BATCH  # test images in memory at once while batches are timed
_SAMPLE_EVERY_S = 2.0  # looking at memory more often would show in the latencies

LOG = logging.getLogger("gfr")

Classify = Callable[[list[np.ndarray]], np.ndarray]


def time_model(run_dir: str, feature_set: FeatureSet) -> str:
    """Time the fused model of one feature set; returns the path of its record."""
    path = Path(run_dir) / "latency" / f"{feature_set.id}.json"
    if path.exists():
        reporter(_step(feature_set))(1, 1)
        return str(path)
    result, cost = metered(lambda: _time_model(run_dir, feature_set), _SAMPLE_EVERY_S)
    results.write(path, dataclasses.replace(result, cost=cost))
    LOG.info(
        "%s: p50 %.1f ms, p95 %.1f ms (batch 1, %d calls); test set of %s in %.2f s%s",
        feature_set.title,
        1000 * result.single.percentile_s(50),
        1000 * result.single.percentile_s(95),
        len(result.single.values_s),
        f"{result.num_test_images:,}",
        result.inference_s,
        "; CONTENDED: other processes took part of the machine" if result.is_contended else "",
    )
    return str(path)


def _step(feature_set: FeatureSet) -> str:
    return f"{feature_set.title}, latency"


def _time_model(run_dir: str, feature_set: FeatureSet) -> results.LatencyResult:
    run = results.read_run(Path(run_dir))
    _, faces, splits = open_run(run_dir)
    trial = next(row for row in run.trials if row.trial.feature_set == feature_set)
    (classify, num_parameters), building = metered(lambda: load_model(run_dir, trial))
    test = [path for path, split in zip(faces.paths(), splits, strict=True) if split == "test"]

    few = [[images.decode(path).pixels] for path in test[:NUM_SINGLE_CALLS]]
    first = latency.time_calls(classify, few, 1, 0)
    single = latency.time_calls(classify, few, NUM_WARMUPS, NUM_SINGLE_CALLS)
    batches, p_male, decode_s = _time_test_set(classify, test, _step(feature_set))
    recorded = np.array(list(trial.test_probabilities.values()))
    return results.LatencyResult(
        schema=SCHEMA,
        feature_set=feature_set,
        trial_id=trial.trial.id,
        num_parameters=num_parameters,
        build_s=building.wall_s,
        first_call_s=first.warmups_s[0],
        single=single,
        batch_size=BATCH,
        batches=batches,
        decode_s=decode_s,
        num_test_images=len(test),
        max_difference=float(np.abs(p_male - recorded).max()),
        cost=building,
    )


def _time_test_set(
    classify: Classify, paths: list[Path], step: str
) -> tuple[latency.Samples, np.ndarray, float]:
    """Batches of the whole test set -> their samples, p_male (N,), seconds of decoding."""
    report = reporter(step)
    report(0, len(paths))
    parts: list[latency.Samples] = []
    p_male: list[np.ndarray] = []
    decode_s = 0.0
    for start in range(0, len(paths), _CHUNK):
        decoding_s = time.perf_counter()
        batches = list(images.batches(paths[start : start + _CHUNK], BATCH))
        decode_s += time.perf_counter() - decoding_s
        # A batch size seen for the first time sets oneDNN up: not part of the time.
        sizes = {len(batch): batch for batch in batches}
        parts.append(latency.time_calls(classify, list(sizes.values()), len(sizes), 0))
        parts.append(
            latency.time_calls(
                lambda batch: p_male.append(classify(batch)), batches, 0, len(batches)
            )
        )
        report(min(start + _CHUNK, len(paths)), len(paths))
    return latency.joined(parts), np.concatenate(p_male)[:, 0], decode_s


def load_model(run_dir: str, result: results.TrialResult) -> tuple[Classify, int]:
    """The fused model of a trial as a function, and its number of parameters.

    The function takes uint8 (H, W, 3) images and gives p_male float32 (n, 1). BadInput if the
    backbone's weights have changed since the run, or the head's file is damaged.
    """
    result.features.weights.check()
    keras.utils.clear_session()
    backbone = backbones.build(result.trial.feature_set, Path(result.features.weights.path))
    head = _load_head(Path(run_dir) / "heads" / f"{result.trial.id}.keras")
    fused = backbones.fuse(backbone, result.features.scale, head)
    graph = backbones.compiled(fused)
    return lambda pixels: backbones.run_batch(graph, pixels), fused.count_params()


def _load_head(path: Path) -> keras.Model:
    try:
        return keras.saving.load_model(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadInput(
            f"{path}: no trained head ({reason:.120}); delete it and run again with the same "
            "--run-id"
        ) from None
