"""The interface of a runtime engine: load a model file, then classify images with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gfr.config.schema import Precision
from gfr.data import images
from gfr.errors import InputError
from gfr.measurement import allowance

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

    `install`: the command that installs it; "" if it is always installed. `unavailable` returns why
    the engine cannot run on this machine, or "". `version` does not import the runtime. `open`
    takes a model file, a number of threads and one of `precisions`, without checking any of them:
    call `load` instead.
    """

    name: str
    title: str
    install: str
    unavailable: Callable[[], str]
    version: Callable[[], str]
    open: Callable[[Path, int, Precision], Classify]
    precisions: tuple[Precision, ...] = ("float32",)

    def load(self, model: Path, num_threads: int = 0, precision: Precision = "float32") -> Classify:
        """Load a model file.

        Args:
            model: a file, or a directory for formats that consist of several files
            num_threads: of a call; 0: as many as this process may use
            precision: the arithmetic of a float32 file, where the engine can choose it

        Raises:
            InputError: the engine is unavailable or does not compute in that precision, or the file
                is missing or damaged.
        """
        if reason := self.unavailable():
            raise InputError(f"engine {self.name!r} is unavailable: {reason}")
        if precision not in self.precisions:
            known = ", ".join(self.precisions)
            raise InputError(f"engine {self.name!r}: no precision {precision!r}; known: {known}")
        if not model.exists():
            raise InputError(f"{model}: no such model. Export it again: gfr export")
        return self.open(model, num_threads or allowance.num_threads(), precision)


def check_signature(model: Path, dtype: str, shape: Sequence[object], num_outputs: int) -> None:
    """Raise InputError unless a model takes uint8 (N, H, W, 3) and has one output."""
    if (dtype, len(shape), num_outputs) != ("uint8", 4, 1):
        sides = ", ".join(map(str, shape))
        raise InputError(
            f"{model}: not a model exported by gfr: it takes {dtype} ({sides}) and has "
            f"{num_outputs} outputs; expected uint8 (N, H, W, 3) and one output"
        )


def by_size(
    run: Callable[[np.ndarray], np.ndarray], pixels: Sequence[np.ndarray], is_single: bool = False
) -> Predictions:
    """Classify images with a function of one size: uint8 (N, H, W, 3) -> float32 (N,) or (N, 1).

    `is_single`: it takes one image at a time.
    """
    if is_single:
        p_male = np.stack([run(image[None]) for image in pixels])
    else:
        p_male = images.run_by_size(run, pixels)
    return Predictions(p_male.reshape(len(pixels)))


def classify_files(
    classify: Classify, paths: Sequence[Path], batch_size: int = _BATCH
) -> np.ndarray:
    """Classify image files in batches -> p_male float (N,)."""
    return np.concatenate([classify(batch).p_male for batch in images.batches(paths, batch_size)])
