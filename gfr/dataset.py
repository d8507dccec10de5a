"""The images of a run: which ones, what is known of each, and the split.

In: a CelebA directory (gfr/synthetic.py writes the same layout) or images with a CSV
(gfr/label_csv.py), how many images, a seed. Out: Faces, a DataRecord that says what was found, and
a table faces.csv in the run directory. The choice and the split depend on image names and the seed
alone: not on file order, not on the machine. Never replaces an image that is missing, never
resizes.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from gfr import celeba, images, label_csv, splitting
from gfr.errors import BadInput, reason
from gfr.evaluation.metrics import constant_answer
from gfr.storage import atomic
from gfr.types import SPLITS, Count, CountsBySplit, Positive

NATIVE_SIZE = (218, 178)  # height, width of CelebA's aligned images, px
MAX_DROPPED_FRACTION = 0.01
Source = Literal["celeba", "csv", "synthetic"]
SOURCES = {
    "celeba": "CelebA",
    "csv": "own images",
    "synthetic": "SYNTHETIC faces",
}
_CHUNK = 1024  # images under inspection at once: bounds memory


class TooFew(BadInput):
    """A data set lists fewer images than are asked for."""


@dataclass(frozen=True)
class Faces:
    """N images, sorted by name.

    names (N,); is_male bool (N,); attributes bool (N, A) with CelebA's column names; identity
    int64 (N,) or None; partition int64 (N,) (CelebA's own: 0 train, 1 validation, 2 test) or None;
    pixels_sha256 (N,) once the images have been inspected.
    """

    image_dir: Path
    names: tuple[str, ...]
    is_male: np.ndarray
    attributes: pd.DataFrame
    identity: np.ndarray | None
    partition: np.ndarray | None
    pixels_sha256: tuple[str, ...] = ()

    def paths(self) -> list[Path]:
        """The image files, in the order of `names`."""
        return [self.image_dir / name for name in self.names]

    def rows(self, keep: np.ndarray) -> "Faces":
        """The images where bool `keep` (N,) holds."""
        return replace(
            self,
            names=tuple(name for name, kept in zip(self.names, keep, strict=True) if kept),
            is_male=self.is_male[keep],
            attributes=self.attributes[keep],
            identity=None if self.identity is None else self.identity[keep],
            partition=None if self.partition is None else self.partition[keep],
        )


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


@dataclass(frozen=True)
class Listing:
    """The chosen images as the label file knows them, before any is opened."""

    faces: Faces
    num_listed: int
    num_unlisted: int  # image files in the folder that the label file does not name


@dataclass(frozen=True)
class Inspection:
    """The chosen images that can be decoded, and what was seen on the way."""

    faces: Faces
    dropped: dict[str, str]
    converted: dict[str, int]
    num_other_size: int
    num_turned: int


def load(directory: Path, num_images: int | Literal["all"], seed: int) -> Listing:
    """Choose images from a CelebA directory, or one with a CSV; BadInput if they cannot serve."""
    labels = (label_csv if label_csv.is_meant(directory) else celeba).read(directory)
    attributes = labels.attributes
    names = choose(list(attributes.index), num_images, seed, labels.label_file)
    on_disk = celeba.image_names(labels.image_dir)
    unlisted = len(on_disk.difference(attributes.index))
    num_listed = len(attributes)
    attributes = attributes.loc[names]
    is_male = attributes["Male"].to_numpy(bool)
    if is_male.all() or not is_male.any():
        only = "male" if is_male.all() else "female"
        raise BadInput(f"{labels.label_file}: all {len(names):,} chosen images are {only}")
    faces = Faces(
        image_dir=labels.image_dir,
        names=tuple(names),
        is_male=is_male,
        attributes=attributes,
        identity=_column(labels.identity_file, labels.identity, names),
        partition=_column(labels.partition_file, labels.partition, names),
    )
    return Listing(faces, num_listed, unlisted)


def choose(
    names: Sequence[str], num_images: int | Literal["all"], seed: int, source: Path
) -> list[str]:
    """The same names for the same seed, whatever their order: the smallest hashes, sorted."""
    if num_images == "all" or num_images == len(names):
        return sorted(names)
    if num_images > len(names):
        raise TooFew(
            f"{source}: lists {len(names):,} images, {num_images:,} are asked for; "
            'lower [data] images in a copy of the benchmark file or set it to "all"'
        )
    return sorted(sorted(names, key=lambda name: splitting.rank(seed, "choose", name))[:num_images])


def _column(path: Path | None, column: pd.Series | None, names: list[str]) -> np.ndarray | None:
    if column is None:
        return None
    missing = [name for name in names if name not in column.index]
    if missing:
        raise BadInput(f"{path}: {len(missing):,} images are not listed, the first {missing[0]}")
    return column.loc[names].to_numpy(np.int64)


def inspect(faces: Faces, report: Callable[[int, int], None]) -> Inspection:
    """Decode every image once; BadInput if more than 1 % cannot be."""
    seen: list[_Seen] = []
    with ThreadPoolExecutor(images.NUM_DECODE_THREADS) as pool:
        paths = faces.paths()
        for start in range(0, len(paths), _CHUNK):
            seen += pool.map(_see, paths[start : start + _CHUNK])
            report(len(seen), len(paths))
    named = dict(zip(faces.names, seen, strict=True))
    dropped = {name: image.reason for name, image in named.items() if image.reason}
    _refuse_too_many_dropped(faces, dropped)
    good = {name: image for name, image in named.items() if not image.reason}
    modes = Counter(image.mode for image in good.values() if image.mode != "RGB")
    return Inspection(
        faces=replace(
            faces.rows(np.array([name in good for name in faces.names])),
            pixels_sha256=tuple(image.sha256 for image in good.values()),
        ),
        dropped=dropped,
        converted=dict(sorted(modes.items())),
        num_other_size=sum(image.size != NATIVE_SIZE for image in good.values()),
        num_turned=sum(image.is_turned for image in good.values()),
    )


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


@dataclass(frozen=True)
class _Seen:
    """One inspected image; `reason` is empty where it could be decoded."""

    reason: str
    mode: str = ""
    size: tuple[int, int] = (0, 0)
    sha256: str = ""
    is_turned: bool = False


def _see(path: Path) -> _Seen:
    try:
        decoded = images.decode(path)
    except images.Undecodable as error:
        return _Seen(str(error))
    height, width, _ = decoded.pixels.shape
    sha256 = images.sha256(decoded.pixels)
    return _Seen("", decoded.mode, (height, width), sha256, decoded.is_turned)


def _refuse_too_many_dropped(faces: Faces, dropped: dict[str, str]) -> None:
    if len(dropped) > MAX_DROPPED_FRACTION * len(faces.names):
        name, why = next(iter(dropped.items()))
        raise BadInput(
            f"{faces.image_dir}: {len(dropped):,} of {len(faces.names):,} chosen images are "
            f"missing or undecodable, the first {name} ({why}); at most 1 % may be. Restore "
            "them, or take their lines out of the label file"
        )


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
