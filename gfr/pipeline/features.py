"""The stages that compute features and train heads.

Each takes a run directory and a frozen object and writes a record to the run directory. A stage
whose record exists returns at once, so that a second run with the same id resumes. Arrays and
models travel as files.
"""

from pathlib import Path

import numpy as np

from gfr.config.schema import FeatureSet
from gfr.measurement import hardware, resources
from gfr.models import backbone, feature_extraction, feature_store, weights
from gfr.models.feature_store import Part
from gfr.pipeline import shared_storage
from gfr.progress import LOG, reporter
from gfr.results import records, store
from gfr.storage import run_directory, serialization


def extract(run_dir: Path, feature_set: FeatureSet, part: Part, worker: str) -> Path:
    """Compute a part of a feature set or find it in the cache; return the path of its record.

    The last part completes the set. `worker` names the process, for the record.
    """
    path = run_directory.RunDirectory(run_dir).part(feature_set.id, part.number, part.of)
    report = reporter(feature_set.title, "images", (part.number, part.of))
    result = serialization.read(path, records.PartResult) if path.exists() else None
    if not result or not feature_store.holds(Path(result.extracted.directory), part):
        result = _extract(run_dir, feature_set, part, worker)
        serialization.write(path, result)
        LOG.info(
            f"{feature_set.title}{part}: {result.extracted.num_computed:,} images computed in "
            f"{result.extracted.precision}, {result.extracted.num_reused:,} reused, "
            f"{result.cost.wall_s:.0f} s"
        )
    collect(run_dir, feature_set)
    report(1, 1)
    return path


def _extract(run_dir: Path, feature_set: FeatureSet, part: Part, worker: str) -> records.PartResult:
    record, faces, _ = store.open_run(run_dir)
    shared_storage.check_images(faces.image_dir, worker)
    backbone.make_deterministic()
    job = feature_extraction.Job(
        feature_set,
        faces,
        record.weights_of(feature_set.backbone.label),
        record.data.pixels_digest,
        Path(record.cache),
    )
    fresh_for = f"{record.run_id} {record.created_utc}" if record.fresh else ""
    choice = record.choice_of(feature_set)
    report = reporter(feature_set.title, "images", (part.number, part.of))
    (extracted, check), cost = resources.metered(
        lambda: feature_extraction.extract(job, choice, part, fresh_for, report)
    )
    machine, schema = hardware.collect(), serialization.SCHEMA
    return records.PartResult(schema, feature_set, part, worker, machine, extracted, check, cost)


def collect(run_dir: Path, feature_set: FeatureSet) -> records.FeatureResult | None:
    """Write and return the record of a feature set; None until its last shard exists."""
    files = run_directory.RunDirectory(run_dir)
    paths = sorted(files.parts(feature_set.id).glob("*.json"))
    parts = tuple(serialization.read(path, records.PartResult) for path in paths)
    if not parts:
        return None
    try:
        table = feature_store.read(Path(parts[0].extracted.directory))
    except FileNotFoundError:
        return None
    path = files.feature_set(feature_set.id)
    if path.exists():
        result = serialization.read(path, records.FeatureResult)
        if result.parts == parts:
            return result
    record, _, splits = store.open_run(run_dir)
    used, scale = record.weights_of(feature_set.backbone.label), 1.0
    if used.source == "random":
        rows = np.flatnonzero(splits == "train")[: weights.NUM_CALIBRATION_IMAGES]
        scale = weights.calibrate(table.rows(rows))
    precision = parts[0].extracted.precision
    notes = [used.note, record.choice_of(feature_set).note if precision == "bfloat16" else ""]
    note, num_images = "; ".join(filter(None, notes)), len(table.names)
    schema = serialization.SCHEMA
    result = records.FeatureResult(
        schema, feature_set, used, table.num_dims, num_images, precision, note, scale, parts
    )
    serialization.write(path, result)
    return result
