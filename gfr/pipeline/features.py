"""The stages after the door, in the order in which the flow calls them.

In: a run directory and a frozen record. Out: files in the run directory (gfr/results/records.py);
a stage
whose file is there already returns at once, so that a rerun with the same id continues. Arrays and
models travel as files. Never knows who calls it: Prefect, a test or a notebook.
"""

import logging
from pathlib import Path

import numpy as np

from gfr.config.schema import FeatureSet
from gfr.measurement import hardware
from gfr.measurement.resources import metered
from gfr.models import backbone, feature_extraction, feature_store, weights
from gfr.models.feature_store import Part
from gfr.pipeline import shared_storage
from gfr.progress import reporter
from gfr.results import records
from gfr.results.store import open_run
from gfr.storage import serialization
from gfr.storage.serialization import SCHEMA

LOG = logging.getLogger("gfr")


def extract(run_dir: str, feature_set: FeatureSet, part: Part, worker: str) -> str:
    """Compute a part of a feature set, or find it in the cache; returns the path of its record.

    The part that comes last completes the set. `worker` is who does it, for the record.
    """
    path = _parts(run_dir, feature_set) / f"{feature_set.id}-{part.number}-of-{part.of}.json"
    step = f"{feature_set.title}{part}"
    if path.exists():
        known = serialization.read(path, records.PartResult)
        if feature_store.holds(Path(known.extracted.directory), part):
            collect(run_dir, feature_set)
            reporter(step)(1, 1)
            return str(path)
    report = reporter(step, "images")
    record, faces, _ = open_run(run_dir)
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
    made, cost = metered(lambda: feature_extraction.extract(job, choice, part, fresh_for, report))
    extracted = made.extracted
    result = records.PartResult(
        schema=SCHEMA,
        feature_set=feature_set,
        part=part,
        worker=worker,
        hardware=hardware.collect(),
        extracted=extracted,
        check=made.check,
        build_s=made.build_s,
        waited_s=made.waited_s,
        cost=cost,
    )
    serialization.write(path, result)
    collect(run_dir, feature_set)
    report(1, 1)
    LOG.info(
        "%s%s: %s images computed in %s, %s reused, %.0f s",
        feature_set.title,
        part,
        f"{extracted.num_computed:,}",
        extracted.precision,
        f"{extracted.num_reused:,}",
        cost.wall_s,
    )
    return str(path)


def _parts(run_dir: str, feature_set: FeatureSet) -> Path:
    return Path(run_dir) / "parts" / feature_set.id


def collect(run_dir: str, feature_set: FeatureSet) -> records.FeatureResult | None:
    """The record of a feature set, made when its last shard is there; None until then."""
    parts = tuple(
        serialization.read(path, records.PartResult)
        for path in sorted(_parts(run_dir, feature_set).glob("*.json"))
    )
    if not parts:
        return None
    try:
        table = feature_store.read(Path(parts[0].extracted.directory))
    except FileNotFoundError:
        return None
    path = Path(run_dir) / "features" / f"{feature_set.id}.json"
    if path.exists():
        known = serialization.read(path, records.FeatureResult)
        if known.parts == parts:
            return known
    record, _, splits = open_run(run_dir)
    used, scale = record.weights_of(feature_set.backbone.label), 1.0
    if used.source == "random":
        rows = np.flatnonzero(splits == "train")[: weights.NUM_CALIBRATION_IMAGES]
        scale = weights.calibrate(table.rows(rows))
    precision = parts[0].extracted.precision
    choice = record.choice_of(feature_set)
    notes = [used.note, choice.note if precision == "bfloat16" else ""]
    found = records.FeatureResult(
        schema=SCHEMA,
        feature_set=feature_set,
        weights=used,
        num_dims=table.num_dims,
        num_images=len(table.names),
        precision=precision,
        note="; ".join(filter(None, notes)),
        scale=scale,
        parts=parts,
    )
    serialization.write(path, found)
    return found
