"""The directory of a run, the names of the files in it, and how a run is found.

Paths only: nothing is created, and of a run only run.json is read, for its start.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from gfr.errors import InputError

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")


class RunDirectory:
    """Every file of a run by name. `path` is `reports/runs/<run_id>`.

    run.json                      RunRecord: the request, data, weights, machine, versions
    lock                          held by the process that works on the run
    faces.csv                     the images with split and attributes (gfr/data/records.py)
    parts/<feature set>/*.json    PartResult, one for each worker of a feature set
    features/<feature set>.json   FeatureResult, made from its parts
    heads/<trial>.keras           the trained head
    trials/<trial>.json           TrialResult, or failures/<trial>.json: Failure
    latency/<feature set>.json    LatencyResult (gfr/measurement/latency.py)
    engines/<feature set>.json    EngineLatency (gfr/results/deployment_records.py)
    selection.json                Selection
    references/<label>.json       ReferenceResult (gfr/results/reference_records.py)
    again/                        repeated measurements: Retimed, TrialResult, EngineLatency
    verdict.json                  Verdict (gfr/results/regression_records.py)
    accepted.json                 if the user accepted the results (gfr/regression/history.py)
    export/<trial>/               ExportDirectory
    formats/<trial>/<format>/     FormatDirectory
    formats/<trial>/latency.json  EngineLatency of these formats
    workers/*.jsonl               records of Dask and Ray workers, while the run is in progress
    summary.md, .html, .json      the report; results.csv, results.parquet, figures/
    """

    def __init__(self, path: Path) -> None:
        """Take the directory, which need not exist."""
        self.path = path
        self.record = path / "run.json"
        self.lock = path / "lock"
        self.faces = path / "faces.csv"
        self.features = path / "features"
        self.selection = path / "selection.json"
        self.verdict = path / "verdict.json"
        self.accepted = path / "accepted.json"
        self.summary_md = path / "summary.md"
        self.summary_json = path / "summary.json"
        self.figures = path / "figures"
        self.worker_logs = path / "workers"

    @property
    def reports(self) -> Path:
        """The directory that holds this run, the other runs and their histories."""
        return self.path.parents[1]

    def parts(self, feature_set_id: str) -> Path:
        """The folder of the parts of a feature set."""
        return self.path / "parts" / feature_set_id

    def part(self, feature_set_id: str, number: int, of: int) -> Path:
        """One worker's part of a feature set."""
        return self.parts(feature_set_id) / f"{feature_set_id}-{number}-of-{of}.json"

    def feature_set(self, feature_set_id: str) -> Path:
        """The record of a complete feature set."""
        return self.features / f"{feature_set_id}.json"

    def head(self, trial_id: str) -> Path:
        """The trained head of a trial."""
        return self.path / "heads" / f"{trial_id}.keras"

    def trial(self, trial_id: str) -> Path:
        """The record of a finished trial."""
        return self.path / "trials" / f"{trial_id}.json"

    def failure(self, trial_id: str) -> Path:
        """The record of a failed trial."""
        return self.path / "failures" / f"{trial_id}.json"

    def latency(self, feature_set_id: str) -> Path:
        """The latency record of the fused model of a feature set."""
        return self.path / "latency" / f"{feature_set_id}.json"

    def repeated_latency(self, feature_set_id: str, number: int) -> Path:
        """The record of a repeated latency measurement, counted from 1."""
        return self.path / "again" / f"{feature_set_id}-{number}.json"

    def engine_latency(self, feature_set_id: str) -> Path:
        """The latency record of the model of a feature set in several engines."""
        return self.path / "engines" / f"{feature_set_id}.json"

    def reference(self, label: str) -> Path:
        """The record of a classifier that was not trained here."""
        return self.path / "references" / f"{label}.json"

    def repeated_engine_latency(self, feature_set_id: str, number: int) -> Path:
        """The record of a repeated measurement of all engines, counted from 1."""
        return self.path / "again" / "engines" / f"{feature_set_id}-{number}.json"

    def repeated_trial(self, trial_id: str) -> Path:
        """The record of a repeated training."""
        return self.path / "again" / f"{trial_id}.json"

    def export(self, trial_id: str) -> "ExportDirectory":
        """The exported model of a trial; the directory is complete or absent."""
        return ExportDirectory(self.path / "export" / trial_id)

    def formats(self, trial_id: str) -> Path:
        """The folder of the formats of a trial."""
        return self.path / "formats" / trial_id

    def format(self, trial_id: str, name: str) -> "FormatDirectory":
        """The model of a trial in one format; the directory is complete or absent."""
        return FormatDirectory(self.formats(trial_id) / name)

    def format_latency(self, trial_id: str) -> Path:
        """The latency record of a trial's formats in their engines."""
        return self.formats(trial_id) / "latency.json"


class ExportDirectory:
    """Every file of an exported model by name.

    export.json           ExportResult (gfr/results/export_records.py)
    model.keras           the fused Keras model, float32
    tfjs/                 the TensorFlow.js graph model in the chosen precision
    model_card.json, .md
    golden.json, golden/  a few images with the probabilities that Keras gives them
    page.json             PageResult, if benchmarks/studies/page_latency.py was run
    """

    def __init__(self, path: Path) -> None:
        """Take the directory, which need not exist."""
        self.path = path
        self.record = path / "export.json"
        self.keras = path / "model.keras"
        self.tfjs = path / "tfjs"
        self.model_card_json = path / "model_card.json"
        self.model_card_md = path / "model_card.md"
        self.golden = path / "golden.json"
        self.page = path / "page.json"


class FormatDirectory:
    """Every file of a model in one format by name, except the model (gfr/engines/formats.py).

    format.json           FormatResult (gfr/results/deployment_records.py)
    model_card.json, .md
    golden.json, golden/  a few images with the probabilities that this format and Keras give them

    A format that could not be made has only its record, and so have TensorFlow.js and Keras, whose
    files are in ExportDirectory.
    """

    def __init__(self, path: Path) -> None:
        """Take the directory, which need not exist."""
        self.path = path
        self.record = path / "format.json"
        self.model_card_json = path / "model_card.json"
        self.model_card_md = path / "model_card.md"
        self.golden = path / "golden.json"


def new_id(benchmark: str, start: datetime | None = None) -> str:
    """Make an id that sorts by time, now unless given: `20261123T204512Z-full`."""
    return f"{(start or datetime.now(UTC)).astimezone(UTC):%Y%m%dT%H%M%SZ}-{benchmark}"


def directory(reports: Path, run_id: str) -> Path:
    """Return the directory of a run; InputError for an id that is not a plain name."""
    if not _RUN_ID.fullmatch(run_id):
        raise InputError(f"run id {run_id!r}: letters, digits and _ . + - only, at most 100")
    return reports / "runs" / run_id


def existing(reports: Path) -> list[Path]:
    """Return the directories of all runs that have a record, in the order of their start."""
    records = [path for path in (reports / "runs").glob("*/run.json") if path.is_file()]
    return [path.parent for path in sorted(records, key=lambda path: (_start_s(path), path))]


def finished(reports: Path) -> list[Path]:
    """Return the directories of all runs with a selected model, in the order of their start."""
    return [path for path in existing(reports) if RunDirectory(path).selection.exists()]


def _start_s(record: Path) -> float:
    """Return the start in the record, because a copy has other file times; else the file's time.

    So a damaged newest run stays the newest: it is refused, and an older one never replaces it.
    """
    try:
        created = json.loads(record.read_bytes())["created_utc"]
        return datetime.fromisoformat(created).timestamp()
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return record.stat().st_mtime


def find(reports: Path, run_id: str | None) -> Path:
    """Return the named run, or the newest finished one; InputError if there is none."""
    if run_id is not None:
        path = directory(reports, run_id)
        if not RunDirectory(path).record.exists():
            raise InputError(f"{path}: no such run; give an id as `gfr list` names them")
        return path
    if not (paths := finished(reports)):
        raise InputError(f"{reports / 'runs'}: no finished run yet; start one with `gfr run`")
    return paths[-1]
