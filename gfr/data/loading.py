"""Find the data set of a run, choose its images, inspect and split them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gfr import types
from gfr.config.schema import Benchmark
from gfr.data import dataset, inspection, label_lists, records
from gfr.data import splits as data_splits
from gfr.data.layouts import SOURCES, DataSource, source_of
from gfr.data.synthetic import generate
from gfr.errors import InputError
from gfr.progress import reporter
from gfr.storage import atomic, hashing, locks, paths

NUM_SYNTHETIC_FOR_ALL = 5000  # number of synthetic faces for `images = "all"`


@dataclass(frozen=True)
class RunImages:
    """The images of a run, inspected and split: `splits` is str (N,)."""

    faces: dataset.Faces
    splits: np.ndarray
    data: records.DataRecord
    split: records.SplitRecord


def locate(request: str) -> tuple[DataSource, Path | None]:
    """Resolve --data (auto, synthetic or a path); the path is None for synthetic faces.

    auto means CelebA under data/celeba of the project if that exists, else synthetic faces.
    """
    if request == "auto":
        default = paths.ROOT / "data" / "celeba"
        request = str(default) if default.is_dir() else "synthetic"
    if request == "synthetic":
        return SOURCES["synthetic"], None
    return source_of(Path(request)), Path(request)


def draw_synthetic(cache: Path, num_images: int, seed: int) -> Path:
    """Return the directory of a seed's synthetic faces; draw them if they are not in the cache."""
    sources = sorted(Path(generate.__file__).parent.glob("*.py"))
    code = hashing.source_sha256(*sources)[:8]
    directory = cache / "synthetic" / f"seed{seed}-{num_images}-{code}"
    if _is_drawn(directory):
        return directory
    with locks.locked(directory.parent / "lock"):
        if not _is_drawn(directory):  # another run may have drawn them in the meantime
            with atomic.directory(directory) as folder:
                generate.write(folder, num_images, seed, reporter("drawing synthetic faces"))
    return directory


def _is_drawn(directory: Path) -> bool:
    return (directory / label_lists.LABEL_FILES[0]).exists()


def look(data: str, benchmark: Benchmark, cache: Path) -> RunImages:
    """Find (or draw), choose, inspect and split the images that a run would use."""
    source, directory = locate(data)
    num_images, seed, rule = benchmark.data.images, benchmark.seed, benchmark.data.split
    if directory is None:
        num_faces = NUM_SYNTHETIC_FOR_ALL if num_images == "all" else num_images
        directory = draw_synthetic(cache, num_faces, seed)
    listing = dataset.load(directory, num_images, seed)
    faces, flaws = inspection.inspect(listing.faces, reporter("checking images"))
    # Split before dropping: a damaged file moves no other image to another split.
    splits = data_splits.by_rule(rule, listing.faces, benchmark.data.fractions, seed)
    splits = splits[[name not in flaws.dropped for name in listing.faces.names]]
    for name in types.SPLITS:
        if len(set(faces.is_male[splits == name].tolist())) < 2:
            remedy = "Use more images" + ("" if rule == "official" else " or a larger fraction")
            raise InputError(
                f"{directory}: the {name} split of {len(splits):,} images lacks a class. {remedy}"
            )
    data_record = records.describe(source.name, directory, listing, faces, flaws)
    return RunImages(faces, splits, data_record, records.describe_split(faces, splits))


def label_changes(data: records.DataRecord, faces: dataset.Faces) -> str:
    """Say how the label file differs from the labels that a run recorded, in one line.

    Empty if nothing differs or the label file has been removed.
    """
    try:
        labels = SOURCES[data.source].read(Path(data.directory))
    except InputError as error:
        is_there = Path(data.files.get("labels", "")).is_file()
        return f"{error}. The recorded labels stay in use" if is_there else ""
    now = labels.table.reindex(faces.names)
    before = faces.attributes
    is_listed = now["Male"].notna()
    has_other = is_listed & (now["Male"] != before["Male"])
    columns = before.columns.drop("Male").intersection(now.columns)
    has_other_attributes = is_listed & (now[columns] != before[columns]).any(axis=1)
    counts = {
        "changed labels": int(has_other.sum()),
        "changed attributes": int(has_other_attributes.sum()),
        "no longer listed": int((~is_listed).sum()),
    }
    changes = [f"{what}: {count:,}" for what, count in counts.items() if count]
    if not changes:
        return ""
    return (
        f"{labels.label_file}: has changed since the run was started ({', '.join(changes)}). The "
        "recorded labels stay in use"
    )


def look_at_all(data: str, benchmark: Benchmark, cache: Path) -> tuple[RunImages, str]:
    """Do what `look` does, but with every image if there are fewer than the benchmark needs.

    The second value is then a sentence that says so, else it is empty.
    """
    try:
        return look(data, benchmark, cache), ""
    except dataset.TooFew as error:
        every = replace(benchmark, data=replace(benchmark.data, images="all"))
        return look(data, every, cache), f"too few for benchmark {benchmark.name}: {error}"
