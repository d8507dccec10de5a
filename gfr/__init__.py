"""gfr: benchmarks face gender recognition with frozen backbones and a small head.

The names in `__all__` are the Python API (gfr/api.py, docs/api.md). They are imported when first
used, so `import gfr` takes milliseconds and does not import TensorFlow.

Glossary, one word per concept:

- **backbone**: a convolutional network of `keras.applications` without its top, never trained here.
- **scaling**: what maps pixels 0..255 to what the backbone expects (`tf`: to [-1, 1]).
- **feature set**: the pooled outputs of one backbone at one image size, float32 (N, D), for all
  images; computed once and kept on disk.
- **head**: Dense(128, relu) -> Dense(1, sigmoid), the only part that is trained.
- **iteration**: image size and epochs, one column of the published experiment.
- **trial**: one backbone x one iteration: a head trained and evaluated on a feature set.
- **benchmark**: all trials of one TOML file. **run**: one execution of a benchmark.
- **fused model**: raw uint8 RGB in, probability out: resize, scaling, backbone, pooling, head.
- **is_male**: 1 where CelebA's attribute "Male" is 1. **p_male**: the predicted probability of it.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gfr.api import (
        Evaluation,
        Run,
        compare_runs,
        evaluate,
        load_benchmark,
        load_run,
        predict,
        run_benchmark,
    )
    from gfr.config.schema import Benchmark
    from gfr.errors import InputError

__all__ = ["Benchmark", "Evaluation", "InputError", "Run"]
__all__ += ["compare_runs", "evaluate", "load_benchmark", "load_run", "predict", "run_benchmark"]


def __getattr__(name: str) -> object:
    """Import a name of the API when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'gfr' has no attribute {name!r}")
    return getattr(importlib.import_module("gfr.api"), name)


def __dir__() -> list[str]:
    """List the API beside what is already imported."""
    return sorted({*globals(), *__all__})
