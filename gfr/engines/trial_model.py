"""The model of a trial in the engine that a user names: a format of it, or TensorFlow.

Imports TensorFlow only for Keras models.
"""

from dataclasses import dataclass
from pathlib import Path

from gfr import engines, environment
from gfr.config.schema import TFJS, Selecting
from gfr.engines import formats
from gfr.engines.base import Classify
from gfr.engines.tensorflow import classifier
from gfr.errors import InputError, did_you_mean
from gfr.measurement import hardware
from gfr.results import deployment, store
from gfr.results.deployment import FLOAT32_FORMATS, Variant
from gfr.results.deployment_records import KERAS, FormatResult
from gfr.results.records import Run, TrialResult
from gfr.storage.run_directory import RunDirectory

TENSORFLOW, FASTEST = "tensorflow", "fastest"

# A format, or an engine for its format in float32.
NAMES = tuple(dict.fromkeys((TENSORFLOW, *formats.FORMATS, *FLOAT32_FORMATS, FASTEST)))


@dataclass(frozen=True)
class TrialModel:
    """A model that can be loaded; `format` is `KERAS` for TensorFlow. `remark`: why this one."""

    run: Run
    result: TrialResult
    format: str
    remark: str = ""

    @property
    def engine(self) -> str:
        """Name of the engine."""
        return TENSORFLOW if self.format == KERAS else formats.get(self.format).engine

    @property
    def title(self) -> str:
        """Engine and precision, as people read them."""
        if self.format == KERAS:
            return deployment.title(*deployment.REFERENCE)
        row = self._row
        precision = row.precision if row else formats.get(self.format).precision
        return deployment.title(self.engine, precision)

    @property
    def path(self) -> Path:
        """The file or directory that the engine loads; of TensorFlow the directory of the run."""
        files, trial_id = RunDirectory(self.run.directory), self.result.trial.id
        if self.format == KERAS:
            return files.path
        if self.format == TFJS:
            return files.export(trial_id).tfjs
        return files.format(trial_id, self.format).path / formats.get(self.format).file

    @property
    def is_ready(self) -> bool:
        """Whether it can be loaded here: exported, and the engine is installed."""
        return self.path.exists() and not engines.get(self.engine).unavailable()

    def load(self) -> Classify:
        """Load it; InputError if it was not exported, or the engine is not installed."""
        if self.format == KERAS:
            environment.import_tensorflow()
            from gfr.engines import keras_model

            return classifier(keras_model.load(self.run.directory, self.result))
        engine, trial_id = engines.get(self.engine), self.result.trial.id
        remedy = f"gfr export {self.run.record.run_id} --trial {trial_id} --format {self.format}"
        row = self._row
        if not self.path.exists() and not engine.unavailable():
            reason = f" ({row.reason})" if row and row.reason else ""
            text = f"{trial_id} was not exported to {self.format!r}{reason}"
            raise InputError(f"{text}. Export it: {remedy}")
        if row and self._is_outdated(row.model_digest):
            text = f"{self.path}: not this trial's model any more"
            raise InputError(f"{text}. Export it: {remedy}")
        return engine.load(self.path)

    def _is_outdated(self, digest: str) -> bool:
        current = store.model_digest(self.run, self.result)
        return "" not in (digest, current) and digest != current

    @property
    def _row(self) -> FormatResult | None:
        return store.formats_of(self.run, self.result.trial).get(self.format)


def find(run: Run, result: TrialResult, name: str | None = None) -> TrialModel:
    """Return the model of a trial in an engine or format by name; None: TensorFlow in float32.

    `fastest`: the recommended one of those that were validated and timed, and that are ready here.

    Raises:
        InputError: the name is unknown, or nothing was timed.
    """
    if name in (None, TENSORFLOW):
        return TrialModel(run, result, KERAS)
    if name not in NAMES:
        hint = did_you_mean(str(name), NAMES)
        raise InputError(f"engine {name!r}: unknown; {hint}known: {', '.join(NAMES)}")
    if name == FASTEST:
        return _fastest(run, result)
    return TrialModel(run, result, FLOAT32_FORMATS.get(str(name), str(name)))


def _fastest(run: Run, result: TrialResult) -> TrialModel:
    latency = store.format_latency_of(run, result.trial)
    rows = deployment.variants(store.formats_of(run, result.trial), latency)
    ready = [row for row in rows if row.is_eligible and _model(run, result, row).is_ready]
    found = deployment.recommended(ready, Selecting())
    if found is None:
        trial_id = result.trial.id
        raise InputError(
            f"{trial_id}: no format was validated and timed. Export some: gfr export "
            f"{run.record.run_id} --trial {trial_id} --format litert --format litert-dynamic"
        )
    model = _model(run, result, found.variant)
    remark = f"fastest eligible format, p50 {found.timing.p50_ms:.1f} ms"
    measured, here = run.record.hardware.cpu_model, hardware.collect().cpu_model
    if measured != here:
        remark += f", timed on another machine ({measured}, this is {here})"
    return TrialModel(run, result, model.format, remark)


def _model(run: Run, result: TrialResult, row: Variant) -> TrialModel:
    return TrialModel(run, result, row.result.format if row.result else KERAS)
