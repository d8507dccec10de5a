"""The results of the published project, from benchmarks/published.toml."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gfr.data.records import DataRecord
from gfr.storage import paths, serialization


@dataclass(frozen=True)
class PublishedTrial:
    """One row of the published table; accuracies 0..1, `inference_s` on the published hardware."""

    backbone: str
    iteration: int
    test_accuracy: float
    test_loss: float
    inference_s: float
    train_accuracy: float
    train_loss: float
    val_accuracy: float


@dataclass(frozen=True)
class Published:
    """The published table and the images that it is about."""

    schema: Literal[1]
    source: str
    hardware: str
    num_images: int
    names_sha256: str
    trial: tuple[PublishedTrial, ...]

    def find(self, backbone: str, iteration: int) -> PublishedTrial | None:
        """Return the published row of a trial, None if there is none."""
        rows = (r for r in self.trial if (r.backbone, r.iteration) == (backbone, iteration))
        return next(rows, None)


def load(path: Path) -> Published:
    """Read the table.

    Raises:
        InputError: names the file and the place of an error.
    """
    return serialization.read_table(path, Published)


def matching(data: DataRecord) -> Published | None:
    """Return the published table if the run uses its images."""
    table = load(paths.ROOT / "benchmarks" / "published.toml")
    return table if (data.source, data.names_digest) == ("celeba", table.names_sha256) else None
