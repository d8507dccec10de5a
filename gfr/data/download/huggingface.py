"""CelebA as Hugging Face keeps it: parquet files with image bytes and attributes.

In: a repository, or parquet files on disk. Out: the official layout that gfr/data/celeba.py reads.
The
download is that of huggingface_hub, an extra of gfr: it resumes, and each file is held against the
SHA-256 of the repository's listing. Never sends a token, never needs the package `datasets`.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from gfr.data import celeba
from gfr.data.download import http
from gfr.data.download.catalog import HuggingFace
from gfr.errors import BadInput, reason
from gfr.storage import atomic

_PARTITIONS = {"train": 0, "valid": 1, "test": 2}  # how a file's name begins -> CelebA's number

_BATCH_ROWS = 256

_SUFFIX_OF = {b"\xff\xd8\xff": ".jpg", b"\x89PN": ".png"}

_TWICE = 2  # shards and the images in them are on disk together


@dataclass(frozen=True)
class Shard:
    """One parquet file of the repository; `sha256` as its listing has it."""

    path: str
    num_bytes: int
    sha256: str


def fetch(source: HuggingFace, directory: Path, report: Callable[[int, int], None]) -> list[Path]:
    """Download all shards to `directory`; those that are there and whole stay.

    BadInput if the extra is not installed, the server cannot be reached or refuses, or a digest is
    not what the listing says.
    """
    try:
        from huggingface_hub import HfApi, errors, hf_hub_download
        from huggingface_hub.utils import disable_progress_bars
    except ImportError:
        raise BadInput(
            "--from huggingface: huggingface_hub is not installed; it is in the lock. Install it "
            "with .venv/bin/uv pip install --constraints requirements.lock -e '.[hf]'"
        ) from None
    http.require_reachable(source.endpoint)
    disable_progress_bars()
    found = []
    try:
        shards = _listing(HfApi(endpoint=source.endpoint, token=False), source)
        atomic.require_room(directory, _TWICE * sum(shard.num_bytes for shard in shards))
        for done, shard in enumerate(shards):
            report(done, len(shards))
            path = hf_hub_download(
                source.repository,
                shard.path,
                repo_type="dataset",
                revision=source.revision,
                endpoint=source.endpoint,
                local_dir=directory,
                token=False,
            )
            _check(Path(path), shard)
            found.append(Path(path))
    except (errors.HTTPError, errors.EntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise BadInput(
            f"{source.endpoint}: {source.repository} cannot be had ({reason(error)}); what has "
            "arrived is kept, the same command goes on"
        ) from None
    report(len(shards), len(shards))
    return found


def _listing(api: Any, source: HuggingFace) -> list[Shard]:
    """The folder's parquet files, in the order of CelebA's own partition."""
    tree = api.list_repo_tree(
        source.repository, source.folder, revision=source.revision, repo_type="dataset"
    )
    shards = [
        Shard(file.path, file.size, file.lfs.sha256)
        for file in tree
        if str(PurePosixPath(file.path).parent) == source.folder  # a mirror may list what it likes
        and file.path.endswith(".parquet")
        and getattr(file, "lfs", None)
    ]
    if not shards:
        raise BadInput(f"{source.repository}: no parquet files in {source.folder}")
    return sorted(shards, key=lambda shard: _order(PurePosixPath(shard.path)))


def _order(path: Path | PurePosixPath) -> tuple[int, str]:
    """BadInput unless the name says which partition a shard is of."""
    partition = _PARTITIONS.get(path.name.partition("-")[0])
    if partition is None:
        raise BadInput(f"{path.name}: does not begin with {', '.join(_PARTITIONS)}")
    return partition, path.name


def _check(path: Path, shard: Shard) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != shard.sha256:
        path.unlink()
        raise BadInput(
            f"{shard.path}: SHA-256 {found}, {shard.sha256} was listed; it was deleted: "
            "the same command gets it again"
        )


def convert(shards: Sequence[Path], directory: Path, report: Callable[[int, int], None]) -> int:
    """Write images and label files of parquet files; returns how many images.

    BadInput names a file that is damaged or has other columns.
    """
    images = directory / celeba.IMAGE_FOLDERS[0]
    images.mkdir()
    names: list[str] = []
    rows: list[np.ndarray] = []  # bool (n, A)
    identity: list[int] = []
    partition: list[int] = []
    columns: list[str] = []
    for done, shard in enumerate(sorted(shards, key=_order)):
        report(done, len(shards))
        for batch in _batches(shard):
            columns = columns or [c for c in batch.schema.names if c not in ("image", "celeb_id")]
            if {*columns, "image", "celeb_id"} != set(batch.schema.names):
                raise BadInput(f"{shard.name}: other columns than the files before it")
            for image in batch.column("image").to_pylist():
                names.append(_write(images, image, len(names) + 1, shard))
            rows.append(np.stack([_bools(batch, column, shard) for column in columns], axis=1))
            identity += _integers(batch, "celeb_id", shard)
        partition += [_order(shard)[0]] * (len(names) - len(partition))
    if not names:
        raise BadInput("no rows in the parquet files")
    table = pd.DataFrame(np.concatenate(rows), index=names, columns=columns)
    celeba.write_lists(
        directory, table, pd.Series(identity, index=names), pd.Series(partition, index=names)
    )
    report(len(shards), len(shards))
    return len(names)


def _batches(shard: Path) -> Iterator[pa.RecordBatch]:
    """Rows of a shard, few at a time; BadInput if it is damaged or has other columns."""
    try:
        with pq.ParquetFile(shard) as file:
            for column in ("image", "celeb_id", "Male"):
                if column not in file.schema_arrow.names:
                    raise BadInput(f"{shard.name}: no column {column}; is it CelebA?")
            yield from file.iter_batches(_BATCH_ROWS)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{shard.name}: damaged ({reason(error)})") from None


def _bools(batch: pa.RecordBatch, column: str, shard: Path) -> np.ndarray:
    values = batch.column(column)
    if not pa.types.is_boolean(values.type) or values.null_count:
        raise BadInput(f"{shard.name}: {column} is not true or false in every row")
    return values.to_numpy(zero_copy_only=False)


def _integers(batch: pa.RecordBatch, column: str, shard: Path) -> list[int]:
    values = batch.column(column)
    if not pa.types.is_integer(values.type) or values.null_count:
        raise BadInput(f"{shard.name}: {column} is no whole number in every row")
    return values.to_pylist()


def _write(images: Path, image: Any, number: int, shard: Path) -> str:
    """Write one image under its own name where that is a plain one, else under its number."""
    data = image.get("bytes") if isinstance(image, dict) else None
    if not isinstance(data, bytes):
        raise BadInput(f"{shard.name}: image {number} has no bytes")
    name = str(image.get("path") or "")
    is_plain = name == Path(name).name and name.lower().endswith(celeba.IMAGE_SUFFIXES)
    if not is_plain or not name.isascii() or not name.isprintable() or " " in name:
        name = f"{number:06}{_SUFFIX_OF.get(data[:3], '.jpg')}"
    path = images / name
    if path.exists():
        raise BadInput(f"{shard.name}: {name} is there twice")
    path.write_bytes(data)
    return name
