"""Frozen backbone over all images, once.

In: a FeatureSet, the images, its weights. Out: shards on disk (gfr/shards.py), rows keyed by image
name. What is on disk and intact is not computed again. Never trains, never scales the features:
the constant of calibrated random weights is applied where they are read.
"""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from gfr import backbones, images, provenance, shards
from gfr.dataset import Faces
from gfr.spec import FeatureSet
from gfr.weights import Weights

BATCH = 64
_SOURCES = ("backbones.py", "features.py", "images.py")


def key_contents(
    feature_set: FeatureSet, weights: Weights, pixels_digest: str
) -> dict[str, object]:
    """Everything that decides the values of a feature set."""
    here = Path(__file__).parent
    return {
        "backbone": feature_set.backbone.name,
        "size": list(feature_set.size),
        "input": feature_set.input,
        "scaling": feature_set.backbone.scaling,
        "precision": feature_set.precision,
        "weights_sha256": weights.sha256,
        "pixels_digest": pixels_digest,
        "code_sha256": provenance.source_sha256(*(here / name for name in _SOURCES)),
        "tensorflow": provenance.version("tensorflow"),
        "keras": provenance.version("keras"),
    }


def extract(
    feature_set: FeatureSet,
    faces: Faces,
    weights: Weights,
    pixels_digest: str,
    cache: Path,
    fresh_for: str,
    report: Callable[[int, int], None],
) -> shards.Extracted:
    """Compute the missing shards of a feature set; with `fresh_for` (a run id) all, once for it."""
    contents = key_contents(feature_set, weights, pixels_digest)
    key = shards.key(contents)
    directory = cache / "features" / f"{feature_set.id}-{key}"
    shards.create(directory, contents, faces.names)
    if fresh_for:
        shards.forget_once(directory, fresh_for)
    num_shards = shards.num_shards(len(faces.names))
    missing = [k for k in range(num_shards) if shards.intact(directory, k) is None]
    num_computed = 0
    if missing:
        num_computed = _compute(feature_set, faces, Path(weights.path), directory, missing, report)
    features = shards.read(directory)
    num_images = len(faces.names)
    return shards.Extracted(
        directory=str(directory),
        key=key,
        num_images=num_images,
        num_dims=features.num_dims,
        num_computed=num_computed,
        num_reused=num_images - num_computed,
    )


def _compute(
    feature_set: FeatureSet,
    faces: Faces,
    weights_path: Path,
    directory: Path,
    missing: list[int],
    report: Callable[[int, int], None],
) -> int:
    """Fill the missing shards; returns the number of images computed."""
    keras.utils.clear_session()
    graph = backbones.compiled(backbones.build(feature_set, weights_path))
    paths = faces.paths()
    wanted = [path for k in missing for path in paths[k * shards.ROWS : (k + 1) * shards.ROWS]]
    done, block = 0, []
    waiting = list(missing)
    for batch in images.batches(wanted, BATCH):
        block.append(backbones.run_batch(graph, batch))  # (<= BATCH, D)
        done += len(batch)
        if sum(map(len, block)) == shards.ROWS or done == len(wanted):
            shards.write(directory, waiting.pop(0), np.concatenate(block))
            block = []
        report(done, len(wanted))
    return done
