"""The Python API: run benchmarks, read and compare their runs, classify images.

`gfr/__init__.py` offers these names and imports this module when one is first used. Relative paths
are resolved against the current directory. Imports TensorFlow only where a model is built.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, overload

import numpy as np

from gfr import environment, prediction
from gfr.config import benchmark_files, loader
from gfr.config.schema import Benchmark, Precision
from gfr.data import records as data_records
from gfr.engines import trial_model
from gfr.errors import InputError, did_you_mean
from gfr.models.weights import KEYWORDS as WEIGHTS_KEYWORDS
from gfr.pipeline import request as pipeline_request
from gfr.pipeline import run as pipeline
from gfr.pipeline.run_options import DATA_KEYWORDS, RunOptions
from gfr.regression import compare
from gfr.report import analysis, metric_columns
from gfr.results import function_evaluation, records, store
from gfr.results.deployment_records import KERAS
from gfr.results.function_evaluation import Evaluation
from gfr.storage import paths, run_directory

if TYPE_CHECKING:
    import keras
    import pandas as pd

Classifier = Callable[[Sequence[np.ndarray] | np.ndarray], np.ndarray]

# Options that are paths, with the words that are not.
_PATHS = {"data": DATA_KEYWORDS, "weights": WEIGHTS_KEYWORDS, "reports": (), "cache": ()}


@dataclasses.dataclass(frozen=True)
class Run(records.Run):
    """A run: its records (`trials`, `failures`, `latencies`, `selection`, ...) and its models."""

    @property
    def selected(self) -> records.TrialResult | None:
        """The result of the selected trial; None before a selection."""
        return self.result_of(None) if self.selection else None

    def to_frame(self) -> pd.DataFrame:
        """Return the table of results.csv: one row per trained head and per failed trial.

        docs/results-table.md explains the columns.
        """
        return metric_columns.frame(self, self._analysis)

    def analyse(self) -> analysis.Analysis:
        """Return significance tests, calibration, subgroups and learning curves of the trials.

        Raises:
            InputError: faces.csv or a trial's logits do not belong to this run.
        """
        return self._analysis

    @overload
    def load_model(
        self, trial: str | None = None, precision: Precision = "float32", engine: None = None
    ) -> keras.Model: ...

    @overload
    def load_model(
        self, trial: str | None = None, precision: Precision = "float32", *, engine: str
    ) -> keras.Model | Classifier: ...

    def load_model(
        self,
        trial: str | None = None,
        precision: Precision = "float32",
        engine: str | None = None,
    ) -> keras.Model | Classifier:
        """Build the fused model: pixels (N, any H, any W, 3), 0..255 -> p_male float32 (N, 1).

        In another engine than TensorFlow it is a function of one batch: uint8 (N, H, W, 3), or a
        list of images of any sizes -> p_male float32 (N,). Keras models clear Keras' global state,
        as every step of gfr does.

        Args:
            trial: the id of a trial, e.g. VGG16-iteration-3; the selected one if None
            precision: the arithmetic of a Keras model's backbone, float32 or bfloat16
            engine: a format that the trial was exported to, e.g. litert-dynamic, or `fastest`;
                Keras in TensorFlow if None

        Raises:
            InputError: no such trial or engine, the weights have changed since the run, or a file
                is missing or damaged.
        """
        if precision not in get_args(Precision):
            known = ", ".join(get_args(Precision))
            raise InputError(f"precision {precision!r}: unknown; known: {known}")
        result = self.result_of(trial)
        model = trial_model.find(self, result, engine)
        if model.format != KERAS:
            if precision != "float32":
                raise InputError(f"precision {precision!r}: only of TensorFlow; leave it out")
            classify = model.load()
            return lambda pixels: np.asarray(classify(list(pixels)).p_male, np.float32)
        environment.prepare()
        environment.import_tensorflow()
        from gfr.engines import keras_model

        return keras_model.load(self.directory, result, precision)

    @functools.cached_property
    def _analysis(self) -> analysis.Analysis:
        path = run_directory.RunDirectory(self.directory).faces
        faces, splits = data_records.read_table(path, self.record.data, self.record.split)
        return analysis.analyse(self, faces, splits)


def load_benchmark(name_or_path: str | Path) -> Benchmark:
    """Read a benchmark file: `full`, `smoke` or `tiny` of the project, or the path of a TOML file.

    Raises:
        InputError: unknown name, unreadable file or invalid settings.
    """
    return loader.load(benchmark_files.benchmark_file(_benchmark_name(name_or_path)))


def run_benchmark(
    benchmark: Benchmark | str | Path = RunOptions.benchmark,
    *,
    data: str | Path = RunOptions.data,
    weights: str | Path = RunOptions.weights,
    isolated: bool = True,
    **options: Any,
) -> Run:
    """Run all trials, select one and write the report, without Prefect; return the run.

    A trial that fails is retried and then listed in `Run.failures`. Progress goes to the logger
    `gfr`.

    Args:
        benchmark: a benchmark, its name, or the path of its TOML file
        data: `auto`, `synthetic`, a CelebA directory, one with a labels.csv, or such a CSV file
        weights: `auto`, `imagenet`, `random`, or a directory of weight files
        isolated: run each step in a child process, so that a crash fails only that step
        options: further fields of gfr.pipeline.run_options.RunOptions, e.g. `reports`, `cache`,
            `run_id`, `fresh`, `allow_download`, `timeout_s`, `retries`, `max_latency_ms`

    Raises:
        InputError: an invalid option, unusable data or weights, a full disk.
        StepFailed: the run could not start.
    """
    options = {"data": data, "weights": weights, **options}
    request = _request(benchmark, {name: _resolved(name, options[name]) for name in options})
    return _read(pipeline.run(request, isolated=isolated))


def load_run(run_id_or_path: str | Path | None = None, reports: str | Path | None = None) -> Run:
    """Read a run: by its id, by its directory, or the newest finished one if None.

    Args:
        run_id_or_path: an id as `gfr list` prints them, or a Path (or text with a slash)
        reports: the directory of the runs; default: $GFR_REPORTS, else reports of the project

    Raises:
        InputError: no such run, or one of its records is damaged.
    """
    if isinstance(run_id_or_path, Path) or (run_id_or_path and "/" in run_id_or_path):
        directory = paths.absolute(str(run_id_or_path))
        if not run_directory.RunDirectory(directory).record.exists():
            raise InputError(f"{directory}: not the directory of a run; it has no run.json")
        return _read(directory)
    place = paths.absolute(str(reports)) if reports else paths.default_directory("reports")
    return _read(run_directory.find(place, run_id_or_path))


def compare_runs(first: records.Run, second: records.Run) -> compare.Comparison:
    """Compare two runs: changed settings and versions, accuracies, latencies.

    `print(gfr.regression.compare.text(comparison))` formats it as `gfr compare` does.

    Raises:
        InputError: the faces.csv of a run is damaged.
    """
    return compare.compare(first, second, compare.labels(first), compare.labels(second))


def predict(
    images: str | Path | Sequence[str | Path],
    run: records.Run | None = None,
    trial: str | None = None,
    engine: str | None = None,
) -> list[prediction.Prediction]:
    """Classify image files with a run's model; one prediction per image, `p_male` 0..1.

    The images must be faces cropped like CelebA's aligned images (178 wide x 218 high); gfr does
    not detect faces. Read `note` and `remark` of a prediction before relying on it.

    Args:
        images: paths of image files
        run: the newest finished run if None
        trial: the id of a trial; the selected one if None
        engine: see `Run.load_model`

    Raises:
        InputError: an image cannot be decoded, or see `Run.load_model`.
    """
    names = [images] if isinstance(images, str | Path) else images
    environment.prepare()
    files = [paths.absolute(str(name)) for name in names]
    return prediction.predict(run or load_run(), trial, files, engine)


def evaluate(
    run: records.Run | None = None,
    *,
    classify: function_evaluation.Function,
    label: str = "",
    threshold: float = 0.5,
) -> Evaluation:
    """Evaluate any classifier on the test images of a run, and compare it with the selected trial.

    Changes nothing in the run; a `[[reference]]` in a benchmark file becomes part of the report.

    Args:
        run: the newest finished run if None
        classify: takes uint8 (N, H, W, 3), RGB, 0..255, at native size, at most 64 images that all
            have the same size; returns p_male, 0..1, (N,), with NaN where it has no answer
        label: how it is named; the function's own name if empty
        threshold: images with a higher p_male are classified as male

    Raises:
        InputError: `classify` returned something else, or the images have changed.
    """
    name = label or getattr(classify, "__name__", type(classify).__name__)
    return function_evaluation.evaluate(run or load_run(), classify, name, threshold)


def _read(directory: Path) -> Run:
    return Run(**vars(store.read_run(directory)))


def _benchmark_name(name_or_path: str | Path) -> str:
    """Return the name of a benchmark of the project, or an absolute path."""
    name = str(name_or_path)
    is_path = isinstance(name_or_path, Path) or "/" in name or name.endswith(".toml")
    return str(paths.absolute(name)) if is_path else name


def _request(
    benchmark: Benchmark | str | Path, options: dict[str, Any]
) -> pipeline_request.Request:
    """Validate the benchmark and the options; the call is the command in the run's record."""
    if isinstance(benchmark, Benchmark):
        benchmark = loader.check(dataclasses.asdict(benchmark), Path.cwd())
        is_known = benchmark.name in benchmark_files.benchmark_names()
        if not is_known or load_benchmark(benchmark.name) != benchmark:
            call = {"command": _call("benchmark", options), "benchmark": benchmark.name}
            return pipeline_request.request_for(benchmark, RunOptions(**{**call, **options}))
        benchmark = benchmark.name
    name = _benchmark_name(benchmark)
    call = {"command": _call(repr(name), options), "benchmark": name}
    return pipeline_request.request(RunOptions(**{**call, **options}))


def _resolved(name: str, value: Any) -> Any:
    """Validate the name of an option; make a path absolute."""
    known = [field.name for field in dataclasses.fields(RunOptions)]
    if name not in known:
        hint = did_you_mean(name, known)
        raise InputError(f"option {name!r}: unknown; {hint}known: {', '.join(known)}")
    is_path = name in _PATHS and value is not None and value not in _PATHS[name]
    return str(paths.absolute(str(value))) if is_path else value


def _call(benchmark: str, options: dict[str, Any]) -> str:
    """Return the Python call that these options come from."""
    defaults = {field.name: field.default for field in dataclasses.fields(RunOptions)}
    changed = [f"{name}={options[name]!r}" for name in options if options[name] != defaults[name]]
    return f"gfr.run_benchmark({', '.join([benchmark, *changed])})"
