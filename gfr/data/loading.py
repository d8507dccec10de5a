"""The first stage: look at data and weights, choose and split the images.

In: a Request. Out: run.json and faces.csv in the run directory, or BadInput before anything heavy
has begun. Never computes a feature.
"""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from gfr import shared, types
from gfr.config import benchmark_files, loader, schema
from gfr.config.schema import Benchmark
from gfr.data import celeba, csv_labels, dataset, inspection, records
from gfr.data import splits as data_splits
from gfr.data.records import describe_data
from gfr.data.synthetic import generate
from gfr.errors import BadInput
from gfr.isolation import Limits
from gfr.measurement import hardware, reference_workload, software
from gfr.measurement.resources import Cost, metered
from gfr.models import custom_model, precision
from gfr.models.weights import KEYWORDS as WEIGHTS_KEYWORDS
from gfr.models.weights import Weights, check_directory, resolve
from gfr.progress import reporter
from gfr.results import records as results_records
from gfr.results import status
from gfr.results.cleanup import Rule
from gfr.storage import atomic, hashing, locks, paths, run_directory, serialization

DATA_KEYWORDS = ("auto", "synthetic")

_ABANDONED_S = 86_400.0  # another run may be writing in the cache

NUM_SYNTHETIC_FOR_ALL = 5000  # what `images = "all"` draws

LOG = logging.getLogger("gfr")


@dataclass(frozen=True)
class Looked:
    """The images of a run, checked and split: splits is str (N,)."""

    faces: dataset.Faces
    splits: np.ndarray
    data: records.DataRecord
    split: records.SplitRecord


@dataclass(frozen=True)
class Request:
    """What the user asked for; `reports` and `cache` are absolute directories."""

    run_id: str
    benchmark_path: str
    benchmark: Benchmark
    data: str  # auto | synthetic | a directory
    weights: str  # auto | imagenet | random | a directory
    reports: str
    cache: str
    fresh: bool
    allow_download: bool
    command: str
    limits: Limits
    retries: int  # of a step that failed for no fault of its input
    keep_runs: int | None = None  # of this benchmark, when the run has ended; None: all


def request(
    benchmark: str,
    data: str,
    weights: str,
    run_id: str | None,
    fresh: bool,
    allow_download: bool,
    reports: str | None,
    cache: str | None,
    command: str,
    timeout_s: float,
    memory_limit_gb: float | None,
    retries: int,
    limits: schema.Selecting,
    begun: datetime | None = None,
    keep_runs: int | None = None,
) -> Request:
    """Names and paths as typed, relative to the project root -> a checked Request.

    `limits` that are given stand in place of the benchmark file's. `begun` names a run without an
    id; a later attempt at the same start finds the same run.
    """
    Rule(keep=keep_runs)  # BadInput if it is none
    path = benchmark_files.benchmark_file(benchmark)
    loaded = loader.limited(loader.load(path), limits)
    run_id = run_id or run_directory.new_id(loaded.name, begun)
    reports = paths.directory_or_default(reports, "reports")
    run_directory.directory(Path(reports), run_id)
    weights = paths.at_root(weights, WEIGHTS_KEYWORDS)
    if weights not in WEIGHTS_KEYWORDS:
        check_directory(Path(weights))
    return Request(
        run_id=run_id,
        benchmark_path=str(path),
        benchmark=loaded,
        data=paths.at_root(data, DATA_KEYWORDS),
        weights=weights,
        reports=reports,
        cache=paths.directory_or_default(cache, "cache"),
        fresh=fresh,
        allow_download=allow_download,
        command=command,
        limits=Limits.checked(timeout_s, memory_limit_gb),
        retries=retries,
        keep_runs=keep_runs,
    )


def check(request: Request) -> None:
    """BadInput for places closed to us and, of a new run, data that are not there; leaves no run.

    Costs no TensorFlow: `prepare`, in a process of its own, says the same seconds later.
    """
    atomic.require_writable(Path(request.reports), "--reports")
    atomic.require_writable(Path(request.cache), "--cache")
    source, directory = locate(request.data)
    known = run_directory.directory(Path(request.reports), request.run_id) / "run.json"
    if directory and not known.exists():
        find(source, directory)


def prepare(request: Request) -> str:
    """Write what the run is about; returns its directory. An existing one is continued."""
    check(request)
    run_dir = run_directory.directory(Path(request.reports), request.run_id)
    path = run_dir / "run.json"
    atomic.tidy(run_dir, 0)
    atomic.tidy(Path(request.cache), _ABANDONED_S)
    if path.exists():
        known = serialization.read(path, results_records.RunRecord)
        refuse_another_request(known, request)
        if (run_dir / "features").exists():
            LOG.info("run %s exists: continuing", request.run_id)
            for line in describe(known):
                LOG.info(line)
        return str(run_dir)
    LOG.info("run %s", request.run_id)
    if clash := benchmark_files.shared_name(Path(request.benchmark_path), request.benchmark.name):
        LOG.warning(clash)
    custom_model.refuse_unfit(request.benchmark)
    looked, cost = metered(lambda: look(request.data, request.benchmark, Path(request.cache)))
    record = _record(request, looked, cost)
    for line in describe(record):
        LOG.info(line)
    records.write_table(run_dir / "faces.csv", looked.faces, looked.splits)
    serialization.write(path, record)
    return str(run_dir)


def _record(request: Request, looked: Looked, cost: Cost) -> results_records.RunRecord:
    settings = hardware.settings()  # TensorFlow, which may come with the weights, sets some
    weights, rates = _resolve_weights(request), _rates()
    return results_records.RunRecord(
        schema=serialization.SCHEMA,
        run_id=request.run_id,
        created_utc=datetime.now(UTC).isoformat(timespec="milliseconds"),
        command=request.command,
        data_request=request.data,
        weights_request=request.weights,
        benchmark=request.benchmark,
        data=looked.data,
        split=looked.split,
        weights=weights,
        rates=rates,
        choices=_choose(request.benchmark, weights, rates),
        cache=request.cache,
        cache_id=shared.mark(Path(request.cache)),
        fresh=request.fresh,
        provenance=software.collect(paths.ROOT),
        hardware=hardware.collect(),
        cost=cost,
        settings=settings,
        num_usable_threads=hardware.num_usable_threads(),
    )


def locate(request: str) -> tuple[dataset.Source, Path | None]:
    """auto, synthetic or a path -> what is meant; the path is None for synthetic faces.

    auto is CelebA under data/celeba of the project where that exists, else synthetic faces.
    """
    if request == "auto":
        default = paths.ROOT / "data" / "celeba"
        request = str(default) if default.is_dir() else "synthetic"
    if request == "synthetic":
        return "synthetic", None
    return ("csv" if csv_labels.is_meant(Path(request)) else "celeba"), Path(request)


def find(source: dataset.Source, directory: Path) -> celeba.Layout | celeba.Labels:
    """A data set's files, its images unopened; BadInput if they are not there."""
    return csv_labels.read(directory) if source == "csv" else celeba.find(directory)


def open_listing(
    request: str, benchmark: Benchmark, cache: Path
) -> tuple[dataset.Source, Path, dataset.Listing]:
    """Find (or draw) the data set and choose the benchmark's images from it."""
    source, directory = locate(request)
    if directory is None:
        num_images = benchmark.data.images
        num_images = NUM_SYNTHETIC_FOR_ALL if num_images == "all" else num_images
        directory = draw_synthetic(cache, num_images, benchmark.seed)
    return source, directory, dataset.load(directory, benchmark.data.images, benchmark.seed)


def draw_synthetic(cache: Path, num_images: int, seed: int) -> Path:
    """The synthetic faces of a seed, drawn if they are not in the cache."""
    sources = sorted(Path(generate.__file__).parent.glob("*.py"))
    code = hashing.source_sha256(*sources)[:8]
    directory = cache / "synthetic" / f"seed{seed}-{num_images}-{code}"
    if _is_drawn(directory):
        return directory
    with atomic.refusing(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
    with locks.locked(directory.parent / "lock"):
        if not _is_drawn(directory):  # by another run, while we waited
            with atomic.directory(directory) as folder:
                generate.write(folder, num_images, seed, reporter("drawing synthetic faces"))
    return directory


def _is_drawn(directory: Path) -> bool:
    return (directory / generate.LABELS_NAME).exists()


def look(data: str, benchmark: Benchmark, cache: Path) -> Looked:
    """Open, check and split the images that a run of this benchmark would use."""
    source, directory, listing = open_listing(data, benchmark, cache)
    seen = inspection.inspect(listing.faces, reporter("checking images"))
    # Split before dropping: a damaged file moves no other image to another split.
    names = listing.faces.names
    splits = data_splits.by_rule(
        benchmark.data.split,
        names,
        listing.faces.is_male,
        listing.faces.identity,
        benchmark.data.fractions,
        benchmark.seed,
    )
    splits = splits[[name not in seen.dropped for name in names]]
    for name in types.SPLITS:
        if len(set(seen.faces.is_male[splits == name].tolist())) < 2:
            raise BadInput(
                f"{directory}: the {name} split of {len(splits):,} images lacks a class; "
                "use more images or a larger fraction"
            )
    return Looked(
        faces=seen.faces,
        splits=splits,
        data=records.describe(source, directory, listing, seen),
        split=records.describe_split(seen.faces, splits),
    )


def look_at_all(data: str, benchmark: Benchmark, cache: Path) -> tuple[Looked, str]:
    """`look`, but at every image where there are fewer than the benchmark asks for.

    Then with a sentence that says so, else with an empty one.
    """
    try:
        return look(data, benchmark, cache), ""
    except dataset.TooFew as error:
        every = replace(benchmark, data=replace(benchmark.data, images="all"))
        return look(data, every, cache), f"too few for benchmark {benchmark.name}: {error}"


def _resolve_weights(request: Request) -> tuple[Weights, ...]:
    return tuple(
        resolve(
            row,
            request.weights,
            request.benchmark.seed,
            Path(request.cache),
            request.allow_download,
        )
        for row in request.benchmark.backbone
    )


def _rates() -> reference_workload.Rates | None:
    """Measured where the machine may have faster arithmetic than float32's."""
    if not precision.may_accelerate_bfloat16(hardware.collect()):
        return None
    from gfr.measurement import (
        reference_workload,
    )  # TensorFlow: the steps to come need it in this process too

    return reference_workload.measure()


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


def refuse_another_request(record: results_records.RunRecord, request: Request) -> None:
    """BadInput if a run of this id exists and was asked for something else."""
    asked = (
        ("benchmark", record.benchmark, request.benchmark),
        ("--data", record.data_request, request.data),
        ("--weights", record.weights_request, request.weights),
        ("--cache", record.cache, request.cache),
        ("--fresh", record.fresh, request.fresh),
    )
    resume = status.resume_command(record, Path(request.reports))
    for what, then, now in asked:
        if then != now:
            how = "" if what == "benchmark" else f", {then!r:.80} and not {now!r:.80}"
            raise BadInput(
                f"run {record.run_id}: was begun with another {what}{how}; "
                f"use another --run-id, or go on with it: {resume}"
            )


def describe(record: results_records.RunRecord) -> list[str]:
    """What a run found, one fact a line; what was used stands first."""
    weights = [
        f"weights: {row.backbone}: {row.note or row.source} ({row.why})" for row in record.weights
    ]
    first, *others = describe_data(record.data, record.split)
    return [first, *weights, *others]
