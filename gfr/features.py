"""Frozen backbone over all images, once.

In: a FeatureSet, the images, its weights, a Part of the shards. Out: those shards on disk
(gfr/shards.py), rows keyed by image name. What is on disk and intact is not computed again. Never
trains, never scales the features: the constant of calibrated random weights is applied where they
are read.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from gfr import backbones, images, provenance, shards
from gfr.dataset import Faces
from gfr.errors import BadInput
from gfr.spec import FeatureSet
from gfr.weights import Weights

BATCH = 64

LOG = logging.getLogger("gfr")
# At import: what is on disk later may not be what runs.
_CODE_SHA256 = provenance.source_sha256(
    *(Path(__file__).parent / name for name in ("backbones.py", "features.py", "images.py"))
)


def key_contents(
    feature_set: FeatureSet, weights: Weights, pixels_digest: str
) -> dict[str, object]:
    """Everything that decides the values of a feature set."""
    return {
        "backbone": feature_set.backbone.name,
        "size": list(feature_set.size),
        "input": feature_set.input,
        "scaling": feature_set.backbone.scaling,
        "precision": feature_set.precision,
        "weights_sha256": weights.sha256,
        "pixels_digest": pixels_digest,
        "code_sha256": _CODE_SHA256,
        "tensorflow": provenance.version("tensorflow"),
        "keras": provenance.version("keras"),
    }


def extract(
    feature_set: FeatureSet,
    faces: Faces,
    weights: Weights,
    pixels_digest: str,
    cache: Path,
    part: shards.Part,
    fresh_for: str,
    report: Callable[[int, int], None],
) -> shards.Extracted:
    """Compute the missing shards of a part; with `fresh_for` (a run) all of them, once for it.

    BadInput if weights or images are no longer those that the run was begun with.
    """
    contents = key_contents(feature_set, weights, pixels_digest)
    key = shards.key(contents)
    directory = cache / "features" / f"{feature_set.id}-{key}"
    shards.create(directory, contents, faces.names)
    if fresh_for:
        shards.forget_once(directory, fresh_for)
    num_images = len(faces.names)
    ours = part.shards(num_images)
    missing = [k for k in ours if shards.intact(directory, k) is None]
    for k in missing:
        if shards.is_there(directory, k):
            total = shards.num_shards(num_images)
            LOG.warning("%s: shard %d of %d is damaged: computed again", directory, k, total)
    if missing:
        weights.check()
        _compute(feature_set, faces, Path(weights.path), directory, missing, report)
    num_computed = shards.num_rows(missing, num_images)
    return shards.Extracted(
        directory=str(directory),
        key=key,
        num_images=num_images,
        num_computed=num_computed,
        num_reused=shards.num_rows(ours, num_images) - num_computed,
    )


def _compute(
    feature_set: FeatureSet,
    faces: Faces,
    weights_path: Path,
    directory: Path,
    missing: list[int],
    report: Callable[[int, int], None],
) -> None:
    """Fill the missing shards."""
    keras.utils.clear_session()
    graph = backbones.compiled(backbones.build(feature_set, weights_path))
    known = list(zip(faces.paths(), faces.pixels_sha256, strict=True))
    wanted = [row for k in missing for row in known[k * shards.ROWS : (k + 1) * shards.ROWS]]
    done, block = 0, []
    waiting = list(missing)
    for batch in images.batches([path for path, _ in wanted], BATCH):
        _check_pixels(batch, wanted[done : done + BATCH])
        block.append(backbones.run_batch(graph, batch))  # (<= BATCH, D)
        done += len(batch)
        if sum(map(len, block)) == shards.ROWS or done == len(wanted):
            shards.write(directory, waiting.pop(0), np.concatenate(block))
            block = []
        report(done, len(wanted))


def _check_pixels(batch: list[np.ndarray], known: list[tuple[Path, str]]) -> None:
    for pixels, (path, sha256) in zip(batch, known, strict=True):
        if images.sha256(pixels) != sha256:
            raise BadInput(f"{path}: has changed since the run was begun; begin a new run")
