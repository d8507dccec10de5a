"""A zip from elsewhere becomes a CelebA directory.

In: an archive that nobody vouches for. Out: its images under `img_align_celeba/`, and CelebA's
label files cut down to them. No name in the archive becomes a path: images are written under the
names of the label file, which are plain. What an entry is and how large it claims to be is checked
before it is unpacked, and zipfile unpacks no more than is claimed. Never follows a link.
"""

import io
import logging
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from gfr.data import celeba
from gfr.data.download.catalog import Limits
from gfr.errors import BadInput, reason

LOG = logging.getLogger("gfr")

_CHUNK_BYTES = 1 << 20

_MAX_DIRECTORY_BYTES = 64_000_000

_SMALL_BYTES = 1_000_000  # what is smaller is no bomb, however well it packs

# NotImplementedError: zipfile's word for a version or a kind of packing that it does not know.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError, NotImplementedError)

_LISTS = (celeba.LABEL_FILES, celeba.IDENTITY_FILES, celeba.PARTITION_FILES)


def unpack(
    archive: Path,
    directory: Path,
    label_files: Sequence[str],
    limits: Limits,
    report: Callable[[int, int], None],
) -> int:
    """Write images and label files to `directory`; returns how many images the labels list.

    BadInput if the archive is damaged, holds what no packed data set holds, is beyond the limits,
    or has no images that its label file names.
    """
    try:
        with archive.open("rb", buffering=0) as raw, zipfile.ZipFile(_Bounded(raw)) as opened:
            return _unpack(opened, directory, label_files, limits, report)
    except _DAMAGED as error:
        raise BadInput(f"no whole zip archive ({reason(error)})") from None


class _Bounded(io.BufferedReader):
    """A file whose numbers may lie: zipfile reads as much at once, and seeks, as they say."""

    def read(self, size: int | None = -1) -> bytes:
        """As usual, but BadInput for more than an honest archive needs."""
        if size is not None and size > _MAX_DIRECTORY_BYTES:
            raise BadInput(f"its directory has {size:,} bytes, more than {_MAX_DIRECTORY_BYTES:,}")
        return super().read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As usual, but an offset before the first byte is the archive's fault, not the disk's."""
        try:
            return super().seek(offset, whence)
        except OSError:
            raise zipfile.BadZipFile(f"an offset of {offset:,}") from None


def _unpack(
    opened: zipfile.ZipFile,
    directory: Path,
    label_files: Sequence[str],
    limits: Limits,
    report: Callable[[int, int], None],
) -> int:
    entries = _regular_files(opened.infolist(), limits)
    with tempfile.TemporaryDirectory(dir=directory) as scratch:

        def listed(names: Sequence[str]) -> Path | None:
            entry = _find(entries, names)
            if entry is None:
                return None
            _refuse_unfit([entry], limits)
            path = Path(scratch) / PurePosixPath(entry.filename).name  # one of `names`
            _copy(opened, entry, path)
            return path

        labels = listed(label_files)
        if labels is None:
            raise BadInput(f"no label file in it; looked for {', '.join(label_files)}")
        attributes = celeba.read_attributes(labels)
        wanted = _images(entries, attributes)
        kept = attributes.loc[sorted(wanted)]
        identity = _column(listed(celeba.IDENTITY_FILES), kept.index)
        partition = _column(listed(celeba.PARTITION_FILES), kept.index)
    _refuse_unfit(list(wanted.values()), limits)
    images = directory / celeba.IMAGE_FOLDERS[0]
    images.mkdir()
    for done, (name, entry) in enumerate(wanted.items(), start=1):
        _copy(opened, entry, images / name)
        report(done, len(wanted))
    celeba.write_lists(directory, kept, identity, partition)
    return len(attributes)


def _regular_files(entries: list[zipfile.ZipInfo], limits: Limits) -> list[zipfile.ZipInfo]:
    """Files without folders and links; BadInput for what no packed data set has."""
    if len(entries) > limits.files:
        raise BadInput(f"{len(entries):,} files in it, more than {limits.files:,}")
    regular = []
    for entry in entries:
        path, kind = PurePosixPath(entry.filename), stat.S_IFMT(entry.external_attr >> 16)
        shown = f"{entry.filename[:80]!r}"
        if not entry.filename:
            raise BadInput("a file without a name in it; nothing was unpacked")
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename:
            raise BadInput(f"{shown} in it leads out of it; nothing was unpacked")
        if kind == stat.S_IFLNK:
            if path.suffix.lower() in celeba.IMAGE_SUFFIXES or any(path.name in x for x in _LISTS):
                raise BadInput(f"{shown} in it is a link, not a file; nothing was unpacked")
        elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise BadInput(f"{shown} in it is a device or a pipe; nothing was unpacked")
        elif not entry.is_dir() and kind != stat.S_IFDIR:
            regular.append(entry)
    return regular


def _find(entries: list[zipfile.ZipInfo], names: Iterable[str]) -> zipfile.ZipInfo | None:
    """The first of `names` that is there, in the shallowest folder."""
    for name in names:
        found = [entry for entry in entries if PurePosixPath(entry.filename).name == name]
        if found:
            return min(found, key=lambda entry: (entry.filename.count("/"), entry.filename))
    return None


def _images(entries: list[zipfile.ZipInfo], attributes: pd.DataFrame) -> dict[str, zipfile.ZipInfo]:
    """The listed images by name, out of the folder that has most of them, whatever it is called."""
    listed = set(attributes.index)
    folders: dict[PurePosixPath, dict[str, zipfile.ZipInfo]] = {}
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.name not in listed:
            continue
        images = folders.setdefault(path.parent, {})
        if path.name in images:
            raise BadInput(f"{entry.filename[:80]!r} is in it twice")
        images[path.name] = entry
    if not folders:
        raise BadInput("no image in it that its label file names")
    return max(folders.values(), key=len)


def _refuse_unfit(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    """BadInput for bombs, and for what zipfile could not read."""
    for entry in entries:
        shown = f"{entry.filename[:80]!r} in it"
        if entry.flag_bits & 0x1:
            raise BadInput(f"{shown} is encrypted")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadInput(f"{shown} is neither stored nor deflated")
        if entry.file_size > limits.file_bytes:
            raise BadInput(
                f"{shown} has {entry.file_size:,} bytes, more than {limits.file_bytes:,}"
            )
        if entry.file_size > max(_SMALL_BYTES, limits.ratio * entry.compress_size):
            raise BadInput(f"{shown} is packed more than {limits.ratio} to 1: a bomb")
    total = sum(entry.file_size for entry in entries)
    if total > limits.unpacked_bytes:
        raise BadInput(f"{total:,} bytes unpacked, more than {limits.unpacked_bytes:,}")


def _copy(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    with opened.open(entry) as source, path.open("wb") as file:
        shutil.copyfileobj(source, file, _CHUNK_BYTES)


def _column(path: Path | None, names: pd.Index) -> pd.Series | None:
    """An identity or partition list for `names`; None if there is none for all of them."""
    if path is None:
        return None
    column = celeba.read_column(path)
    if not names.isin(column.index).all():
        LOG.warning("%s: left out, it does not list every image", path.name)
        return None
    return column.loc[names]
