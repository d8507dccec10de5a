"""The interface of a runtime engine: load a model file, then classify images with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
    """One runtime. Latency records refer to it by `name`.

    `unavailable` returns why the engine cannot run on this machine, or "". `open` loads a model
    without that check: call `load` instead.
    """

    name: str
    unavailable: Callable[[], str]
    open: Callable[[Path], Classify]

    def load(self, model: Path) -> Classify:
        """Load a model file; InputError if this engine is unavailable."""
        if reason := self.unavailable():
            raise InputError(f"engine {self.name!r} is unavailable: {reason}")
        return self.open(model)


def classify_files(classify: Classify, paths: Sequence[Path]) -> np.ndarray:
    """Classify image files in batches -> p_male float (N,)."""
    return np.concatenate([classify(batch).p_male for batch in images.batches(paths, _BATCH)])
