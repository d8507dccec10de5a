"""Read benchmarks/sources.toml: where `gfr data fetch` gets data from, and its limits."""

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


def load(path: Path) -> Sources:
    """Read the file; InputError names the file and the key."""
    return serialization.read_table(path, Sources)
