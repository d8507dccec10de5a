"""From a source to a data directory that a run can use.

In: which source, where to, and whether the user accepts the licence. Out: a directory in CelebA's
official layout, whole and checked, and `fetched.json` in it, which says where it is from. What was
there before stays unless it was fetched too and is asked to be replaced. Never fetches without the
licence accepted, never when offline.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from gfr.data import celeba, dataset, inspection
from gfr.data.download import http, huggingface, zip_archive
from gfr.data.download.catalog import Sources
from gfr.errors import BadInput, CannotWrite, cannot_write
from gfr.progress import reporter
from gfr.storage import atomic

SOURCES = ("published", "huggingface")

RECORD = "fetched.json"


@dataclass(frozen=True)
class Request:
    """What the user asked for; `url` and `sha256` replace those of benchmarks/sources.toml."""

    directory: Path
    source: str
    url: str | None
    sha256: str | None
    is_license_accepted: bool
    is_offline: bool
    replace: bool


@dataclass(frozen=True)
class Origin:
    """Where data is from; `sha256` of the archive, empty where each file was checked by its own.

    `num_expected`: images of the source that gfr knows; None for another address of the user's.
    """

    source: str
    url: str
    sha256: str
    is_checked: bool  # against a digest that was known before
    num_expected: int | None


@dataclass(frozen=True)
class Fetched:
    """What was fetched; `num_listed` counts what its label file named, there or not."""

    origin: Origin
    num_listed: int
    num_images: int
    num_male: int
    num_undecodable: int
    fetched_at: str
    license: str


def run(request: Request, sources: Sources) -> Fetched | None:
    """Fetch, or return None if a CelebA directory is there already.

    BadInput says what is missing: licence, network, a right digest, a place to write to.
    """
    if request.source not in SOURCES:
        raise BadInput(f"--from {request.source!r}: unknown; known: {', '.join(SOURCES)}")
    if not request.is_license_accepted:
        raise BadInput(
            f"{sources.license} ({sources.license_url}); --accept-license says that you accept that"
        )
    if _is_there(request):
        return None
    if request.directory.is_mount():
        raise BadInput(f"{request.directory}: is a mount point; name a directory in it")
    if request.is_offline:
        raise BadInput(
            "offline was asked for (--offline or GFR_OFFLINE): nothing is fetched; docs/data.md "
            "says how to get the data by hand"
        )
    fetch = _published if request.source == "published" else _huggingface
    work = request.directory.with_name(f"fetch-{request.directory.name}")
    with alone(work):
        fetched = fetch(request, sources, work)
        shutil.rmtree(work)
    return fetched


def _is_there(request: Request) -> bool:
    """Whether data stands there that shall stay; BadInput for what is neither data nor nothing."""
    directory = request.directory
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return False
    if request.replace:
        if not (directory / RECORD).is_file():
            raise BadInput(f"{directory}: was not fetched by gfr; move it away yourself")
        return False
    try:
        celeba.find(directory)
    except BadInput:
        raise BadInput(f"{directory}: exists and is no CelebA; name another directory") from None
    return True


@contextlib.contextmanager
def alone(work: Path) -> Iterator[None]:
    """A directory for what has arrived so far; BadInput if another process is filling it."""
    try:
        work.mkdir(parents=True, exist_ok=True)
        opened = os.open(work, os.O_RDONLY)
    except OSError as error:
        raise cannot_write(work, error) from None
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(f"{work}: another gfr data fetch is at work there") from None
        yield
    finally:
        os.close(opened)
        with contextlib.suppress(OSError):  # it stays while something is in it
            work.rmdir()


def _published(request: Request, sources: Sources, work: Path) -> Fetched:
    url = request.url or sources.published.url
    expected = sources.published.sha256 if request.url is None else ""
    expected = _checked_sha256(request.sha256) or expected
    archive = work / "archive.zip"
    http.fetch(url, archive, sources.limits.archive_bytes, _megabytes("download, MB"))
    with archive.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if expected and sha256 != expected:
        http.forget(archive)
        raise BadInput(f"{url}: SHA-256 {sha256}, {expected} was expected; the file was deleted")

    def write(directory: Path) -> int:
        return zip_archive.unpack(
            archive, directory, sources.published.label_files, sources.limits, reporter("unpack")
        )

    num_expected = sources.published.num_images if request.url is None else None
    origin = Origin(request.source, url, sha256, bool(expected), num_expected)
    try:
        return _finish(request.directory, write, origin, sources.license)
    except CannotWrite:
        raise
    except BadInput:
        http.forget(archive)  # what it is not now it will never be
        raise


def _huggingface(request: Request, sources: Sources, work: Path) -> Fetched:
    if request.sha256:
        raise BadInput("--sha256: Hugging Face lists a digest for each file; leave it out")
    source = sources.huggingface
    if request.url:
        source = replace(source, endpoint=request.url.rstrip("/"))
    shards = huggingface.fetch(source, work / "shards", reporter("download, files"))

    def write(directory: Path) -> int:
        return huggingface.convert(shards, directory, reporter("unpack, files"))

    url = f"{source.endpoint}/datasets/{source.repository}/tree/{source.revision}"
    origin = Origin(request.source, url, "", True, source.num_images)
    return _finish(request.directory, write, origin, sources.license)


def _finish(target: Path, write: Callable[[Path], int], origin: Origin, license_: str) -> Fetched:
    """Write beside the target, decode every image, and only then give it its name."""
    with atomic.directory(target) as directory:
        try:
            num_listed = write(directory)
            listing = dataset.load(directory, "all", seed=0)
            seen = inspection.inspect(listing.faces, reporter("check images"))
        except CannotWrite:
            raise
        except BadInput as error:
            reason = str(error).replace(f"{directory}/", "")
            raise BadInput(f"{origin.url}: {reason}; nothing was put at {target}") from None
        fetched = Fetched(
            origin=origin,
            num_listed=num_listed,
            num_images=len(seen.faces.names),
            num_male=int(seen.faces.is_male.sum()),
            num_undecodable=len(seen.dropped),
            fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
            license=license_,
        )
        atomic.write_json(directory / RECORD, asdict(fetched))
    return fetched


def _megabytes(step: str) -> http.Report:
    """Bytes as a stage's progress."""
    report = reporter(step)
    return lambda done, total: report(done // 10**6, None if total is None else total // 10**6)


def _checked_sha256(typed: str | None) -> str:
    sha256 = (typed or "").lower()
    if not re.fullmatch("([0-9a-f]{64})?", sha256):
        raise BadInput(f"--sha256 {typed!r}: not 64 hexadecimal digits")
    return sha256
