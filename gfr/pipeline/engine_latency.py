"""The stage that times the model of a feature set in several runtime engines, call by call in turn.

One child process for each number of threads, because TensorFlow takes it only at its start. This
module runs in the calling process and in the child processes. It imports TensorFlow only in the
latter, for the reference workload.

The model files are written by the function that `Plan.prepare` names, in a child process too.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from gfr import engines
from gfr.config.schema import ENGINES, FeatureSet
from gfr.data import images
from gfr.engines import fresh_process
from gfr.engines.base import Classify
from gfr.errors import InputError, StepFailed
from gfr.measurement import allowance, interleaved, latency, reference_workload, resources
from gfr.pipeline import isolation
from gfr.progress import LOG, reporter
from gfr.results import records, store
from gfr.results.deployment_records import EngineLatency, EngineModel, EngineTiming, FreshProcess
from gfr.storage import atomic
from gfr.storage.run_directory import RunDirectory
from gfr.storage.serialization import write
from gfr.text import counted

_SAMPLE_EVERY_S = 2.0  # sampling memory more often would show in the latencies

_NUM_WORKLOADS = 20  # before the calls, and as many after them; never more than there are calls

_NUM_FRESH_IMAGES = 32

# Calls of an engine in a process of its own, TensorFlow.js: enough for an interval of p50, and each
# takes up to a second.
_MAX_ALONE = 40

Reasons = tuple[tuple[str, str], ...]  # engine, or engine and precision; why it was not timed


@dataclass(frozen=True)
class Prepared:
    """Model files of a feature set, and engines that got none, with the reasons."""

    models: tuple[EngineModel, ...]
    failed: Reasons = ()


@dataclass(frozen=True)
class Plan:
    """What is timed: the model with the head of `trial_id` in these engines.

    `thread_counts`: a process each. `prepare`: "module:function" that is called in a child process
    with run directory, trial id, names of available engines and an empty folder, and returns
    `Prepared`. Files may lie elsewhere, if other stages have written them; the folder is deleted
    after the measurement.
    """

    run_dir: Path
    feature_set: FeatureSet
    trial_id: str
    engines: tuple[str, ...]
    thread_counts: tuple[int, ...]
    prepare: str = "gfr.pipeline.formats.preparing:prepare_feature_set"
    name: str = ""  # of the step

    @property
    def title(self) -> str:
        """Name of the step in the progress display."""
        return self.name or f"{self.feature_set.title}, engines"


@dataclass(frozen=True)
class _Timed:
    """The rows that one process measured."""

    rows: tuple[EngineTiming, ...]
    failed: Reasons
    cost: resources.Cost


def plan(run: records.Run, feature_set: FeatureSet, thread_counts: tuple[int, ...] = ()) -> Plan:
    """Make the plan that the benchmark asks for; without thread counts: all threads."""
    trial = next(row.trial for row in run.trials if row.trial.feature_set == feature_set)
    names = run.record.benchmark.latency.engines
    counts = thread_counts or (allowance.num_threads(),)
    return Plan(run.directory, feature_set, trial.id, names, counts)


def time_engines(plan: Plan, limits: isolation.Limits) -> Path:
    """Time the engines of a plan; return the path of the record, which is kept if it exists."""
    path = RunDirectory(plan.run_dir).engine_latency(plan.feature_set.id)
    if path.exists():
        reporter(plan.title)(1, 1)
        return path
    result = measure(plan, limits)
    write(path, result)
    log(plan, result)
    return path


def log(plan: Plan, result: EngineLatency) -> None:
    """Log the latency of each engine, and why the others have none."""
    for row in result.rows:
        remark = "; CONTENDED: other processes took part of the machine"
        LOG.info(
            f"{plan.title}: {ENGINES.get(row.engine, row.engine)} {row.precision}, "
            f"{counted(row.num_threads, 'thread')}: p50 {row.p50_ms:.1f} ms "
            f"({len(row.single.values_s)} calls){remark if row.single.is_contended else ''}"
        )
    for name, reason in result.unavailable:
        LOG.warning("%s: %s was not timed: %s", plan.title, name, reason)


def time_again(
    run: records.Run, feature_set: FeatureSet, limits: isolation.Limits, prepare: str = Plan.prepare
) -> Path:
    """Repeat a measurement with the same engines; return the path of the record beside it."""
    first = run.engine_latencies[feature_set.id]
    number = len(store.repeated_engine_timings(run, feature_set)) + 1
    repeated = Plan(
        run.directory,
        feature_set,
        first.trial_id,
        tuple(dict.fromkeys(row.engine for row in first.rows)),
        tuple(dict.fromkeys(row.num_threads for row in first.rows)),
        prepare,
    )
    path = RunDirectory(run.directory).repeated_engine_latency(feature_set.id, number)
    write(path, measure(repeated, limits))
    LOG.info("%s: measurement repeated", repeated.title)
    return path


def in_fresh_process(
    model: EngineModel, num_threads: int, run_dir: Path, limits: isolation.Limits
) -> FreshProcess:
    """Measure cold start, throughput in batches and memory of an engine that has a process alone.

    Call it while nothing else is timed; `num_threads` 0: all. StepFailed if the process fails.
    """
    run = store.read_run(run_dir)
    paths = _test_paths(run)[:_NUM_FRESH_IMAGES]
    min_s = min(1.0, run.record.benchmark.latency.seconds)
    place = "gfr.engines.fresh_process:measure"
    return isolation.call_alone(place, model, num_threads, paths, min_s, limits=limits)


def measure(plan: Plan, limits: isolation.Limits) -> EngineLatency:
    """Prepare the models and time them with every number of threads."""
    (prepared, timed), cost = resources.metered(lambda: _processes(plan, limits), _SAMPLE_EVERY_S)
    return EngineLatency(
        schema=1,
        feature_set=plan.feature_set,
        trial_id=plan.trial_id,
        rows=tuple(row for part in timed for row in part.rows),
        size_bytes={model.format: model.num_bytes for model in prepared.models},
        unavailable=tuple(
            dict((*prepared.failed, *(row for part in timed for row in part.failed))).items()
        ),
        # Energy and GPUs are the machine's; CPU time and memory those of the measuring processes.
        cost=replace(
            cost,
            cpu_s=sum(part.cost.cpu_s for part in timed),
            peak_memory_bytes=max((part.cost.peak_memory_bytes for part in timed), default=0),
        ),
    )


def _processes(plan: Plan, limits: isolation.Limits) -> tuple[Prepared, list[_Timed]]:
    reasons = {name: engines.get(name).unavailable() for name in plan.engines}
    available = tuple(name for name, reason in reasons.items() if not reason)
    missing = tuple((name, reason) for name, reason in reasons.items() if reason)
    report = reporter(plan.title, "processes")
    with atomic.scratch(plan.run_dir / "engines" / plan.feature_set.id) as folder:
        prepared = _prepared(plan, available, folder, limits)
        prepared = replace(prepared, failed=(*missing, *prepared.failed))
        timed: list[_Timed] = []
        for number, num_threads in enumerate(plan.thread_counts):
            report(number, len(plan.thread_counts))
            models = tuple(row for row in prepared.models if not (number and row.num_threads))
            if models:
                timed.append(_process(plan, models, num_threads, limits))
    report(1, 1)
    return prepared, timed


def _prepared(
    plan: Plan, names: tuple[str, ...], folder: Path, limits: isolation.Limits
) -> Prepared:
    """Prepare all engines in one process; if that crashes, each in its own."""
    try:
        return isolation.call_alone(
            plan.prepare, plan.run_dir, plan.trial_id, names, folder, limits=limits
        )
    except StepFailed:
        parts = []
        for name in names:
            (place := folder / name).mkdir()
            arguments = plan.run_dir, plan.trial_id, (name,), place
            try:
                parts.append(isolation.call_alone(plan.prepare, *arguments, limits=limits))
            except StepFailed as error:
                parts.append(Prepared((), ((name, str(error)),)))
        return Prepared(
            tuple(model for part in parts for model in part.models),
            tuple(row for part in parts for row in part.failed),
        )


def _process(
    plan: Plan, models: tuple[EngineModel, ...], num_threads: int, limits: isolation.Limits
) -> _Timed:
    """Time models in one process; if it crashes, without those that also crash by themselves."""
    call = partial(isolation.call_alone, limits=limits)
    place = "gfr.pipeline.engine_latency:time_models"
    try:
        return call(place, plan, models, num_threads)
    except StepFailed:
        crashes: list[tuple[str, str]] = []
        for model in models:
            try:
                call("gfr.pipeline.engine_latency:try_model", plan, model, num_threads)
            except StepFailed as error:
                crashes.append((_name(model), str(error)))
        crashed = dict(crashes)
        remaining = tuple(model for model in models if _name(model) not in crashed)
        if not crashed or not remaining:
            raise
        timed: _Timed = call(place, plan, remaining, num_threads)
        return replace(timed, failed=(*crashes, *timed.failed))


def try_model(plan: Plan, model: EngineModel, num_threads: int) -> None:
    """Load a model and classify an image, to see whether the process survives it."""
    classify = _load(model, num_threads)
    classify([images.known(_test_paths(store.read_run(plan.run_dir))[0])])


def time_models(plan: Plan, models: tuple[EngineModel, ...], num_threads: int) -> _Timed:
    """Time models in turn in this process, which must be a new one."""
    from gfr.engines import tensorflow

    tensorflow.use_threads(num_threads)
    (rows, failed), cost = resources.metered(
        lambda: _time_models(plan, models, num_threads), _SAMPLE_EVERY_S
    )
    return _Timed(rows, failed, cost)


def _time_models(
    plan: Plan, models: tuple[EngineModel, ...], num_threads: int
) -> tuple[tuple[EngineTiming, ...], Reasons]:
    run = store.read_run(plan.run_dir)
    protocol = run.record.benchmark.latency
    few = [[images.known(path)] for path in _test_paths(run)[: protocol.calls]]
    recorded = list(run.result_of(plan.trial_id).test_probabilities.values())[: len(few)]
    loaded, failed = _loaded(models, few, np.array(recorded), num_threads)
    if not loaded:
        return (), tuple(failed)
    workload = reference_workload.timed("float32")
    num_workloads = min(_NUM_WORKLOADS, protocol.calls)
    workload()
    workloads_s = [workload() for _ in range(num_workloads)]
    samples = _samples(loaded, few, protocol.calls, protocol.seconds)
    workloads_s += [workload() for _ in range(num_workloads)]
    witness_s = float(np.percentile(workloads_s, 10))
    rows = tuple(
        EngineTiming(
            engine=row.model.engine,
            engine_version=row.version,
            precision=row.model.precision,
            num_threads=row.model.num_threads or num_threads,
            single=single,
            num_attempts=num_attempts,
            max_difference=row.max_difference,
            witness_s=witness_s,
        )
        for row, (single, num_attempts) in zip(loaded, samples, strict=True)
    )
    return rows, tuple(failed)


@dataclass(frozen=True)
class _Loaded:
    """A model that has answered; `measures_itself`: in a process of its own."""

    model: EngineModel
    classify: Classify
    version: str
    max_difference: float
    measures_itself: bool


def _loaded(
    models: Sequence[EngineModel], few: list[list[np.ndarray]], recorded: np.ndarray, num: int
) -> tuple[list[_Loaded], list[tuple[str, str]]]:
    """Load models with `num` threads and compare their answers with the recorded ones."""
    loaded, failed = [], []
    for model in models:
        try:
            classify = _load(model, num)
            first = classify(few[0])
            # An engine in a process of its own starts it for every call.
            rest = [[image for (image,) in few[1:]]] if first.seconds else few[1:]
            answers = [first, *(classify(pixels) for pixels in rest if pixels)]
        except (InputError, StepFailed) as error:
            failed.append((_name(model), str(error)))
            continue
        p_male = np.concatenate([row.p_male for row in answers])
        difference = float(np.abs(p_male - recorded).max())
        version = engines.get(model.engine).version()
        loaded.append(_Loaded(model, classify, version, difference, bool(first.seconds)))
    return loaded, failed


def _samples(
    loaded: Sequence[_Loaded], few: list[list[np.ndarray]], num_calls: int, min_s: float
) -> Iterator[tuple[latency.Samples, int]]:
    """Return samples and attempts of each: in turn, after those that measure themselves."""
    inside = [row.classify for row in loaded if not row.measures_itself]
    num_alone = min(num_calls, _MAX_ALONE)
    cycled = list(itertools.islice(itertools.cycle(image for (image,) in few), num_alone))
    alone = [
        latency.least_disturbed(
            partial(fresh_process.own_samples, row.classify, cycled, latency.MIN_WARMUPS)
        )
        for row in loaded
        if row.measures_itself
    ]
    timed, num_attempts = interleaved.measure(inside, few, num_calls, min_s) if inside else ((), 0)
    in_turn, own = iter(timed), iter(alone)
    return (next(own) if row.measures_itself else (next(in_turn), num_attempts) for row in loaded)


def _load(model: EngineModel, num_threads: int) -> Classify:
    engine = engines.get(model.engine)
    return engine.load(model.path, model.num_threads or num_threads, model.arithmetic)


def _name(model: EngineModel) -> str:
    return f"{model.engine} {model.precision}"


def _test_paths(run: records.Run) -> list[Path]:
    _, faces, splits = store.open_run(run.directory)
    return [path for path, split in zip(faces.paths(), splits, strict=True) if split == "test"]
