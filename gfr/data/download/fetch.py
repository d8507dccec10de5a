"""Download a data set and put it into a directory that a run can use.

The directory has CelebA's official layout and a file `fetched.json` that says where the data is
from. It appears only once every image has been decoded. Existing data stays, unless it was fetched
and --overwrite is given. Nothing is fetched before the licence is accepted, or when offline.
"""

import contextlib
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pooch.utils import unique_file_name

from gfr.data import celeba, dataset, inspection
from gfr.data.download import http, huggingface, target, zip_archive
from gfr.data.download.catalog import Sources
from gfr.errors import CannotWrite, InputError
from gfr.progress import reporter
from gfr.storage import atomic, hashing, locks

SOURCES = ("published", "huggingface")

Write = Callable[[Path], int]  # fills a directory, returns the number of images listed


@dataclass(frozen=True)
class Request:
    """The options of `gfr data fetch`; `url` and `sha256` replace those of sources.toml."""

    directory: Path
    source: str
    url: str | None
    sha256: str | None
    is_license_accepted: bool
    is_offline: bool
    replace: bool


@dataclass(frozen=True)
class Origin:
    """Where data is from.

    `sha256` is that of the archive, empty for sources whose files are checked one by one.
    `num_expected` is the number of images of a known source, None for another address.
    """

    source: str
    url: str
    sha256: str
    is_checked: bool  # against a digest that was known before
    num_expected: int | None


@dataclass(frozen=True)
class Fetched:
    """What was fetched; `num_listed` counts the rows of the label file, with an image or not."""

    origin: Origin
    num_listed: int
    num_images: int
    num_male: int
    num_undecodable: int
    fetched_at: str
    license: str


def run(request: Request, sources: Sources) -> Fetched | None:
    """Fetch, or return None if the directory holds CelebA already.

    Raises InputError if the licence is not accepted, there is no network, a digest differs or the
    directory cannot be used.
    """
    if request.source not in SOURCES:
        raise InputError(f"--from {request.source!r}: unknown; known: {', '.join(SOURCES)}")
    if not request.is_license_accepted:
        raise InputError(
            f"{sources.license} ({sources.license_url}). Accept that with --accept-license"
        )
    if _is_there(request):
        return None
    if request.is_offline:
        raise InputError("nothing is fetched: --offline or GFR_OFFLINE is set. See docs/data.md")
    fetch = _published if request.source == "published" else _huggingface
    work = request.directory.with_name(f"fetch-{request.directory.name}")
    refusal = f"{work}: another gfr data fetch is running there. Wait for its end"
    with locks.locked(work / "lock", refusal=refusal):
        try:
            origin, write = fetch(request, sources, work)
            fetched = _put_in_place(request.directory, origin, write, sources.license)
        except CannotWrite:
            raise  # what has been downloaded serves the next attempt
        except InputError:
            for file in filter(Path.is_file, work.iterdir()):
                file.unlink()  # unpacking the same archive would fail again
            with contextlib.suppress(OSError):  # the complete files of Hugging Face stay
                work.rmdir()
            raise
        shutil.rmtree(work)
    return fetched


def _is_there(request: Request) -> bool:
    """Tell whether the directory holds data to keep; InputError if it holds anything else."""
    directory = request.directory
    if target.is_free(directory, request.replace):
        return False
    try:
        celeba.read(directory)
    except InputError:
        raise InputError(f"{directory}: exists and is not CelebA. Name another directory") from None
    return True


def _published(request: Request, sources: Sources, work: Path) -> tuple[Origin, Write]:
    if request.sha256 and not re.fullmatch("[0-9a-fA-F]{64}", request.sha256):
        raise InputError(f"--sha256 {request.sha256!r}: not 64 hexadecimal digits")
    source = sources.published
    if request.url:
        source = replace(source, url=request.url, sha256="")
    expected = (request.sha256 or source.sha256).lower()
    archive = work / unique_file_name(source.url)  # never a file of another URL
    max_bytes = sources.limits.archive_bytes
    http.fetch(source.url, archive, expected, max_bytes, reporter("download, MB"))
    num_expected = None if request.url else source.num_images
    sha256 = hashing.file_sha256(archive)
    origin = Origin(request.source, source.url, sha256, bool(expected), num_expected)
    return origin, partial(zip_archive.unpack, archive, sources=sources, report=reporter("unpack"))


def _huggingface(request: Request, sources: Sources, work: Path) -> tuple[Origin, Write]:
    if request.sha256:
        raise InputError("--sha256: Hugging Face lists a digest for each file. Leave it out")
    source = sources.huggingface
    if request.url:
        source = replace(source, endpoint=request.url.rstrip("/"))
    shards = huggingface.fetch(source, work / "shards", reporter("download, files"))
    url = f"{source.endpoint}/datasets/{source.repository}/tree/{source.revision}"
    origin = Origin(request.source, url, "", True, source.num_images)
    return origin, partial(huggingface.convert, shards, report=reporter("unpack, files"))


def _put_in_place(place: Path, origin: Origin, write: Write, license_: str) -> Fetched:
    """Write into a temporary directory, decode every image, then rename it to `place`."""
    with atomic.directory(place) as directory:
        try:
            num_listed = write(directory)
            listing = dataset.load(directory, "all", seed=0)
            faces, flaws = inspection.inspect(listing.faces, reporter("check images"))
        except CannotWrite:
            raise
        except InputError as error:
            why = str(error).replace(f"{directory}/", "")
            why += "" if why.endswith("?") else "."
            raise InputError(f"{origin.url}: {why} Nothing was written to {place}") from None
        fetched = Fetched(
            origin=origin,
            num_listed=num_listed,
            num_images=len(faces.names),
            num_male=int(faces.is_male.sum()),
            num_undecodable=len(flaws.dropped),
            fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
            license=license_,
        )
        atomic.write_json(directory / target.RECORD, asdict(fetched))
    return fetched
