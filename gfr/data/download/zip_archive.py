"""Turn a zip archive from elsewhere into a CelebA directory.

The archive is not trusted. No name in it becomes a path: only images that its label file lists are
written, as regular files under their bare names, beside label files in CelebA's layout. Sizes are
checked before anything is unpacked, and zipfile never unpacks more than an entry states.
"""

import contextlib
import errno
import logging
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from gfr.data import celeba, image_names, label_lists
from gfr.data.download.catalog import Limits, Sources
from gfr.errors import InputError, reason
from gfr.progress import Report

LOG = logging.getLogger("gfr")

_SMALL_BYTES = 1_000_000  # smaller files may be compressed to any ratio

# zipfile raises RuntimeError for encrypted entries, NotImplementedError for unknown compression.
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError, RuntimeError, MemoryError,
    OverflowError, ImportError,
)  # fmt: skip


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; InputError if it turns out to be damaged while it is read."""
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except (*_DAMAGED, OSError) as error:
        # EINVAL: the archive names a place before its first byte.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise InputError(f"not a complete zip archive ({reason(error)})") from None


def unpack(archive: Path, directory: Path, sources: Sources, report: Report) -> int:
    """Write images and label files to `directory`; returns how many images the labels list.

    Raises InputError if the archive is damaged, beyond the limits, or has no listed images.
    """
    limits, label_files = sources.limits, sources.published.label_files
    with _opened(archive) as opened, tempfile.TemporaryDirectory(dir=directory) as scratch:
        entries = [entry for entry in opened.infolist() if entry.filename and not entry.is_dir()]
        if len(entries) > limits.files:
            raise InputError(f"{len(entries):,} files in it, more than {limits.files:,}")

        def extracted(names: Sequence[str]) -> Path | None:
            entry = _find(entries, names)
            if entry is None:
                return None
            _check_sizes([entry], limits)
            path = Path(scratch) / PurePosixPath(entry.filename).name  # one of `names`
            _copy(opened, entry, path)
            return path

        label_file = extracted(label_files)
        if label_file is None:
            raise InputError(f"no label file in it; looked for {', '.join(label_files)}")
        attributes, _ = label_lists.read_attributes(label_file)
        images = _images(entries, set(attributes.index))
        table = attributes.loc[sorted(images)]
        for name, files in label_lists.LISTS.items():
            if path := extracted(files):
                _add_list(table, name, path)
        _check_sizes(list(images.values()), limits)
        folder = directory / celeba.IMAGE_FOLDERS[0]
        folder.mkdir()
        for done, (name, entry) in enumerate(images.items(), start=1):
            _copy(opened, entry, folder / name)
            report(done, len(images))
    celeba.write_lists(directory, table)
    return len(attributes)


def _add_list(table: pd.DataFrame, name: str, path: Path) -> None:
    """Add a column from a list of identities or partitions, unless it lacks an image."""
    column, _ = label_lists.read_column(path)
    if table.index.isin(column.index).all():
        table[name] = column
    else:
        LOG.warning("%s: left out, it does not list every image", path.name)


def _find(entries: list[zipfile.ZipInfo], names: Sequence[str]) -> zipfile.ZipInfo | None:
    """Find the file in the shallowest folder that has one of `names`, the first of them there."""
    paths = {entry.filename: PurePosixPath(entry.filename) for entry in entries}
    matching = [
        entry
        for entry in entries
        if (path := paths[entry.filename]).name in names
        and all(map(image_names.is_shown, path.parts))
    ]

    def place(entry: zipfile.ZipInfo) -> tuple[int, int, str]:
        path = paths[entry.filename]
        return len(path.parts), names.index(path.name), entry.filename

    return min(matching, key=place, default=None)


def _images(entries: list[zipfile.ZipInfo], listed: set[str]) -> dict[str, zipfile.ZipInfo]:
    """Map the listed names to images of the folder that has most of them."""
    folders: dict[PurePosixPath, dict[str, zipfile.ZipInfo]] = {}
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.name in listed:
            folders.setdefault(path.parent, {})[path.name] = entry
    if not folders:
        raise InputError("no image in it that its label file lists")
    return max(folders.values(), key=len)


def _check_sizes(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    for entry in entries:
        ratio_bytes = max(_SMALL_BYTES, limits.ratio * entry.compress_size)
        max_bytes = min(limits.file_bytes, ratio_bytes)
        if entry.file_size > max_bytes:
            raise InputError(
                f"{entry.filename[:80]!r} in it unpacks to {entry.file_size:,} bytes, more than "
                f"{max_bytes:,} (limits in benchmarks/sources.toml)"
            )
    total = sum(entry.file_size for entry in entries)
    if total > limits.unpacked_bytes:
        raise InputError(f"{total:,} bytes unpacked, more than {limits.unpacked_bytes:,}")


def _copy(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    with opened.open(entry) as source, path.open("wb") as file:
        shutil.copyfileobj(source, file)
