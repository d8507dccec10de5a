"""CelebA as Hugging Face stores it: parquet files with image bytes and attributes.

Downloads a repository's parquet files with huggingface_hub (an optional extra, which resumes) and
converts them to the official layout that gfr/data/celeba.py reads. Every file is checked against
the SHA-256 in the repository's listing. Does not send a token and does not need the package
`datasets`.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from gfr.data import celeba, image_names
from gfr.data.download import http
from gfr.data.download.catalog import HuggingFace
from gfr.errors import InputError, reason
from gfr.progress import Report
from gfr.storage import atomic, hashing

_PARTITIONS = {"train": 0, "valid": 1, "test": 2}  # prefix of a file's name -> CelebA's number

_BATCH_ROWS = 256

_SUFFIX_OF = {b"\xff\xd8\xff": ".jpg", b"\x89PN": ".png"}

_COPIES = 2  # shards and the images in them are on disk together


def fetch(source: HuggingFace, directory: Path, report: Report) -> list[Path]:
    """Download all shards to `directory`, except those that are there already.

    Raises InputError if the extra is not installed, the server cannot be reached or refuses, or a
    digest differs from the listing.
    """
    try:
        from huggingface_hub import HfApi, errors
        from huggingface_hub.utils import disable_progress_bars
    except ImportError:
        raise InputError(
            "--from huggingface: huggingface_hub is not installed. Install it with "
            ".venv/bin/uv pip install --constraints requirements.lock -e '.[hf]'"
        ) from None
    http.require_reachable(source.endpoint)
    disable_progress_bars()
    api = HfApi(endpoint=source.endpoint, token=False)
    options: dict[str, Any] = {"repo_type": "dataset", "revision": source.revision}
    download = partial(api.hf_hub_download, source.repository, local_dir=directory, **options)
    paths = []
    try:
        shards = _shards(source, api.list_repo_tree(source.repository, source.folder, **options))
        atomic.require_room(directory, _COPIES * sum(shard.size for shard in shards))
        for done, shard in enumerate(shards):
            report(done, len(shards))
            path = Path(download(shard.path))
            _check_digest(path, shard.lfs.sha256)
            paths.append(path)
    except (errors.HTTPError, errors.EntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise InputError(
            f"{source.endpoint}: {source.repository} cannot be downloaded ({reason(error)}). "
            "Complete files are kept; run the same command again"
        ) from None
    report(len(shards), len(shards))
    return paths


def _shards(source: HuggingFace, tree: Iterable[Any]) -> list[Any]:
    """Pick the folder's parquet files (path, size, lfs.sha256), in the order of the partition."""
    shards = [
        file
        for file in tree
        if str(PurePosixPath(file.path).parent) == source.folder  # a mirror may list anything
        and file.path.endswith(".parquet")
        and getattr(file, "lfs", None)
    ]
    if not shards:
        raise InputError(f"{source.repository}: no parquet files in {source.folder}")
    return sorted(shards, key=lambda shard: _order(PurePosixPath(shard.path)))


def _order(path: PurePosixPath | Path) -> tuple[int, str]:
    """Sort key: the partition that the name begins with, then the name."""
    partition = _PARTITIONS.get(path.name.partition("-")[0])
    if partition is None:
        raise InputError(f"{path.name}: does not begin with {', '.join(_PARTITIONS)}")
    return partition, path.name


def _check_digest(path: Path, listed: str) -> None:
    sha256 = hashing.file_sha256(path)
    if sha256 != listed:
        path.unlink()
        raise InputError(
            f"{path.name}: SHA-256 is {sha256}, but {listed} is listed. The file was deleted; run "
            "the same command again"
        )


def convert(shards: Sequence[Path], directory: Path, report: Report) -> int:
    """Write images and label files of parquet files; returns the number of images.

    Raises InputError that names a file which is damaged or has other columns.
    """
    images = directory / celeba.IMAGE_FOLDERS[0]
    images.mkdir()
    names: list[str] = []
    tables: list[pd.DataFrame] = []
    for done, shard in enumerate(sorted(shards, key=_order)):
        report(done, len(shards))
        for batch in _batches(shard):
            photos = batch.column("image").to_pylist()
            start = len(names) + 1
            names += [_write(images, image, start + i, shard) for i, image in enumerate(photos)]
            tables.append(_table(batch, shard).assign(partition=_order(shard)[0]))
            if set(tables[-1].columns) != set(tables[0].columns):
                raise InputError(f"{shard.name}: its columns differ from those of the first file")
    if not names:
        raise InputError("no rows in the parquet files")
    table = pd.concat(tables).set_index(pd.Index(names))
    celeba.write_lists(directory, table.rename(columns={"celeb_id": "identity"}))
    report(len(shards), len(shards))
    return len(names)


def _batches(shard: Path) -> Iterator[pa.RecordBatch]:
    """Read the rows of a shard, a few at a time."""
    try:
        with pq.ParquetFile(shard) as file:
            for column in ("image", "celeb_id", "Male"):
                if column not in file.schema_arrow.names:
                    raise InputError(f"{shard.name}: no column {column}. Is it CelebA?")
            yield from file.iter_batches(_BATCH_ROWS)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{shard.name}: damaged ({reason(error)})") from None


def _table(batch: pa.RecordBatch, shard: Path) -> pd.DataFrame:
    """Convert every column but the images: celeb_id as int64, attributes as bool."""
    table = batch.drop_columns(["image"]).to_pandas()  # nulls change a column's type
    for name, dtype in table.dtypes.items():
        expected, kinds = ("a whole number", "iu") if name == "celeb_id" else ("true or false", "b")
        if dtype.kind not in kinds:
            raise InputError(f"{shard.name}: {name} is not {expected} in every row")
    return table


def _write(images: Path, image: Any, number: int, shard: Path) -> str:
    """Write one image under its own name if that is a plain one, else under its number."""
    data = image.get("bytes") if isinstance(image, dict) else None
    if not isinstance(data, bytes):
        raise InputError(f"{shard.name}: image {number} has no bytes")
    name = str(image.get("path") or "")
    is_plain = name == Path(name).name and image_names.is_image(name)
    if not is_plain or not name.isascii() or not name.isprintable() or " " in name:
        name = f"{number:06}{_SUFFIX_OF.get(data[:3], '.jpg')}"
    path = images / name
    if path.exists():
        raise InputError(f"{shard.name}: {name} is listed twice")
    path.write_bytes(data)
    return name
