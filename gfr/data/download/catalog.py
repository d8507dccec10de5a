"""Read the tables of downloads in benchmarks/.

sources.toml: where `gfr data fetch` gets data from, and its limits. models.toml: the packages that
`gfr models fetch` gets from npm.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from gfr.storage import serialization
from gfr.types import Positive

_FORBID = ConfigDict(extra="forbid")

Sha256 = Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]


@dataclass(frozen=True, config=_FORBID)
class Archive:
    """A zip with images and a label file; `sha256` is empty if it is not known."""

    url: str
    sha256: Sha256
    num_images: Positive
    label_files: tuple[str, ...]  # names; the first one found is used


@dataclass(frozen=True, config=_FORBID)
class HuggingFace:
    """A data set of parquet files in one folder of a repository."""

    endpoint: str
    repository: str
    revision: str
    folder: str
    num_images: Positive


@dataclass(frozen=True, config=_FORBID)
class Limits:
    """The most that is taken from an archive; `ratio` is unpacked to packed bytes of one file."""

    archive_bytes: Positive
    files: Positive
    file_bytes: Positive
    unpacked_bytes: Positive
    ratio: Positive


@dataclass(frozen=True, config=_FORBID)
class Sources:
    """The content of sources.toml."""

    schema: Literal[1]
    license: str
    license_url: str
    published: Archive
    huggingface: HuggingFace
    limits: Limits


@dataclass(frozen=True, config=_FORBID)
class NpmPackage:
    """One version of an npm package, and the files of it that are kept.

    `files`: SHA-256 by path in the package. `license`: one sentence that has to be accepted.
    `trained_on`: what is known about the training data of its networks.
    """

    package: str
    version: str
    integrity: Annotated[str, Field(pattern="^sha512-[A-Za-z0-9+/]{86}==$")]
    license: str
    source: str
    trained_on: str
    files: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]]

    @property
    def title(self) -> str:
        """Return package and version as npm writes them."""
        return f"{self.package}@{self.version}"


@dataclass(frozen=True, config=_FORBID)
class Packages:
    """The content of models.toml; `models`: by the name that `gfr models fetch` takes."""

    schema: Literal[1]
    models: dict[str, NpmPackage]


def load_packages(path: Path) -> dict[str, NpmPackage]:
    """Read models.toml; InputError names the file and the key."""
    return serialization.read_table(path, Packages).models


def load(path: Path) -> Sources:
    """Read the file; InputError names the file and the key."""
    return serialization.read_table(path, Sources)
