"""Run a frozen backbone over all images once.

Writes the shards of a part (gfr/models/feature_store.py), rows keyed by image name. Intact shards
on disk are not
computed again. Features are not scaled: the constant of calibrated random weights is applied where
they are read.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np

from gfr.config.schema import FeatureSet, Precision
from gfr.data import images
from gfr.data.dataset import Faces
from gfr.errors import InputError
from gfr.measurement import software
from gfr.models import backbone, feature_store, fused_model
from gfr.models.precision import NUM_CHECKED_IMAGES, Check, Choice
from gfr.models.weights import Weights
from gfr.storage import atomic, hashing

# 128 images of 128 x 128 are up to a tenth faster than 64, of 178 x 218 only larger.
_MAX_BATCH, _MAX_BATCH_PIXELS = 128, 2_500_000

_CHECK = "check.json"

LOG = logging.getLogger("gfr")

# At import: the files may change while the process runs.
_SOURCES = (
    "data/images.py",
    "models/backbone.py",
    "models/bn_folding.py",
    "models/feature_extraction.py",
    "models/fused_model.py",
)

_CODE_SHA256 = hashing.source_sha256(*(Path(__file__).parents[1] / name for name in _SOURCES))


@dataclass(frozen=True)
class Job:
    """Everything that determines the values of a feature set, and the cache for its shards."""

    feature_set: FeatureSet
    faces: Faces
    weights: Weights
    pixels_digest: str
    cache: Path

    def key_contents(self, precision: Precision) -> dict[str, object]:
        """What the key of the cache directory is a digest of."""
        return {
            "backbone": self.feature_set.backbone.name,
            "size": list(self.feature_set.size),
            "input": self.feature_set.input,
            "scaling": self.feature_set.backbone.scaling,
            "precision": precision,
            "weights_sha256": self.weights.sha256,
            "pixels_digest": self.pixels_digest,
            "code_sha256": _CODE_SHA256,
            "tensorflow": software.version("tensorflow"),
            "keras": software.version("keras"),
        }

    def directory(self, precision: Precision) -> Path:
        """The directory of the shards, named by the key."""
        key = feature_store.key(self.key_contents(precision))
        return self.cache / "features" / f"{self.feature_set.id}-{precision}-{key}"

    def graph(self, precision: Precision) -> fused_model.Graph:
        """The backbone of this job, ready to run."""
        return fused_model.compiled(
            backbone.build(self.feature_set, Path(self.weights.path), precision)
        )


@dataclass(frozen=True)
class Made:
    """`build_s`: building and checking the backbone; `waited_s`: waiting for decoded images."""

    extracted: feature_store.Extracted
    check: Check | None
    build_s: float
    waited_s: float


def extract(
    job: Job,
    choice: Choice,
    part: feature_store.Part,
    fresh_for: str,
    report: Callable[[int, int], None],
) -> Made:
    """Compute the missing shards of a part; with `fresh_for` (a run) all of them, once per run.

    Falls back to float32 if a few images differ too much in the chosen precision. InputError if
    weights or images have changed since the run was started.
    """
    begun_s, build_s, waited_s = time.perf_counter(), 0.0, 0.0
    keras.utils.clear_session()
    precision, check = choice.precision, None
    directory, missing = _open(job, precision, part, fresh_for)
    if precision == "bfloat16" and job.weights.source != "random":
        check = _checked(job, directory) if missing else _known_check(directory)
        if check and check.objection:
            LOG.warning("%s: %s: float32 instead", job.feature_set.title, check.objection)
            precision = "float32"
            directory, missing = _open(job, precision, part, fresh_for)
    if missing:
        job.weights.check()
        graph = job.graph(precision)
        build_s = time.perf_counter() - begun_s
        batch_size = batch_size_of(job.feature_set)
        waited_s = _compute(job.faces, graph, batch_size, directory, missing, report)
    num_images = len(job.faces.names)
    num_computed = feature_store.num_rows(missing, num_images)
    extracted = feature_store.Extracted(
        directory=str(directory),
        precision=precision,
        num_images=num_images,
        num_computed=num_computed,
        num_reused=feature_store.num_rows(part.shards(num_images), num_images) - num_computed,
    )
    return Made(extracted, check, build_s, waited_s)


def batch_size_of(feature_set: FeatureSet) -> int:
    """Images a call: a divisor of a shard's rows. Rows do not depend on it (docs/LOG.md)."""
    height, width = feature_set.size
    size = _MAX_BATCH
    while size > 1 and size * height * width > _MAX_BATCH_PIXELS:
        size //= 2
    return size


def _open(
    job: Job, precision: Precision, part: feature_store.Part, fresh_for: str
) -> tuple[Path, list[int]]:
    """Create the directory if needed; return it and the missing shards of the part."""
    directory, num_images = job.directory(precision), len(job.faces.names)
    feature_store.create(directory, job.key_contents(precision), job.faces.names)
    if fresh_for:
        feature_store.forget_once(directory, fresh_for)
    missing = [k for k in part.shards(num_images) if feature_store.intact(directory, k) is None]
    for k in missing:
        if feature_store.is_there(directory, k):
            total = feature_store.num_shards(num_images)
            LOG.warning("%s: shard %d of %d is damaged; computing it again", directory, k, total)
    return directory, missing


def _known_check(directory: Path) -> Check | None:
    """Return the comparison that an earlier part or run made; None if there is none."""
    try:
        return Check(**json.loads((directory / _CHECK).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _checked(job: Job, directory: Path) -> Check:
    """Compare the first images of the job in both precisions."""
    if known := _known_check(directory):
        return known
    job.weights.check()
    paths = job.faces.paths()[:NUM_CHECKED_IMAGES]
    batch = [images.decode(path).pixels for path in paths]
    (exact, exact_s), (rounded, rounded_s) = (
        _run_twice(job.graph(precision), batch) for precision in ("float32", "bfloat16")
    )
    error = float(np.linalg.norm(rounded - exact) / np.linalg.norm(exact))
    check = Check(len(batch), error, len(batch) / exact_s, len(batch) / rounded_s)
    atomic.write_json(directory / _CHECK, asdict(check))
    return check


def _run_twice(graph: fused_model.Graph, batch: list[np.ndarray]) -> tuple[np.ndarray, float]:
    """Return features (n, D) and the seconds of the second call; the first sets oneDNN up."""
    fused_model.run_batch(graph, batch)
    begun_s = time.perf_counter()
    return fused_model.run_batch(graph, batch), time.perf_counter() - begun_s


def _compute(
    faces: Faces,
    graph: fused_model.Graph,
    batch_size: int,
    directory: Path,
    missing: list[int],
    report: Callable[[int, int], None],
) -> float:
    """Compute the missing shards; return the seconds spent waiting for images."""
    known = list(zip(faces.paths(), faces.pixels_sha256, strict=True))
    wanted = [
        row for k in missing for row in known[k * feature_store.ROWS : (k + 1) * feature_store.ROWS]
    ]
    done, waited_s, block = 0, 0.0, []
    waiting = list(missing)
    batches = images.batches([path for path, _ in wanted], batch_size)
    while done < len(wanted):
        begun_s = time.perf_counter()
        batch = next(batches)
        waited_s += time.perf_counter() - begun_s
        _check_pixels(batch, wanted[done : done + batch_size])
        block.append(fused_model.run_batch(graph, batch))  # (<= batch_size, D)
        done += len(batch)
        if sum(map(len, block)) == feature_store.ROWS or done == len(wanted):
            feature_store.write(directory, waiting.pop(0), np.concatenate(block))
            block = []
        report(done, len(wanted))
    return waited_s


def _check_pixels(batch: list[np.ndarray], known: list[tuple[Path, str]]) -> None:
    for pixels, (path, sha256) in zip(batch, known, strict=True):
        if images.sha256(pixels) != sha256:
            raise InputError(f"{path}: has changed since the run was started; start a new run")
