"""Records of a run's images: DataRecord and SplitRecord for run.json, and the table faces.csv.

The table has the names of the images, their split, digests of their pixels and all labels.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from gfr.data import dataset
from gfr.data.dataset import Faces, Listing
from gfr.data.inspection import Flaws
from gfr.data.layouts import SOURCES, SourceName
from gfr.errors import InputError, reason
from gfr.evaluation.metrics import constant_answer
from gfr.storage import atomic
from gfr.storage.hashing import lines_sha256
from gfr.types import SPLITS, Count, CountsBySplit, Positive


@dataclass(frozen=True, kw_only=True)
class DataRecord(Flaws):
    """The data of a run, as run.json keeps it. Digests are SHA-256; counts are of images."""

    source: SourceName
    directory: str
    image_dir: str
    num_listed: Positive
    num_asked: Positive
    num_used: Positive
    num_unlisted: Count
    has_identity: bool
    has_partition: bool
    num_male: Positive
    names_digest: str  # of the chosen names, dropped ones included
    digest: str  # names, labels and pixels
    pixels_digest: str  # names and pixels
    # Empty for runs before 2026-11-29.
    files: dict[str, str] = field(default_factory=dict)  # labels, identity and partition: the lists
    notes: tuple[str, ...] = ()  # what was assumed, and labels that look wrong
    label_changes: str = ""  # how the label file differed when the run was resumed


@dataclass(frozen=True)
class SplitRecord:
    """Class counts of each split, and what the splits have in common."""

    num_female: CountsBySplit
    num_male: CountsBySplit
    duplicates_across: tuple[tuple[str, ...], ...]  # names with equal pixels in several splits
    # None: identities unknown.
    identities_in_train_and_test: Count | None = None
    test_images_of_shared_identities: Count | None = None
    validation_images_of_shared_identities: Count | None = None  # shared with train, too

    @property
    def majority_share(self) -> float:
        """Test accuracy of always predicting the majority class of the training images."""
        return self.constant_answer("test")["accuracy"]

    def constant_answer(self, split: str) -> dict[str, float]:
        """Accuracy and loss on a split of always predicting the training share of men."""
        answer = constant_answer(self.num_male, self.num_female, split)
        return dict(zip(("accuracy", "loss"), answer, strict=True))


def describe(
    source: SourceName, directory: Path, listing: Listing, faces: Faces, flaws: Flaws
) -> DataRecord:
    """Summarize the inspected images for run.json."""
    return DataRecord(
        source=source,
        directory=str(directory),
        image_dir=str(faces.image_dir),
        num_listed=listing.num_listed,
        num_asked=len(listing.faces.names),
        num_used=len(faces.names),
        num_unlisted=listing.num_unlisted,
        has_identity=faces.identity is not None,
        has_partition="partition" in faces.table,
        num_male=int(faces.is_male.sum()),
        names_digest=names_digest(listing.faces.names),
        digest=digest_of(faces),
        pixels_digest=lines_sha256(
            map(" ".join, zip(faces.names, faces.pixels_sha256, strict=True))
        ),
        files={name: str(path) for name, path in listing.files.items()},
        notes=listing.notes,
        **vars(flaws),
    )


def digest_of(faces: Faces) -> str:
    """Hash names, labels and pixels, which results depend on."""
    rows = zip(faces.names, faces.is_male, faces.pixels_sha256, strict=True)
    return lines_sha256(f"{name} {int(male)} {sha256}" for name, male, sha256 in rows)


def names_digest(names: Sequence[str]) -> str:
    """Hash sorted image names: tells whether two runs chose the same images."""
    return lines_sha256(sorted(names))


def describe_split(faces: Faces, splits: np.ndarray) -> SplitRecord:
    """Count classes, equal pixels and shared identities of inspected faces; splits str (N,)."""
    images = faces.table.assign(split=splits)
    is_repeated = images.duplicated("pixels_sha256", keep=False)
    groups = images[is_repeated].groupby("pixels_sha256", sort=False)
    duplicates = tuple(tuple(rows.index) for _, rows in groups if rows["split"].nunique() > 1)
    num_female = {name: int((~faces.is_male[splits == name]).sum()) for name in SPLITS}
    num_male = {name: int(faces.is_male[splits == name].sum()) for name in SPLITS}
    if faces.identity is None:
        return SplitRecord(num_female, num_male, duplicates)
    train, validation, test = (faces.identity[splits == name] for name in SPLITS)
    num_shared = len(np.intersect1d(train, test))
    num_images = (int(np.isin(identities, train).sum()) for identities in (test, validation))
    return SplitRecord(num_female, num_male, duplicates, num_shared, *num_images)


def write_table(path: Path, faces: Faces, splits: np.ndarray) -> None:
    """Write faces.csv: name, split, digest, identity and partition if known, attributes as 0/1."""
    table = faces.table.assign(**faces.attributes.astype(np.int8))
    table.insert(0, "split", splits)
    atomic.write_text(path, table.to_csv(index_label="name", lineterminator="\n"))


def read_table(path: Path, data: DataRecord, split: SplitRecord) -> tuple[Faces, np.ndarray]:
    """Read what `write_table` wrote -> Faces and the split, str (N,).

    Raises InputError if the file is damaged or does not agree with the records of its run.
    """
    try:
        faces, splits = _read_table(path, Path(data.image_dir))
        if (digest_of(faces), describe_split(faces, splits)) == (data.digest, split):
            return faces, splits
        why = "its rows differ from run.json"
    # pandas raises TypeError and AttributeError for some damaged files.
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = reason(error)
    raise InputError(f"{path}: damaged ({why}). Move the directory away and start a new run")


def _read_table(path: Path, image_dir: Path) -> tuple[Faces, np.ndarray]:
    text = io.StringIO(path.read_text("utf-8"))
    table = pd.read_csv(text, index_col="name", dtype={"name": str, "file": str, "split": str})
    splits = table.pop("split").to_numpy("<U10")
    attributes = Faces(image_dir, table).attributes == 1
    return Faces(image_dir, table.assign(**attributes)), splits


def describe_data(data: DataRecord, split: SplitRecord) -> list[str]:
    """Describe the images of a run, one fact per line."""
    source = SOURCES[data.source]
    sizes = [f"{k} {split.num_male[k] + split.num_female[k]:,}" for k in SPLITS]
    used = f"{data.num_used:,} of {data.num_asked:,}"
    chosen = f", chosen from {data.num_listed:,} in"
    if data.num_used == data.num_asked == data.num_listed:
        used, chosen = f"{data.num_used:,}", " from"
    lines = [
        f"data: {source.title}{source.note}, {used} images ({data.num_male:,} male, "
        f"{data.num_used - data.num_male:,} female){chosen} {data.directory}"
        + ("" if data.dropped else "; none missing or damaged"),
        f"split: {', '.join(sizes)}; always predicting the majority class scores "
        f"{split.majority_share:.1%} on test",
        *_describe_files(data),
        *describe_flaws(data),
    ]
    if groups := split.duplicates_across:
        lines.append(f"groups of identical images that span several splits: {len(groups):,}")
    counts = (
        split.identities_in_train_and_test,
        split.test_images_of_shared_identities,
        split.validation_images_of_shared_identities,
    )
    if None not in counts:
        people = (
            "people in both train and test: {:,}; images of people in train: {:,} of the test set"
        )
        lines.append(f"{people}, {{:,}} of the validation set".format(*counts))
    return lines


def _describe_files(data: DataRecord) -> list[str]:
    """Name the lists that were read, relative to the directory; drawn faces have only one."""
    if not data.files or data.source == "synthetic":
        return []
    directory = Path(data.directory)
    folder = directory.parent if directory.suffix.lower() == ".csv" else directory
    files = (
        f"{name} in {Path(file).relative_to(folder) if Path(file).is_relative_to(folder) else file}"
        for name, file in ({"images": data.image_dir} | data.files).items()
    )
    return ["files: " + ", ".join(files)]


def describe_flaws(data: DataRecord) -> list[str]:
    """Describe how the images differ from CelebA's aligned ones, one fact per line."""
    height, width = dataset.NATIVE_SIZE
    counts = {f"images of mode {mode} converted to RGB": n for mode, n in data.converted.items()}
    counts |= {
        "images rotated upright by their EXIF": data.num_turned,
        f"images are not {width} wide x {height} high as CelebA's are: each is stretched to the "
        "size of its iteration": data.num_other_size,
        "image files are not in the label file: left out": data.num_unlisted,
    }
    lines = [f"dropped {name}: {why}" for name, why in data.dropped.items()]
    lines += [*filter(None, [data.label_changes]), *data.notes]
    return lines + [f"{count:,} {what}" for what, count in counts.items() if count]
