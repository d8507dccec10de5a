"""What runs were like before: reports/history/<key>.jsonl, one line a finished run.

In: run directories. Out: an Entry a run, made from its directory alone, so that the files can be
made again; earlier entries of the same key. The key is a digest of what must be equal for two runs
to be comparable (`facts`). A line that cannot be read is named and left out, and stays in the file.
Never judges, never measures, imports no TensorFlow.
"""

import dataclasses
import functools
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from gfr.config.schema import Precision
from gfr.errors import BadInput
from gfr.evaluation.metrics import THRESHOLD
from gfr.measurement import latency
from gfr.measurement.latency import Samples
from gfr.measurement.resources import Cost
from gfr.measurement.software import Provenance
from gfr.regression import fingerprint
from gfr.regression.latency_rule import Measured
from gfr.results import records, store
from gfr.results.regression_records import Status
from gfr.results.status import accepted_file, is_accepted
from gfr.storage import atomic, locks, run_directory, serialization
from gfr.types import Count, Nats, Positive, Seconds, Share

SCHEMA: Literal[1] = 1

# What decides answers and speed by itself; other packages are named as causes instead.
ENGINE = ("tensorflow", "keras", "numpy")

Stage = Literal["features", "heads", "latency"]

LOG = logging.getLogger("gfr")


@dataclass(frozen=True)
class TrialEntry:
    """`answers`: one bit a test image in the order of the names, 1 for male, in hex.

    `probabilities`: digest of the test probabilities by name.
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
        """ValueError if more answers are right than there are."""
        if self.num_right > self.num_test:
            raise ValueError(f"{self.num_right} right of {self.num_test}")


@dataclass(frozen=True)
class LatencyEntry:
    """One timed model in one precision; `cpu_p10_s` is the mean a call, which is all there is."""

    id: str
    title: str
    backbone: str
    precision: Precision
    measured: Measured
    max_difference: Share

    @property
    def subject(self) -> str:
        """As people read it."""
        return f"{self.title}, {self.precision}"


@dataclass(frozen=True)
class StageEntry:
    """What a stage took; all features, all heads, all timings."""

    name: Stage
    wall_s: Seconds
    cpu_s: Seconds


@dataclass(frozen=True)
class Entry:
    """One line. `status` is "" before a verdict; `alarms`: kind and subject of regressions."""

    schema: Literal[1]
    key: str
    facts: dict[str, str]
    run_id: str
    created_utc: str
    provenance: Provenance
    status: Status | Literal[""]
    alarms: tuple[tuple[str, str], ...]
    is_accepted: bool
    trials: tuple[TrialEntry, ...]
    failed: tuple[str, ...]  # ids
    latencies: tuple[LatencyEntry, ...]
    stages: tuple[StageEntry, ...]


@dataclass(frozen=True)
class Accepted:
    """What is as it should be from this run on: earlier ones are no longer its measure."""

    schema: Literal[1]
    run_id: str


def entry(run: records.Run) -> Entry:
    """The line of a run, from its directory alone."""
    found, verdict = facts(run), run.verdict
    alarms = verdict.of("regression") if verdict else []
    return Entry(
        schema=SCHEMA,
        key=key(found),
        facts=found,
        run_id=run.record.run_id,
        created_utc=run.record.created_utc,
        provenance=run.record.provenance,
        status=verdict.status if verdict else "",
        alarms=tuple((row.kind, row.subject) for row in alarms),
        is_accepted=is_accepted(run),
        trials=tuple(map(trial_entry, run.trials)),
        failed=tuple(row.trial.id for row in run.failures),
        latencies=tuple(row for result in run.latencies.values() for row in _latencies(result)),
        stages=_stages(run),
    )


def facts(run: records.Run) -> dict[str, str]:
    """What must be equal for two runs to be comparable."""
    record = run.record
    cpus = {row.hardware.cpu_model for row in run.trials}
    cpus |= {part.hardware.cpu_model for row in run.trials for part in row.features.parts}
    gpus = sorted(gpu.name for gpu in record.hardware.gpus)
    arithmetic = {row.feature_set_id: str(row.precision) for row in record.choices}
    arithmetic |= {row.trial.feature_set.id: row.features.precision for row in run.trials}
    return {
        "benchmark": f"{record.benchmark.name} {_digest(_parameters(record))}",
        "data": record.data.digest,
        "weights": ", ".join(sorted(f"{row.backbone} {row.sha256[:12]}" for row in record.weights)),
        "arithmetic": ", ".join(f"{name} {arithmetic[name]}" for name in sorted(arithmetic)),
        "features": computed(run),
        "machine": _machine(record),
        "GPUs": ", ".join(gpus) or "none",
        "workers": ", ".join(sorted(cpus)),
    }


def key(facts: dict[str, str]) -> str:
    """Facts -> name of the history, equal exactly if they are: `full-0123456789ab`."""
    return f"{facts['benchmark'].split()[0]}-{_digest(facts)}"


def computed(run: records.Run) -> str:
    """Whether a run computed its features: computed, reused, mixed, or none without a trial."""
    rows = [row.features for row in run.trials]
    if not rows:
        return "none"
    if all(row.num_computed == 0 for row in rows):
        return "reused"
    return "computed" if all(row.num_reused == 0 for row in rows) else "mixed"


def path(reports: Path, key: str) -> Path:
    """The file of a history."""
    return reports / "history" / f"{key}.jsonl"


def load(file: Path) -> list[Entry]:
    """All entries of a file, oldest first, the last line of each run; warns of what is none."""
    found = {}
    for number, line in enumerate(_lines(file), 1):
        row = _parse(line, f"{file}, line {number}")
        if row:
            found[row.run_id] = row
    return sorted(found.values(), key=lambda row: (row.created_utc, row.run_id))


def earlier(reports: Path, now: Entry) -> list[Entry]:
    """The comparable runs that were begun before this one, oldest first."""
    rows = [row for row in load(path(reports, now.key)) if row.key == now.key]
    return [row for row in rows if _is_before(row, now)]


def neighbours(reports: Path, now: Entry) -> list[Entry]:
    """Earlier runs of a benchmark of the same name that are not comparable, oldest first."""
    name = now.facts["benchmark"].split()[0]
    files = sorted((reports / "history").glob(f"{name}-*.jsonl"))
    rows = [row for file in files if file.stem != now.key for row in load(file)]
    same_name = [row for row in rows if row.facts.get("benchmark", "").split()[:1] == [name]]
    before = [row for row in same_name if _is_before(row, now)]
    return sorted(before, key=lambda row: row.created_utc)


def put(reports: Path, new: Entry) -> None:
    """Add a run's line, in the place of an older one of its own; other lines stay as they are."""
    folder = reports / "history"
    atomic.require_writable(folder, "reports")
    line = json.dumps(dataclasses.asdict(new), allow_nan=False).encode()
    with locks.locked(folder / "lock"):
        atomic.tidy(folder, 0)
        for file in {path(reports, new.key), *folder.glob("*.jsonl")}:
            known = _lines(file)
            kept = [row for row in known if not _is_of(row, new.run_id)]
            if file == path(reports, new.key):
                _write(file, [*kept, line])
            elif kept != known:
                _write(file, kept)


def rebuild(reports: Path) -> int:
    """Write the lines of all finished runs anew; returns how many. What is damaged is left out."""
    num = 0
    for directory in run_directory.existing(reports):
        try:
            run = store.read_run(directory)
        except BadInput as error:
            LOG.warning("left out: %s", error)
            continue
        if run.selection:
            put(reports, entry(run))
            num += 1
    return num


def accept(run: records.Run) -> None:
    """Compare later runs with this one and what follows it, not with what was before."""
    serialization.write(accepted_file(run.directory), Accepted(SCHEMA, run.record.run_id))
    put(run.directory.parents[1], entry(run))


def trial_entry(result: records.TrialResult) -> TrialEntry:
    """What is kept of a trial."""
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
        probabilities=_digest(named),
        answers=f"{int(bits or '0', 2):x}",
    )


def _latencies(result: latency.LatencyResult) -> list[LatencyEntry]:
    """Its timings that can be judged: those with a witness."""
    return [
        LatencyEntry(
            id=result.feature_set.id,
            title=result.feature_set.title,
            backbone=result.feature_set.backbone.label,
            precision=timing.precision,
            measured=measured(timing.single, timing.witness_s),
            max_difference=timing.max_difference,
        )
        for timing in result.timings
        if timing.witness_s is not None and timing.single.cpu_s > 0
    ]


def measured(single: Samples, witness_s: float) -> Measured:
    """Single images as gfr/regression/latency_rule.py judges them."""
    p10_s = single.percentile_s(10)
    return Measured(
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
    sets = {row.trial.feature_set: row.features.cost for row in run.trials}
    return (
        _stage("features", list(sets.values())),
        _stage("heads", [row.train_cost for row in run.trials]),
        _stage("latency", [row.cost for row in run.latencies.values()]),
    )


def _stage(name: Stage, costs: Sequence[Cost]) -> StageEntry:
    return StageEntry(name, sum(row.wall_s for row in costs), sum(row.cpu_s for row in costs))


def _parameters(record: records.RunRecord) -> dict[str, object]:
    """What of the benchmark decides numbers: no export, no place of weights, no watts."""
    document = dataclasses.asdict(record.benchmark)
    # What is in an own file is known by the digest of its weights.
    rows = [
        {key: row[key] for key in row if key != "file"} | {"weights": ""}
        for row in document.pop("backbone")
    ]
    del document["export"], document["hardware"]
    document["latency"].pop("accelerated")  # each precision is judged by itself
    return document | {"backbone": rows}


def _machine(record: records.RunRecord) -> str:
    found = fingerprint.facts(
        record.hardware,
        record.num_usable_threads or record.hardware.cpu_threads,
        {name: record.provenance.versions.get(name, "missing") for name in ENGINE},
        record.settings or {},
    )
    return fingerprint.fingerprint(found)


def _is_before(row: Entry, now: Entry) -> bool:
    return row.run_id != now.run_id and row.created_utc < now.created_utc


def _digest(document: object) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:12]


def _lines(file: Path) -> Sequence[bytes]:
    try:
        return [row for row in file.read_bytes().split(b"\n") if row.strip()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror})") from None


def _write(file: Path, lines: Sequence[bytes]) -> None:
    content = b"".join(line + b"\n" for line in lines)
    atomic.write_bytes(file, content)


@functools.cache
def _adapter() -> TypeAdapter[Entry]:
    return TypeAdapter(Entry)


def _parse(line: bytes, place: str) -> Entry | None:
    try:
        return _adapter().validate_json(line, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the line"
        LOG.warning("%s: left out (%s: %s); delete it", place, where, first["msg"])
        return None


def _is_of(line: bytes, run_id: str) -> bool:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("run_id") == run_id
