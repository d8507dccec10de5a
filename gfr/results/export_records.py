"""Files and records of an export, and the rule that chooses its precision.

Does not import TensorFlow.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gfr.config.schema import Trial, WebPrecision
from gfr.evaluation.statistics import mcnemar
from gfr.results.deployment_records import MIN_P_VALUE, Agreement
from gfr.storage.hashing import file_sha256, lines_sha256
from gfr.storage.run_directory import ExportDirectory
from gfr.types import Count, Positive, Seconds, Share

STEP = "export"  # its name in the progress display

# In the folder of an export while it is being made.
SCRATCH = "unfinished"
REFERENCE, SAVED_MODEL = f"{SCRATCH}/reference.npy", f"{SCRATCH}/saved_model"

SIGNATURE = "serve"  # of the SavedModel


def source(folder: Path) -> Path:
    """Return what formats are converted from: the SavedModel, or without one the Keras file."""
    saved_model = folder / SAVED_MODEL
    return saved_model if saved_model.exists() else ExportDirectory(folder).keras


# Largest difference between runtimes that compute in the same arithmetic.
TOLERANCE = 1e-4

# For a quantised model that is exported without being requested by name; and MIN_P_VALUE.
MAX_DIFFERENCE = 0.01

BITS: dict[WebPrecision, int] = {"float32": 32, "float16": 16, "uint16": 16, "uint8": 8}


@dataclass(frozen=True)
class ExportJob:
    """One export in progress: `folder` becomes the export's directory when all stages succeed.

    `fused`: where the fused model and what was converted from it are. `precision`: the one to keep;
    None leaves it to `choose`. `model_digest`: see `FormatResult`.
    """

    run_dir: Path
    trial_id: str
    precisions: tuple[WebPrecision, ...]
    precision: WebPrecision | None
    fused: Path
    folder: Path
    model_digest: str
    start_s: float  # time.monotonic(), which all processes of a machine share


@dataclass(frozen=True)
class JavaScript:
    """The exported files in TensorFlow.js, one image at a time, compared with two references.

    `from_keras`, `from_graph`: largest difference of p_male from the fused Keras model in float32,
    and from TensorFlow running the same graph with the same weights. `values_s`: seconds per image.
    """

    backend: str
    version: str
    num_images: Positive
    from_keras: Share
    from_graph: Share
    num_other_answers: Count  # unlike Keras', where its p_male is not within TOLERANCE of 0.5
    values_s: Annotated[tuple[Seconds, ...], Field(min_length=1)]


@dataclass(frozen=True)
class WebModel:
    """One precision of the exported files, read back and run by TensorFlow.

    `validation` decides which precision is exported, and only that one classifies the test images,
    `num_images` of them. The first exports have no `validation`: there, every precision classified
    the test images. Differences are those of p_male from the fused Keras model in float32.
    `only_keras_right`, `only_this_right`: images that one of the two classifies correctly and the
    other does not. `calibration_error` (ECE) is None where it was not measured.
    """

    precision: WebPrecision
    num_bytes: Positive  # to download: graph and shards
    javascript: JavaScript
    num_images: Count = 0
    num_right: Count = 0
    only_keras_right: Count = 0
    only_this_right: Count = 0
    max_difference: Share = 0.0
    mean_difference: Share = 0.0
    validation: Agreement | None = None
    calibration_error: Share | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if it classified no images."""
        if not (self.num_images or self.validation):
            raise ValueError("neither validation nor test images were classified")

    @property
    def chosen_by(self) -> "Agreement | WebModel":
        """What decides whether it may be exported."""
        return self.validation or self

    @property
    def p_value(self) -> float:
        """Exact McNemar test of this precision's answers against Keras'."""
        return mcnemar(self.only_keras_right, self.only_this_right)

    @property
    def is_faithful(self) -> bool:
        """Whether it may be exported without being requested by name."""
        found = self.chosen_by
        return found.max_difference <= MAX_DIFFERENCE and found.p_value >= MIN_P_VALUE


@dataclass(frozen=True)
class ExportResult:
    """The exported trial: measurements of every precision, and which one was kept.

    Of `num_images` test images, the fused Keras model in float32 classifies `keras_right`
    correctly, and the trial itself, whose features may be in bfloat16, `recorded_right`.
    """

    schema: Literal[1]
    run_id: str
    trial: Trial
    precision: WebPrecision
    is_asked_for: bool  # by name; False: chosen by the rule
    num_parameters: Positive
    num_images: Positive
    keras_right: Count
    recorded_right: Count
    models: Annotated[tuple[WebModel, ...], Field(min_length=1)]
    digest: str  # SHA-256 of the TensorFlow.js files
    wall_s: Seconds  # of the whole export
    model_digest: str = ""  # see FormatResult; "" in the first exports

    def __post_init__(self) -> None:
        """Raise ValueError if the exported precision was not measured."""
        if self.precision not in {row.precision for row in self.models if row.num_images}:
            raise ValueError(f"no measurement of {self.precision} on the test images")

    @property
    def written(self) -> WebModel:
        """The measurements of the exported precision."""
        return next(row for row in self.models if row.precision == self.precision)


@dataclass(frozen=True)
class PageTiming:
    """Seconds per image on the page in a browser, one image at a time, after warm-up."""

    backend: str
    is_software: bool  # emulated graphics card
    values_s: Annotated[tuple[Seconds, ...], Field(min_length=1)]

    @property
    def title(self) -> str:
        """The backend's name in reports."""
        return self.backend + (" in software" if self.is_software else "")


@dataclass(frozen=True)
class PageResult:
    """Browser measurements of the exported model with this `digest` (studies/page_latency.py)."""

    schema: Literal[1]
    digest: str
    browser: str
    cpu_model: str
    timings: tuple[PageTiming, ...]


def directory(folder: Path, precision: WebPrecision) -> Path:
    """Where a precision is kept until one is chosen."""
    return folder / SCRATCH / precision


def num_bytes(source: Path) -> int:
    """Size of a directory's files: the download of a browser."""
    return sum(path.stat().st_size for path in source.iterdir())


def digest(source: Path) -> str:
    """SHA-256, in hex, over the name and SHA-256 of each file."""
    return lines_sha256(f"{path.name} {file_sha256(path)}" for path in sorted(source.iterdir()))
