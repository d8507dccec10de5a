"""Run a frozen backbone over all images once.

Writes the shards of a part (gfr/models/feature_store.py), rows keyed by image name. Intact shards
on disk are not computed again; those of a step that fails are removed. Features are not scaled: the
constant of calibrated random weights is applied where they are read.
"""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np

from gfr import environment
from gfr.config.scaling import title
from gfr.config.schema import FeatureSet, Precision
from gfr.data import images
from gfr.data.dataset import Faces
from gfr.errors import InputError
from gfr.measurement import software
from gfr.models import backbone, feature_store, fused_model
from gfr.models.external import files
from gfr.models.precision import NUM_CHECKED_IMAGES, Check, Choice
from gfr.models.weights import Weights
from gfr.progress import Report
from gfr.storage import hashing, serialization

# 128 images of 128 x 128 are up to a tenth faster than 64, of 178 x 218 only larger.
_MAX_BATCH, _MAX_BATCH_PIXELS = 128, 2_500_000

LOG = logging.getLogger("gfr")

# At import: the files may change while the process runs.
_SOURCES = (
    "config/scaling.py",
    "data/images.py",
    "models/backbone.py",
    "models/bn_folding.py",
    "models/feature_extraction.py",
    "models/fused_model.py",
)

_EXTERNAL_SHA256 = hashing.source_sha256(*sorted((Path(__file__).parent / "external").glob("*.py")))

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
        row = self.feature_set.backbone
        scaling = row.scaling
        return {
            "backbone": row.name,
            "size": list(self.feature_set.size),
            "input": self.feature_set.input,
            "scaling": scaling if isinstance(scaling, str) else asdict(scaling),
            "precision": precision,
            "weights_sha256": self.weights.sha256,
            "pixels_digest": self.pixels_digest,
            "code_sha256": _CODE_SHA256,
            "tensorflow": software.version("tensorflow"),
            "keras": software.version("keras"),
            "settings": environment.numeric_settings(),
            **self._external(),
        }

    def _external(self) -> dict[str, object]:
        """What the features of a network from elsewhere depend on as well."""
        row = self.feature_set.backbone
        nodes = {"nodes": [row.input, row.features]} if row.input or row.features else {}
        kind = files.kind(Path(self.weights.path)) if row.file else None
        if kind is None or (kind.name == "keras" and not nodes):
            return {}
        versions = {name: software.version(name) for name in kind.packages}
        return {**nodes, "external_code_sha256": _EXTERNAL_SHA256, "runtime": versions}

    def directory(self, precision: Precision) -> Path:
        """The directory of the shards, named by the key."""
        key = feature_store.key(self.key_contents(precision))
        return self.cache / "features" / f"{self.feature_set.id}-{precision}-{key}"

    def graph(self, precision: Precision) -> fused_model.Graph:
        """The backbone of this job, ready to run."""
        return fused_model.compiled(
            backbone.build(self.feature_set, Path(self.weights.path), precision)
        )


def extract(
    job: Job, choice: Choice, part: feature_store.Part, fresh_for: str, report: Report
) -> tuple[feature_store.Extracted, Check | None]:
    """Compute the missing shards of a part; with `fresh_for` (a run) all of them, once per run.

    Falls back to float32 if a few images differ too much in the chosen precision. InputError if
    weights or images have changed since the run was started.
    """
    keras.utils.clear_session()
    precision, check = choice.precision, None
    directory, missing = _open(job, precision, part, fresh_for)
    if precision == "bfloat16" and job.weights.source != "random":
        check = _checked(job, directory)
        if check.objection:
            LOG.warning("%s: %s: float32 instead", job.feature_set.title, check.objection)
            precision = "float32"
            directory, missing = _open(job, precision, part, fresh_for)
    with feature_store.removed_on_failure(directory, missing):
        _compute(job, precision, directory, missing, report)
    num_images = len(job.faces.names)
    num_computed = feature_store.num_rows(missing, num_images)
    extracted = feature_store.Extracted(
        directory=str(directory),
        precision=precision,
        num_computed=num_computed,
        num_reused=feature_store.num_rows(part.shards(num_images), num_images) - num_computed,
    )
    return extracted, check


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


def _checked(job: Job, directory: Path) -> Check:
    """Compare the first images of the job in both precisions, once per directory."""
    path = directory / "check.json"
    if path.exists():
        return serialization.read(path, Check)
    job.weights.check()
    batch = [images.known(path) for path in job.faces.paths()[:NUM_CHECKED_IMAGES]]
    exact, rounded = (
        fused_model.run_batch(job.graph(precision), batch) for precision in ("float32", "bfloat16")
    )
    size, difference = (float(np.linalg.norm(values)) for values in (exact, rounded - exact))
    # Features that are zero or overflow are rejected once they are computed in float32.
    is_comparable = size > 0 and np.isfinite([size, difference]).all()
    check = Check(len(batch), difference / size if is_comparable else 1.0)
    serialization.write(path, check)
    return check


def _compute(
    job: Job, precision: Precision, directory: Path, missing: list[int], report: Report
) -> None:
    """Compute the missing shards, in ascending order: only the last one may be short."""
    if not missing:
        return
    job.weights.check()
    graph = job.graph(precision)
    known = list(zip(job.faces.paths(), job.faces.pixels_sha256, strict=True))
    rows = feature_store.ROWS
    wanted = [image for k in missing for image in known[k * rows : (k + 1) * rows]]
    done, block, is_zero = 0, [], True
    for batch in images.batches([path for path, _ in wanted], batch_size_of(job.feature_set)):
        for pixels, (path, sha256) in zip(batch, wanted[done : done + len(batch)], strict=True):
            if images.sha256(pixels) != sha256:
                why = "has changed since the run was started; start a new run"
                raise images.Changed(f"{path}: {why}")
        block.append(fused_model.run_batch(graph, batch))  # (<= batch size, D)
        done += len(batch)
        if done % rows == 0 or done == len(wanted):
            features = np.concatenate(block)
            if num_invalid := int((~np.isfinite(features)).any(axis=1).sum()):
                raise _unusable(job, f"NaN or infinite for {num_invalid} of {len(features)} images")
            is_zero &= not features.any()
            feature_store.write(directory, missing[(done - 1) // rows], features)
            block = []
        report(done, len(wanted))
    # With random weights they may underflow (gfr/models/weights.py).
    if is_zero and job.weights.source != "random":
        raise _unusable(job, f"zero for all {len(wanted)} images")


def _unusable(job: Job, problem: str) -> InputError:
    return InputError(
        f"{job.feature_set.title}: its features are {problem}. Check {job.weights.path} and that "
        f'scaling = "{title(job.feature_set.backbone.scaling)}" is the one it was trained with'
    )
