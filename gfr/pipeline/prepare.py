"""The first stage of a run: data, weights and precision, written to run.json."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gfr.config import benchmark_files
from gfr.config.schema import Benchmark
from gfr.data import loading, records
from gfr.measurement import allowance, hardware, reference_workload, software
from gfr.measurement.resources import Cost, metered
from gfr.models import backbone_checks, precision
from gfr.models.weights import Weights, resolve
from gfr.pipeline import references, shared_storage
from gfr.pipeline.request import Request, check
from gfr.progress import LOG
from gfr.regression import fingerprint
from gfr.results import records as results_records
from gfr.results import store
from gfr.storage import atomic, locks, paths, serialization

_ABANDONED_S = 86_400.0  # another run may be writing in the cache


def prepare(request: Request) -> Path:
    """Write what the run is about; returns its directory. An existing one is continued."""
    check(request)
    run_dir, options = request.run_dir, request.options
    path = run_dir / "run.json"
    atomic.tidy(run_dir, 0)
    atomic.tidy(request.cache, _ABANDONED_S)
    if path.exists():
        _resume(run_dir, path)
        return run_dir
    LOG.info("run %s", request.run_id)
    if clash := benchmark_files.shared_name(Path(options.benchmark), request.benchmark.name):
        LOG.warning(clash)
    backbone_checks.refuse_unfit(request.benchmark)
    references.load_all(request.benchmark)
    looked, cost = metered(lambda: loading.look(options.data, request.benchmark, request.cache))
    record = _record(request, looked, cost)
    for line in describe(record):
        LOG.info(line)
    records.write_table(run_dir / "faces.csv", looked.faces, looked.splits)
    serialization.write(path, record)
    return run_dir


def _resume(run_dir: Path, path: Path) -> None:
    """Log what the run is about, and record whether its label file has changed."""
    record, faces, _ = store.open_run(run_dir)
    changes = loading.label_changes(record.data, faces)
    if changes != record.data.label_changes:
        record = replace(record, data=replace(record.data, label_changes=changes))
        serialization.write(path, record)
    if (run_dir / "features").exists():
        LOG.info("run %s exists: resuming", record.run_id)
        for line in describe(record):
            LOG.info(line)


def _record(request: Request, looked: loading.RunImages, cost: Cost) -> results_records.RunRecord:
    benchmark, options = request.benchmark, request.options
    settings = hardware.settings()  # TensorFlow, which may come with the weights, sets some
    weights = tuple(
        resolve(row, options.weights, benchmark.seed, request.cache, options.allow_download)
        for row in benchmark.backbone
    )
    rates = _rates(request.cache, hardware.collect(), settings)
    return results_records.RunRecord(
        schema=serialization.SCHEMA,
        run_id=request.run_id,
        created_utc=datetime.now(UTC).isoformat(timespec="milliseconds"),
        command=options.command,
        data_request=options.data,
        weights_request=options.weights,
        benchmark=benchmark,
        data=looked.data,
        split=looked.split,
        weights=weights,
        rates=rates,
        choices=_choose(benchmark, weights, rates),
        cache=str(request.cache),
        cache_id=shared_storage.mark(request.cache),
        fresh=options.fresh,
        provenance=software.collect(paths.ROOT),
        hardware=hardware.collect(),
        cost=cost,
        settings=settings,
        num_usable_threads=allowance.num_threads(),
    )


def _rates(
    cache: Path, machine: hardware.Hardware, settings: dict[str, str]
) -> reference_workload.Rates | None:
    """Return the rates that the first run of this machine with this cache measured.

    Where the speed-up is close to the limit, another measurement could choose another precision,
    and the run could not be compared with its history. None without bfloat16 arithmetic.
    """
    if not precision.may_accelerate_bfloat16(machine):
        return None
    engine = software.engine([gpu.name for gpu in machine.gpus])
    facts = fingerprint.facts(machine, allowance.num_threads(), {"engine": engine}, settings)
    path = cache / "machines" / f"{fingerprint.fingerprint(facts)}.json"
    with locks.locked(cache / "lock"):
        if not path.exists():
            rates = reference_workload.measure()
            serialization.write(path, reference_workload.MachineRates(1, facts, rates))
        return serialization.read(path, reference_workload.MachineRates).rates


def _choose(
    benchmark: Benchmark, weights: tuple[Weights, ...], rates: reference_workload.Rates | None
) -> tuple[precision.Choice, ...]:
    """The arithmetic of each feature set, for all workers of a run."""
    gates = precision.load_gates(paths.ROOT / "benchmarks" / "precision.json")
    engine = software.engine([gpu.name for gpu in hardware.collect().gpus])
    by_label = {row.backbone: row for row in weights}
    return tuple(
        precision.choose(row, by_label[row.backbone.label], rates, gates, engine)
        for row in benchmark.feature_sets
    )


def describe(record: results_records.RunRecord) -> list[str]:
    """What a run found, one fact a line; what was used stands first."""
    weights = [
        f"weights: {row.backbone}: {row.note or row.source} ({row.why})" for row in record.weights
    ]
    first, *others = records.describe_data(record.data, record.split)
    return [first, *weights, *others]
