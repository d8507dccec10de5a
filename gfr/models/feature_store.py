"""Features on disk: float32 (N, D) in shards, rows keyed by image name.

Rows are read from disk on demand, so memory does not grow with the number of images. A shard's file
name ends in the first 16 hex digits of its SHA-256; a file that does not match counts as missing.

    cache/features/VGG16-128x128-float32-<key>/
      key.json            everything the key is a digest of, readable
      check.json          a few images compared in both precisions, for bfloat16
      names.txt           one name a row, sorted
      00000-<sha256>.npy  rows 0..511, 00001-... the next 512
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gfr.config.schema import Precision
from gfr.data import images
from gfr.errors import CannotWrite
from gfr.storage import atomic, locks
from gfr.types import Count, Positive

ROWS = 512  # rows of a shard: a multiple of the extraction batch


@dataclass(frozen=True)
class Part:
    """The share of one of `of` workers in a feature set: every `of`-th shard from `number` on."""

    number: Positive
    of: Positive

    def __str__(self) -> str:
        """Text to append to the name of a feature set; empty for the whole."""
        return f", part {self.number} of {self.of}" if self.of > 1 else ""

    def shards(self, num_rows: int) -> range:
        """Return the numbers of its shards."""
        return range(self.number - 1, num_shards(num_rows), self.of)


WHOLE = Part(1, 1)


@dataclass(frozen=True)
class Extracted:
    """Where features are; how many images were computed now, how many were on disk."""

    directory: str
    precision: Precision
    num_computed: Count
    num_reused: Count


def key(contents: dict[str, object]) -> str:
    """Return a digest of everything the features depend on, 16 hex digits."""
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()[:16]


def create(directory: Path, contents: dict[str, object], names: Sequence[str]) -> None:
    """Create the directory and describe its contents; harmless if it exists."""
    atomic.write_text(directory / "names.txt", "".join(f"{name}\n" for name in names))
    atomic.write_json(directory / "key.json", contents)


def forget_once(directory: Path, run_id: str) -> None:
    """Remove all shards, but only once per run, so that a retry resumes."""
    marker = directory / "fresh-for.txt"
    with locks.locked(directory / "lock"):  # another worker may be computing for this run
        if marker.exists() and marker.read_text("utf-8") == run_id:
            return
        for path in (*directory.glob("[0-9]*.npy"), directory / "check.json"):
            path.unlink(missing_ok=True)
        atomic.write_text(marker, run_id)


def num_shards(num_rows: int) -> int:
    """Return the number of shards for `num_rows` rows."""
    return -(-num_rows // ROWS)


def num_rows(shards: Iterable[int], num_images: int) -> int:
    """Return the number of rows in these shards of `num_images`."""
    return sum(min(ROWS, num_images - shard * ROWS) for shard in shards)


def write(directory: Path, shard: int, features: np.ndarray) -> None:
    """Write the rows from `shard * ROWS` on: float32 (<= ROWS, D); replaces older ones."""
    features = np.ascontiguousarray(features, dtype=np.float32)
    for old in directory.glob(f"{shard:05}-*.npy"):
        old.unlink()
    path = directory / f"{shard:05}-{_sha256(features)}.npy"
    atomic.write(path, lambda file: np.save(file, features))


@contextlib.contextmanager
def removed_on_failure(directory: Path, shards: Iterable[int]) -> Iterator[None]:
    """Remove these shards if computing them fails, unless the disk or an image was at fault.

    What made a step fail may have spoilt what it wrote before.
    """
    try:
        yield
    except (CannotWrite, images.Changed):
        raise
    except Exception:  # whatever it was, the features of this attempt are not trusted
        for shard in shards:
            for path in directory.glob(f"{shard:05}-*.npy"):
                path.unlink(missing_ok=True)
        raise


def intact(directory: Path, shard: int) -> Path | None:
    """Return the shard's file if it exists and its content has the digest of its name."""
    for path in directory.glob(f"{shard:05}-*.npy"):
        try:
            features = np.load(path, allow_pickle=False)
        except (ValueError, EOFError, OSError):
            return None
        if path.stem == f"{shard:05}-{_sha256(features)}":
            return path
    return None


def is_there(directory: Path, shard: int) -> bool:
    """Whether a shard has a file, intact or not."""
    return any(directory.glob(f"{shard:05}-*.npy"))


def holds(directory: Path, part: Part = WHOLE, has: Callable[[Path, int], object] = intact) -> bool:
    """Whether every shard of a part is intact, or with `has=is_there` whether it has a file."""
    names = directory / "names.txt"
    num_images = len(names.read_text("utf-8").splitlines()) if names.is_file() else 0
    return num_images > 0 and all(has(directory, shard) for shard in part.shards(num_images))


def _sha256(features: np.ndarray) -> str:
    digest = hashlib.sha256(f"{features.dtype} {features.shape} ".encode())
    digest.update(np.ascontiguousarray(features).data)
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Features:
    """All shards of a feature set, open for reading by row."""

    names: tuple[str, ...]
    num_dims: int
    files: tuple[Path, ...]
    offsets: tuple[int, ...]  # where each file's rows begin, bytes

    def rows(self, indices: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """int (n,) -> float32 (n, D), in the order asked for, times `scale`."""
        out = np.empty((len(indices), self.num_dims), np.float32)
        row_bytes = 4 * self.num_dims
        for shard in np.unique(indices // ROWS):
            places = np.flatnonzero(indices // ROWS == shard)
            # pread, not mmap: mapped pages would count as this process' memory.
            with self.files[shard].open("rb") as file:
                for place in places:
                    offset = self.offsets[shard] + int(indices[place] % ROWS) * row_bytes
                    row = os.pread(file.fileno(), row_bytes, offset)
                    out[place] = np.frombuffer(row, np.float32)
        return out if scale == 1.0 else out * np.float32(scale)


def read(directory: Path) -> Features:
    """Open a complete feature set; every shard is checked against its digest."""
    names = tuple((directory / "names.txt").read_text("utf-8").splitlines())
    found = [intact(directory, shard) for shard in range(num_shards(len(names)))]
    if None in found:
        raise FileNotFoundError(f"{directory}: shard {found.index(None)} is missing or damaged")
    files = tuple(filter(None, found))
    headers = [np.load(path, mmap_mode="r") for path in files]
    offsets = tuple(header.offset for header in headers)
    return Features(names, headers[0].shape[1], files, offsets)
