"""The interface of a runtime engine: load a model file, then classify images with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gfr.config.schema import Precision
from gfr.data import images
from gfr.errors import InputError

_BATCH = 64


@dataclass(frozen=True)
class Predictions:
    """Probabilities of a batch of images.

    `p_male`: float (N,), 0..1. `seconds`: per image, from engines that run outside this process and
    therefore measure themselves. `backend` and `version`: what computed inside such an engine.
    """

    p_male: np.ndarray
    seconds: tuple[float, ...] = ()
    backend: str = ""
    version: str = ""


# Any number of uint8 (H, W, 3) images, 0..255, whose sizes may differ.
Classify = Callable[[Sequence[np.ndarray]], Predictions]


@dataclass(frozen=True)
class Engine:
    """One runtime. Latency records refer to it by `name`; reports show `title`.

    `precisions`: the arithmetic that `load` can be asked for; a quantised file brings its own.
    `unavailable` returns why the engine cannot run on this machine, or "". `open` loads a model
    without any check: call `load` instead.
    """

    name: str
    title: str
    precisions: tuple[Precision, ...]
    unavailable: Callable[[], str]
    open: Callable[[Path, Precision], Classify]

    def load(self, model: Path, precision: Precision = "float32") -> Classify:
        """Load a model file; InputError if this engine is unavailable or lacks the precision."""
        if reason := self.unavailable():
            raise InputError(f"engine {self.name!r} is unavailable: {reason}")
        if precision not in self.precisions:
            raise InputError(
                f"precision {precision!r}: not supported by engine {self.name!r}. Choose one of: "
                f"{', '.join(self.precisions)}."
            )
        return self.open(model, precision)


def classify_files(classify: Classify, paths: Sequence[Path]) -> np.ndarray:
    """Classify image files in batches -> p_male float (N,)."""
    return np.concatenate([classify(batch).p_male for batch in images.batches(paths, _BATCH)])
