"""Compare the answers of exported files with those of the fused Keras model in float32.

Formats and precisions are chosen on the validation images; the report shows the test images. Does
not import any runtime.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gfr.errors import StepFailed
from gfr.evaluation import calibration
from gfr.evaluation.metrics import THRESHOLD
from gfr.results import export_records, store
from gfr.results.deployment_records import Agreement


@dataclass(frozen=True)
class ComparedImages:
    """The test images of a run, then its validation images.

    `is_male` bool (N,); `num_test`: how many of them are test images.
    """

    paths: list[Path]
    is_male: np.ndarray
    num_test: int

    @property
    def test_paths(self) -> list[Path]:
        """The test images."""
        return self.paths[: self.num_test]

    @property
    def validation_paths(self) -> list[Path]:
        """The validation images."""
        return self.paths[self.num_test :]

    def agreements(self, p_male: np.ndarray, reference: np.ndarray) -> dict[str, Agreement]:
        """Compare p_male of all images with the reference by split, float (N,) each.

        Raises StepFailed: see `agreement`.
        """
        return {
            split: self.agreement(split, p_male[part], reference)
            for split, part in self._parts.items()
        }

    def agreement(self, split: str, p_male: np.ndarray, reference: np.ndarray) -> Agreement:
        """Compare p_male of the images of one split with the reference of all, float (N,).

        Raises StepFailed if a value is not a probability, or if all are equal and Keras' are not:
        numbers that are beyond a precision's range end so.
        """
        part = self._parts[split]
        if not np.all((p_male >= 0) & (p_male <= 1)):
            raise StepFailed("its answers are not probabilities")
        if np.ptp(p_male) == 0 and np.ptp(reference[part]) > 0:
            raise StepFailed(f"it gives every image the same p_male, {p_male[0]:.3f}")
        return compare(p_male, reference[part], self.is_male[part])

    @property
    def _parts(self) -> dict[str, slice]:
        return {"test": slice(self.num_test), "validation": slice(self.num_test, None)}


def images_of(run_dir: Path) -> ComparedImages:
    """Return the images of a run that formats are compared on."""
    _, faces, splits = store.open_run(run_dir)
    test, validation = (np.flatnonzero(splits == name) for name in ("test", "validation"))
    paths, rows = faces.paths(), np.concatenate([test, validation])
    return ComparedImages([paths[row] for row in rows], faces.is_male[rows], len(test))


def read_reference(folder: Path) -> np.ndarray:
    """Read p_male of the fused Keras model, float32 (N,), where an export is being made."""
    return np.load(folder / export_records.REFERENCE)


def compare(p_male: np.ndarray, reference: np.ndarray, is_male: np.ndarray) -> Agreement:
    """Compare p_male of a format with Keras' on the same images, (N,) each."""
    keras_right = (reference > THRESHOLD) == is_male
    this_right = (p_male > THRESHOLD) == is_male
    difference = np.abs(p_male - reference)
    return Agreement(
        num_images=len(p_male),
        num_right=int(this_right.sum()),
        keras_right=int(keras_right.sum()),
        only_keras_right=int((keras_right & ~this_right).sum()),
        only_this_right=int((this_right & ~keras_right).sum()),
        max_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        calibration_error=calibration.expected_error(calibration.bins(p_male, is_male)),
    )
