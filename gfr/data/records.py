"""The images of a run: which ones, what is known of each, and the split.

In: a CelebA directory (gfr/data/synthetic/generate.py writes the same layout) or images with a CSV
(gfr/data/csv_labels.py), how many images, a seed. Out: Faces, a DataRecord that says what was
found, and
a table faces.csv in the run directory. The choice and the split depend on image names and the seed
alone: not on file order, not on the machine. Never replaces an image that is missing, never
resizes.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from gfr import types
from gfr.data import dataset
from gfr.data.dataset import Faces, Listing, Source
from gfr.data.inspection import Inspection
from gfr.data.synthetic import generate
from gfr.errors import BadInput, reason
from gfr.evaluation.metrics import constant_answer
from gfr.storage import atomic
from gfr.types import SPLITS, Count, CountsBySplit, Positive


@dataclass(frozen=True)
class DataRecord:
    """What was found at the door. Digests are SHA-256; counts are of images."""

    source: Source
    directory: str
    image_dir: str
    num_listed: Positive
    num_asked: Positive
    num_used: Positive
    num_unlisted: Count
    dropped: dict[str, str]  # name -> reason
    converted: dict[str, Positive]  # mode of the file, e.g. L or CMYK -> images now RGB
    num_other_size: Count
    has_identity: bool
    has_partition: bool
    num_male: Positive
    names_digest: str  # of the chosen names, dropped ones included
    digest: str  # names, labels and pixels
    pixels_digest: str  # names and pixels
    num_turned: Count = 0  # stored lying or mirrored, as EXIF says; 0 in runs before 2026-11-26


@dataclass(frozen=True)
class SplitRecord:
    """Class counts of each split, and what the splits share."""

    num_female: CountsBySplit
    num_male: CountsBySplit
    duplicates_across: tuple[tuple[str, ...], ...]  # names with equal pixels in several splits
    identities_in_train_and_test: Count | None  # None: identities unknown
    test_images_of_shared_identities: Count | None
    validation_images_of_shared_identities: Count | None  # shared with train, too

    def __post_init__(self) -> None:
        """ValueError if only some of what identities tell is known."""
        known = (
            self.identities_in_train_and_test,
            self.test_images_of_shared_identities,
            self.validation_images_of_shared_identities,
        )
        if len({value is None for value in known}) > 1:
            raise ValueError("identities are known in part")

    @property
    def majority_share(self) -> float:
        """Test accuracy of always answering the class that is more frequent in training."""
        return constant_answer(self.num_male, self.num_female, "test")[0]


def describe(source: Source, directory: Path, listing: Listing, seen: Inspection) -> DataRecord:
    """What was found, as the run record keeps it."""
    faces = seen.faces
    return DataRecord(
        source=source,
        directory=str(directory),
        image_dir=str(faces.image_dir),
        num_listed=listing.num_listed,
        num_asked=len(listing.faces.names),
        num_used=len(faces.names),
        num_unlisted=listing.num_unlisted,
        dropped=seen.dropped,
        converted=seen.converted,
        num_other_size=seen.num_other_size,
        has_identity=faces.identity is not None,
        has_partition=faces.partition is not None,
        num_male=int(faces.is_male.sum()),
        names_digest=names_digest(listing.faces.names),
        digest=digest_of(faces),
        pixels_digest=_digest(
            [
                f"{name} {sha256}"
                for name, sha256 in zip(faces.names, faces.pixels_sha256, strict=True)
            ]
        ),
        num_turned=seen.num_turned,
    )


def digest_of(faces: Faces) -> str:
    """SHA-256 of names, labels and pixels: what a run's results are of."""
    rows = zip(faces.names, faces.is_male, faces.pixels_sha256, strict=True)
    return _digest([f"{name} {int(male)} {sha256}" for name, male, sha256 in rows])


def names_digest(names: Sequence[str]) -> str:
    """SHA-256 of image names, sorted, one a line: tells whether two runs chose the same images."""
    return _digest(sorted(names))


def _digest(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def describe_split(faces: Faces, splits: np.ndarray) -> SplitRecord:
    """Count classes, equal pixels and shared identities of inspected faces; splits str (N,)."""
    by_pixels: dict[str, list[int]] = {}
    for i, sha256 in enumerate(faces.pixels_sha256):
        by_pixels.setdefault(sha256, []).append(i)
    across = tuple(
        tuple(faces.names[i] for i in rows)
        for rows in by_pixels.values()
        if len({splits[i] for i in rows}) > 1
    )
    shared = shared_images = shared_validation = None
    if faces.identity is not None:
        in_train = set(faces.identity[splits == "train"].tolist())
        of_test = faces.identity[splits == "test"].tolist()
        shared = len(in_train.intersection(of_test))
        shared_images = sum(identity in in_train for identity in of_test)
        of_validation = faces.identity[splits == "validation"].tolist()
        shared_validation = sum(identity in in_train for identity in of_validation)
    return SplitRecord(
        num_female={name: int((~faces.is_male[splits == name]).sum()) for name in SPLITS},
        num_male={name: int(faces.is_male[splits == name].sum()) for name in SPLITS},
        duplicates_across=across,
        identities_in_train_and_test=shared,
        test_images_of_shared_identities=shared_images,
        validation_images_of_shared_identities=shared_validation,
    )


def write_table(path: Path, faces: Faces, splits: np.ndarray) -> None:
    """faces.csv: name, split, digest, identity and partition if known, every attribute as 0/1."""
    table = faces.attributes.astype(np.int8)
    if faces.partition is not None:
        table.insert(0, "partition", faces.partition)
    if faces.identity is not None:
        table.insert(0, "identity", faces.identity)
    table.insert(0, "pixels_sha256", faces.pixels_sha256)
    table.insert(0, "split", splits)
    atomic.write_text(path, table.to_csv(index_label="name", lineterminator="\n"))


def read_table(path: Path, data: DataRecord, split: SplitRecord) -> tuple[Faces, np.ndarray]:
    """What `write_table` wrote -> Faces and the split, str (N,).

    BadInput if the file is damaged: if it is not what the records of its run were made from.
    """
    try:
        faces, splits = _read_table(path, Path(data.image_dir))
        if (digest_of(faces), describe_split(faces, splits)) == (data.digest, split):
            return faces, splits
        why = "its rows are not those of run.json"
    # pandas' own errors on tables that are none are TypeErrors and AttributeErrors as well.
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = reason(error)
    raise BadInput(f"{path}: damaged ({why}); move the directory away and begin a new run")


def _read_table(path: Path, image_dir: Path) -> tuple[Faces, np.ndarray]:
    table = pd.read_csv(
        io.StringIO(path.read_text("utf-8")), index_col="name", dtype={"name": str, "split": str}
    )
    splits = table.pop("split").to_numpy("<U10")
    pixels_sha256 = tuple(table.pop("pixels_sha256"))
    identity = table.pop("identity").to_numpy() if "identity" in table else None
    partition = table.pop("partition").to_numpy() if "partition" in table else None
    attributes = table == 1
    is_male = attributes["Male"].to_numpy(bool)
    names = tuple(table.index)
    faces = Faces(image_dir, names, is_male, attributes, identity, partition, pixels_sha256)
    return faces, splits


def describe_data(data: DataRecord, split: SplitRecord) -> list[str]:
    """What was found in the images, one fact a line."""
    source = dataset.SOURCES[data.source]
    if data.source == "synthetic":
        source += f", {generate.LABEL_NOISE_SHARE:.0%} of labels flipped"
    lines = [
        f"data: {source}, {data.num_used:,} of {data.num_asked:,} images "
        f"({data.num_male:,} male, {data.num_used - data.num_male:,} female), "
        f"chosen from {data.num_listed:,} in {data.directory}"
        + ("" if data.dropped else "; none missing or damaged"),
        "split: "
        + ", ".join(
            f"{name} {split.num_male[name] + split.num_female[name]:,}" for name in types.SPLITS
        )
        + f"; always answering the majority class scores {split.majority_share:.1%} on test",
        *describe_flaws(data),
    ]
    if split.duplicates_across:
        groups = len(split.duplicates_across)
        lines.append(f"groups of identical images that span several splits: {groups:,}")
    if split.identities_in_train_and_test is not None:
        lines.append(
            f"people in both train and test: {split.identities_in_train_and_test:,}; images of "
            f"people in train: {split.test_images_of_shared_identities:,} of the test set, "
            f"{split.validation_images_of_shared_identities:,} of the validation set"
        )
    return lines


def describe_flaws(data: DataRecord) -> list[str]:
    """What is not as CelebA's aligned images are, one fact a line; empty when all is well."""
    lines = [f"dropped {name}: {reason}" for name, reason in data.dropped.items()]
    lines += [
        f"{count:,} images of mode {mode} converted to RGB"
        for mode, count in data.converted.items()
    ]
    if data.num_turned:
        lines.append(f"{data.num_turned:,} images turned upright, as their EXIF says")
    if data.num_other_size:
        height, width = dataset.NATIVE_SIZE
        lines.append(
            f"{data.num_other_size:,} images are not {width} wide x {height} high as CelebA's "
            "are: each is stretched to the size of its iteration"
        )
    if data.num_unlisted:
        lines.append(f"{data.num_unlisted:,} image files are not in the label file: left out")
    return lines
