"""History of a benchmark: reports/history/<key>.jsonl, one line for each finished run.

The key is a digest of everything that must be equal for two runs to be comparable (`facts`). An
entry is made from its run directory alone, so the files can be rebuilt. An invalid line is reported
and ignored, but stays in the file. Does not import TensorFlow.
"""

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from gfr import errors, progress
from gfr.config.schema import ENGINES, FeatureSet
from gfr.evaluation.metrics import THRESHOLD
from gfr.measurement import latency, resources, software
from gfr.regression import fingerprint, latency_rule
from gfr.results import records, regression_records, store
from gfr.results.deployment_records import EngineLatency
from gfr.storage import atomic, locks, run_directory, serialization
from gfr.text import counted
from gfr.types import Count, Nats, Positive, Seconds, Share

# Packages in the key, because they decide results and speed. Changes of others are only reported.
KEY_PACKAGES = {"tensorflow": "TensorFlow", "keras": "Keras", "numpy": "NumPy"}

# The fields of a benchmark, by table, that are always in the key. A field added later is left out
# while it has its default value, so that adding one does not start a new history.
_KEY_FIELDS = {
    "": "schema name seed data training backbone iteration features latency selection",
    "data": "images test_fraction validation_fraction split splits compare_rules",
    "training": "batch_size freeze seeds fractions",
    "backbone": "name scaling weights label",
    "iteration": "number size epochs input backbones",
    "features": "precision",
    "latency": "calls seconds",
    "selection": "max_latency_ms max_size_mb",
}

# Fields that are never in the key: they change no result, or (`file`) the weights' digest has them.
_NOT_IN_KEY = {
    "": "export hardware reference",
    "backbone": "file license source trained_on",
    "latency": "accelerated engines",
}

Stage = Literal["features", "heads", "latency", "engines"]


@dataclasses.dataclass(frozen=True)
class TrialEntry:
    """Results of a trial.

    `answers` has one bit per test image in the order of their names, 1 for male, in hex;
    `probabilities` is a digest of the test probabilities by name.
    """

    id: str
    title: str
    backbone: str
    num_test: Positive
    num_right: Count
    test_loss: Nats
    validation_accuracy: Share
    probabilities: str
    answers: Annotated[str, Field(pattern=r"^[0-9a-f]+$")]

    def __post_init__(self) -> None:
        """Raise ValueError if more answers are correct than there are."""
        if self.num_right > self.num_test:
            raise ValueError(f"{self.num_right} correct of {self.num_test}")


@dataclasses.dataclass(frozen=True)
class LatencyEntry:
    """Latency of a model in one engine and precision. `measured.cpu_p10_s` is the mean per call.

    `num_threads` is 0 in a row of TensorFlow by itself (latency/*.json, with all threads), which
    is all that old lines have; rows with a number were measured in turn with other engines.
    `engine_version` is "" there, because the key has TensorFlow's version.
    """

    id: str
    title: str
    backbone: str
    precision: str
    measured: latency_rule.Measured
    max_difference: Share
    engine: str = "tensorflow"
    engine_version: str = ""
    num_threads: Count = 0

    @property
    def is_interleaved(self) -> bool:
        """Whether it was measured in turn with other engines."""
        return self.num_threads > 0

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What it is looked up by in other runs: feature set, engine, precision, threads."""
        return self.id, self.engine, self.precision, self.num_threads

    @property
    def record(self) -> str:
        """Name of its record, and of the repeated ones below again/."""
        return f"engines/{self.id}" if self.is_interleaved else self.id

    @property
    def subject(self) -> str:
        """Title and precision, with engine and threads if several were measured in turn."""
        if not self.is_interleaved:
            return f"{self.title}, {self.precision}"
        engine = ENGINES.get(self.engine, self.engine)
        return f"{self.title}, {engine} {self.precision}, {counted(self.num_threads, 'thread')}"


@dataclasses.dataclass(frozen=True)
class StageEntry:
    """Time of all features, all heads, all latency measurements, or those of several engines."""

    name: Stage
    wall_s: Seconds
    cpu_s: Seconds


@dataclasses.dataclass(frozen=True)
class Entry:
    """One line. `status` is "" before the check; `alarms`: kind and subject of regressions."""

    schema: Literal[1]
    key: str
    facts: dict[str, str]
    run_id: str
    created_utc: str
    provenance: software.Provenance
    status: regression_records.Status | Literal[""]
    alarms: tuple[tuple[str, str], ...]
    is_accepted: bool
    trials: tuple[TrialEntry, ...]
    failed: tuple[str, ...]  # ids
    latencies: tuple[LatencyEntry, ...]
    stages: tuple[StageEntry, ...]


def entry(run: records.Run) -> Entry:
    """Make the entry of a run."""
    run_facts, verdict = facts(run), run.verdict
    alarms = verdict.of("regression") if verdict else []
    return Entry(
        schema=regression_records.SCHEMA,
        key=key(run_facts),
        facts=run_facts,
        run_id=run.record.run_id,
        created_utc=run.record.created_utc,
        provenance=run.record.provenance,
        status=verdict.status if verdict else "",
        alarms=tuple((finding.kind, finding.subject) for finding in alarms),
        is_accepted=run_directory.RunDirectory(run.directory).accepted.exists(),
        trials=tuple(map(trial_entry, run.trials)),
        failed=tuple(failure.trial.id for failure in run.failures),
        latencies=(
            *(
                latency_entry(result.feature_set, row, row.witness_s)
                for result in run.latencies.values()
                for row in result.timings
                if row.witness_s is not None and row.single.cpu_s > 0
            ),
            *(row for result in run.engine_latencies.values() for row in engine_entries(result)),
        ),
        stages=_stages(run),
    )


def facts(run: records.Run) -> dict[str, str]:
    """Return what must be equal for two runs to be comparable."""
    record = run.record
    cpus = {result.hardware.cpu_model for result in run.trials}
    cpus |= {part.hardware.cpu_model for result in run.trials for part in result.features.parts}
    precisions = {choice.feature_set_id: str(choice.precision) for choice in record.choices}
    precisions |= {result.trial.feature_set.id: result.features.precision for result in run.trials}
    num_threads = record.num_usable_threads or record.hardware.cpu_threads
    versions = {name: record.provenance.versions.get(name, "missing") for name in KEY_PACKAGES}
    machine = fingerprint.facts(record.hardware, num_threads, versions, record.settings or {})
    benchmark = fingerprint.fingerprint(_key_contents(record.benchmark))
    return {
        "benchmark": f"{record.benchmark.name} {benchmark}",
        "data": record.data.digest,
        "weights": ", ".join(sorted(f"{row.backbone} {row.sha256[:12]}" for row in record.weights)),
        "arithmetic": ", ".join(f"{name} {precisions[name]}" for name in sorted(precisions)),
        "features": computed(run),
        "machine": fingerprint.fingerprint(machine),
        "GPUs": ", ".join(sorted(gpu.name for gpu in record.hardware.gpus)) or "none",
        "workers": ", ".join(sorted(cpus)),
    }


def _key_contents(value: object, table: str = "") -> object:
    """Convert a benchmark, or one of its tables, to JSON types, only fields that are in the key."""
    if isinstance(value, tuple | list):
        return [_key_contents(item, table) for item in value]
    if not dataclasses.is_dataclass(value):
        return value
    always, never = (names.get(table, "").split() for names in (_KEY_FIELDS, _NOT_IN_KEY))
    contents = {
        field.name: _key_contents(getattr(value, field.name), field.name)
        for field in dataclasses.fields(value)
        if field.name not in never
        and (field.name in always or getattr(value, field.name) != _default(field))
    }
    # The weights' digests are in the key.
    return contents | {"weights": ""} if table == "backbone" else contents


def _default(field: dataclasses.Field) -> object:
    return field.default_factory() if callable(field.default_factory) else field.default


def key(facts: dict[str, str]) -> str:
    """Return the name of the history for these facts, e.g. `full-0123456789ab`."""
    return f"{facts['benchmark'].split()[0]}-{fingerprint.fingerprint(facts)}"


def computed(run: records.Run) -> str:
    """Return whether the run's features were computed, reused, mixed, or none without a trial."""
    features = [result.features for result in run.trials]
    if not features:
        return "none"
    if all(row.num_computed == 0 for row in features):
        return "reused"
    return "computed" if all(row.num_reused == 0 for row in features) else "mixed"


def path(reports: Path, key: str) -> Path:
    """Return the file of a history."""
    return reports / "history" / f"{key}.jsonl"


def load(file: Path) -> list[Entry]:
    """Read all entries of a file, oldest first and the last line of each run; warn of bad lines."""
    by_run: dict[str, Entry] = {}
    for number, line in enumerate(_lines(file), 1):
        try:
            row = serialization.parse(line, Entry)
            by_run[row.run_id] = row
        except ValidationError as error:
            problem = serialization.first_problem(error, "the line")
            progress.LOG.warning("%s, line %d: left out (%s); delete it", file, number, problem)
    return sorted(by_run.values(), key=lambda row: (row.created_utc, row.run_id))


def earlier(reports: Path, now: Entry) -> list[Entry]:
    """Return the comparable runs that started before this one, oldest first."""
    rows = load(path(reports, now.key))
    return [row for row in rows if row.key == now.key and _is_before(row, now)]


def neighbours(reports: Path, now: Entry) -> list[Entry]:
    """Return earlier runs of a benchmark of the same name that are not comparable, oldest first."""
    name = now.facts["benchmark"].split()[0]
    files = sorted((reports / "history").glob(f"{name}-*.jsonl"))
    rows = [row for file in files if file.stem != now.key for row in load(file)]
    same_name = [row for row in rows if row.facts.get("benchmark", "").startswith(f"{name} ")]
    before = [row for row in same_name if _is_before(row, now)]
    return sorted(before, key=lambda row: row.created_utc)


def put(reports: Path, new: Entry) -> None:
    """Add a run's line to its history and remove its older lines from all histories."""
    folder = reports / "history"
    atomic.require_writable(folder, "reports")
    line = json.dumps(dataclasses.asdict(new), allow_nan=False).encode()
    own = f'"run_id": {json.dumps(new.run_id)}'.encode()  # in a string, quotes are escaped
    with locks.locked(folder / "lock"):
        atomic.tidy(folder, 0)
        target = path(reports, new.key)
        for file in {target, *folder.glob("*.jsonl")}:
            lines = _lines(file)
            kept = [row for row in lines if own not in row]
            kept += [line] if file == target else []
            if kept != lines:
                atomic.write_bytes(file, b"".join(row + b"\n" for row in kept))


def rebuild(reports: Path) -> int:
    """Write the lines of all finished runs again, without damaged runs; return how many."""
    num = 0
    for directory in run_directory.existing(reports):
        try:
            run = store.read_run(directory)
        except errors.InputError as error:
            progress.LOG.warning("left out: %s", error)
            continue
        if run.selection:
            put(reports, entry(run))
            num += 1
    return num


def accept(run: records.Run) -> None:
    """Make this run the first of a new baseline for the runs that follow."""
    mark = {"schema": regression_records.SCHEMA, "run_id": run.record.run_id}
    atomic.write_json(run_directory.RunDirectory(run.directory).accepted, mark)
    put(run.directory.parents[1], entry(run))


def trial_entry(result: records.TrialResult) -> TrialEntry:
    """Make the entry of a trial."""
    test, named = result.metrics["test"], sorted(result.test_probabilities.items())
    bits = "".join("1" if p_male > THRESHOLD else "0" for _, p_male in named)
    return TrialEntry(
        id=result.trial.id,
        title=result.trial.title,
        backbone=result.trial.backbone.label,
        num_test=test.num_images,
        num_right=test.num_right,
        test_loss=test.loss,
        validation_accuracy=result.metrics["validation"].accuracy,
        probabilities=fingerprint.fingerprint(named),
        answers=f"{int(bits or '0', 2):x}",
    )


def latency_entry(
    feature_set: FeatureSet, row: latency.Timing | records.RetimedRow, witness_s: float
) -> LatencyEntry:
    """Make the entry of a measurement of single images; `witness_s` is its reference workload."""
    return LatencyEntry(
        id=feature_set.id,
        title=feature_set.title,
        backbone=feature_set.backbone.label,
        precision=row.precision,
        measured=_measured(row.single, witness_s),
        max_difference=row.max_difference,
    )


def engine_entries(result: EngineLatency) -> list[LatencyEntry]:
    """Make the entries of the engines that were measured in turn, if their CPU time is known."""
    return [
        LatencyEntry(
            id=result.feature_set.id,
            title=result.feature_set.title,
            backbone=result.feature_set.backbone.label,
            precision=row.precision,
            measured=_measured(row.single, row.witness_s),
            max_difference=row.max_difference,
            engine=row.engine,
            engine_version=row.engine_version,
            num_threads=row.num_threads,
        )
        for row in result.rows
        if row.single.cpu_s > 0
    ]


def _measured(single: latency.Samples, witness_s: float) -> latency_rule.Measured:
    p10_s = single.percentile_s(10)
    return latency_rule.Measured(
        num_calls=len(single.values_s),
        min_s=min(single.values_s),
        p10_s=p10_s,
        p50_s=single.percentile_s(50),
        cpu_p10_s=single.cpu_per_call_s,
        witness_s=witness_s,
        relative=p10_s / witness_s,
        others_share=single.others_share,
    )


def _stages(run: records.Run) -> tuple[StageEntry, ...]:
    costs: dict[Stage, list[resources.Cost]] = {
        "features": list({row.trial.feature_set: row.features.cost for row in run.trials}.values()),
        "heads": [row.train_cost for row in run.trials],
        "latency": [row.cost for row in run.latencies.values()],
    }
    if run.engine_latencies:
        costs["engines"] = [row.cost for row in run.engine_latencies.values()]
    return tuple(
        StageEntry(name, sum(cost.wall_s for cost in rows), sum(cost.cpu_s for cost in rows))
        for name, rows in costs.items()
    )


def _is_before(row: Entry, now: Entry) -> bool:
    return row.run_id != now.run_id and row.created_utc < now.created_utc


def _lines(file: Path) -> list[bytes]:
    try:
        return [line for line in file.read_bytes().split(b"\n") if line.strip()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise errors.InputError(f"{file}: cannot be read ({error.strerror})") from None
