"""What the published project reports, as data.

In: benchmarks/published.toml. Out: Published. Never decides whether a run may be compared with it:
`applies_to` does, by the names of the images.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gfr.data.records import DataRecord
from gfr.storage import serialization


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
    """The published table, and by which images it may be compared."""

    schema: Literal[1]
    source: str
    hardware: str
    num_images: int
    names_sha256: str
    trial: tuple[PublishedTrial, ...]

    def applies_to(self, data: DataRecord) -> bool:
        """Whether a run chose the very images of the published project."""
        return data.source == "celeba" and data.names_digest == self.names_sha256

    def find(self, backbone: str, iteration: int) -> PublishedTrial | None:
        """The published row of a trial, if there is one."""
        rows = (r for r in self.trial if (r.backbone, r.iteration) == (backbone, iteration))
        return next(rows, None)


def load(path: Path) -> Published:
    """Read the table; BadInput names the file and the place."""
    return serialization.read_table(path, Published)
