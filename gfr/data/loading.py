"""The first stage: look at data and weights, choose and split the images.

In: a Request. Out: run.json and faces.csv in the run directory, or BadInput before anything heavy
has begun. Never computes a feature.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gfr import types
from gfr.config.schema import Benchmark
from gfr.data import celeba, csv_labels, dataset, inspection, records
from gfr.data import splits as data_splits
from gfr.data.synthetic import generate
from gfr.errors import BadInput
from gfr.progress import reporter
from gfr.storage import atomic, hashing, locks, paths

NUM_SYNTHETIC_FOR_ALL = 5000  # what `images = "all"` draws


@dataclass(frozen=True)
class Looked:
    """The images of a run, checked and split: splits is str (N,)."""

    faces: dataset.Faces
    splits: np.ndarray
    data: records.DataRecord
    split: records.SplitRecord


def locate(request: str) -> tuple[dataset.Source, Path | None]:
    """auto, synthetic or a path -> what is meant; the path is None for synthetic faces.

    auto is CelebA under data/celeba of the project where that exists, else synthetic faces.
    """
    if request == "auto":
        default = paths.ROOT / "data" / "celeba"
        request = str(default) if default.is_dir() else "synthetic"
    if request == "synthetic":
        return "synthetic", None
    return ("csv" if csv_labels.is_meant(Path(request)) else "celeba"), Path(request)


def find(source: dataset.Source, directory: Path) -> celeba.Layout | celeba.Labels:
    """A data set's files, its images unopened; BadInput if they are not there."""
    return csv_labels.read(directory) if source == "csv" else celeba.find(directory)


def open_listing(
    request: str, benchmark: Benchmark, cache: Path
) -> tuple[dataset.Source, Path, dataset.Listing]:
    """Find (or draw) the data set and choose the benchmark's images from it."""
    source, directory = locate(request)
    if directory is None:
        num_images = benchmark.data.images
        num_images = NUM_SYNTHETIC_FOR_ALL if num_images == "all" else num_images
        directory = draw_synthetic(cache, num_images, benchmark.seed)
    return source, directory, dataset.load(directory, benchmark.data.images, benchmark.seed)


def draw_synthetic(cache: Path, num_images: int, seed: int) -> Path:
    """The synthetic faces of a seed, drawn if they are not in the cache."""
    sources = sorted(Path(generate.__file__).parent.glob("*.py"))
    code = hashing.source_sha256(*sources)[:8]
    directory = cache / "synthetic" / f"seed{seed}-{num_images}-{code}"
    if _is_drawn(directory):
        return directory
    with atomic.refusing(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
    with locks.locked(directory.parent / "lock"):
        if not _is_drawn(directory):  # by another run, while we waited
            with atomic.directory(directory) as folder:
                generate.write(folder, num_images, seed, reporter("drawing synthetic faces"))
    return directory


def _is_drawn(directory: Path) -> bool:
    return (directory / generate.LABELS_NAME).exists()


def look(data: str, benchmark: Benchmark, cache: Path) -> Looked:
    """Open, check and split the images that a run of this benchmark would use."""
    source, directory, listing = open_listing(data, benchmark, cache)
    seen = inspection.inspect(listing.faces, reporter("checking images"))
    # Split before dropping: a damaged file moves no other image to another split.
    names = listing.faces.names
    splits = data_splits.by_rule(
        benchmark.data.split,
        names,
        listing.faces.is_male,
        listing.faces.identity,
        benchmark.data.fractions,
        benchmark.seed,
    )
    splits = splits[[name not in seen.dropped for name in names]]
    for name in types.SPLITS:
        if len(set(seen.faces.is_male[splits == name].tolist())) < 2:
            raise BadInput(
                f"{directory}: the {name} split of {len(splits):,} images lacks a class; "
                "use more images or a larger fraction"
            )
    return Looked(
        faces=seen.faces,
        splits=splits,
        data=records.describe(source, directory, listing, seen),
        split=records.describe_split(seen.faces, splits),
    )


def look_at_all(data: str, benchmark: Benchmark, cache: Path) -> tuple[Looked, str]:
    """`look`, but at every image where there are fewer than the benchmark asks for.

    Then with a sentence that says so, else with an empty one.
    """
    try:
        return look(data, benchmark, cache), ""
    except dataset.TooFew as error:
        every = replace(benchmark, data=replace(benchmark.data, images="all"))
        return look(data, every, cache), f"too few for benchmark {benchmark.name}: {error}"
