"""A model in every engine and precision: which are eligible, and which is recommended.

Joins what was validated (`FormatResult`) with what was timed (`EngineTiming`). Does not import any
runtime.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gfr.config.schema import ENGINES, Selecting
from gfr.measurement.latency import LatencyResult
from gfr.results.deployment_records import EngineLatency, EngineTiming, FormatResult, FreshProcess

# The format in float32 of each engine, as in `EngineLatency.size_bytes`; "" is a Keras model.
FLOAT32_FORMATS = {
    "tensorflow": "",
    "litert": "litert",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "tfjs": "tfjs",
}

REFERENCE = "tensorflow", "float32"  # what every other variant is compared with

PRECISIONS = ("float32", "bfloat16", "float16", "uint16", "dynamic int8", "int8", "uint8")


def title(engine: str, precision: str) -> str:
    """`LiteRT dynamic int8`."""
    return f"{ENGINES.get(engine, engine)} {precision}".strip()


@dataclass(frozen=True)
class Variant:
    """One model in one engine and precision.

    `result` is None where only the engine differs, e.g. bfloat16 as its arithmetic. `timings`: in
    ascending order of threads. `reason`: why it was not timed, if that is known.
    """

    engine: str
    precision: str
    version: str
    result: FormatResult | None
    timings: tuple[EngineTiming, ...]
    reason: str = ""

    @property
    def title(self) -> str:
        """As people read it."""
        return title(self.engine, self.precision)

    @property
    def key(self) -> tuple[str, str]:
        """Engine and precision."""
        return self.engine, self.precision

    @property
    def timing(self) -> EngineTiming | None:
        """The timing with all threads, or with as many as the engine can use."""
        return self.timings[-1] if self.timings else None

    @property
    def process(self) -> FreshProcess | None:
        """What was measured in a process of its own with as many threads."""
        processes = self.result.processes if self.result else ()
        return max(processes, key=lambda row: row.num_threads, default=None)

    @property
    def is_eligible(self) -> bool:
        """Whether it may be recommended: as good as Keras on the validation images."""
        if self.result is None:
            return self.key == REFERENCE
        return not self.result.reason and self.result.is_eligible

    def with_threads(self, num_threads: int) -> EngineTiming | None:
        """Return the timing with so many threads."""
        return next((row for row in self.timings if row.num_threads == num_threads), None)

    def beyond(self, limits: Selecting) -> str:
        """Return how it exceeds the limits; "" if it does not."""
        num_bytes = self.result.num_bytes if self.result else None
        return beyond(self.timing.p50_ms if self.timing else None, num_bytes, limits)


def beyond(p50_ms: float | None, num_bytes: int | None, limits: Selecting) -> str:
    """Return how a latency and a size exceed the limits; "" if they do not."""
    reasons = []
    if limits.max_latency_ms is not None and p50_ms and p50_ms > limits.max_latency_ms:
        reasons.append(f"p50 {p50_ms:.1f} ms")
    if limits.max_size_mb is not None and num_bytes and num_bytes / 1e6 > limits.max_size_mb:
        reasons.append(f"{num_bytes / 1e6:.0f} MB")
    return " and ".join(reasons)


def variants(
    formats: Mapping[str, FormatResult], latency: EngineLatency | None
) -> tuple[Variant, ...]:
    """Join the formats of a trial with the latencies of its model, by engine and precision."""
    results = {(row.engine, row.precision): row for row in formats.values()}
    timings: dict[tuple[str, str], list[EngineTiming]] = {}
    for timing in latency.rows if latency else ():
        timings.setdefault((timing.engine, timing.precision), []).append(timing)
    reasons = dict(latency.unavailable) if latency else {}
    found = []
    crashed = {(engine, rest) for engine, _, rest in (name.partition(" ") for name in reasons)}
    keys = {*results, *timings, *(key for key in crashed if key[1])}
    for engine, precision in sorted(keys, key=_order):
        result = results.get((engine, precision))
        rows = sorted(timings.get((engine, precision), ()), key=lambda row: row.num_threads)
        version = rows[-1].engine_version if rows else result.engine_version if result else ""
        reason = reasons.get(f"{engine} {precision}") or reasons.get(engine) or ""
        found.append(Variant(engine, precision, version, result, tuple(rows), reason))
    return tuple(found)


def _order(key: tuple[str, str]) -> tuple[int, int, str]:
    """Return the place in tables: by engine, then by precision."""
    engine, precision = key
    places = [*ENGINES].index(engine) if engine in ENGINES else len(ENGINES)
    known = precision in PRECISIONS
    return places, PRECISIONS.index(precision) if known else len(PRECISIONS), precision


@dataclass(frozen=True)
class Recommendation:
    """The variant to use; `beyond`: how it exceeds the limits, if all do; `tied`: as fast as it."""

    variant: Variant
    timing: EngineTiming
    beyond: str
    tied: tuple[Variant, ...]


def recommended(rows: Iterable[Variant], limits: Selecting) -> Recommendation | None:
    """Return the fastest eligible variant within the limits, or the fastest if none is within them.

    Of those whose 95% interval of p50 overlaps with that of the fastest, the smallest file counts;
    of equal sizes (0.1 MB), the one that classifies more validation images correctly.
    """
    timed = [(row, row.timing) for row in rows if row.is_eligible and row.timing]
    pairs = [pair for pair in timed if not pair[0].beyond(limits)] or timed
    if not pairs:
        return None
    _, fastest = min(pairs, key=lambda pair: pair[1].p50_ms)
    tied = [pair for pair in pairs if _p50_ends(pair[1])[0] <= _p50_ends(fastest)[1]]
    chosen, timing = min(tied, key=lambda pair: (*_size_and_lost(pair[0]), pair[1].p50_ms))
    others = tuple(row for row, _ in tied if row != chosen)
    return Recommendation(chosen, timing, chosen.beyond(limits), others)


def _p50_ends(timing: EngineTiming) -> tuple[float, float]:
    p50_s = timing.single.percentile_s(50)
    return timing.single.interval_s(50) or (p50_s, p50_s)


def _size_and_lost(row: Variant) -> tuple[float, int]:
    """Return MB with one decimal, and validation images classified wrongly."""
    result = row.result
    if result is None or result.validation is None:
        return float("inf"), 0
    lost = result.validation.num_images - result.validation.num_right
    return round(result.num_bytes / 1e6, 1), lost


@dataclass(frozen=True)
class Best:
    """The fastest row of a feature set, among the engines that time every feature set.

    `num_bytes`: of that engine's file, for TensorFlow of the parameters. `num_parameters` is None
    where only engines were timed.
    """

    title: str
    p50_ms: float
    num_bytes: int | None
    num_parameters: int | None


def best_rows(
    names: Sequence[str],
    latencies: Mapping[str, LatencyResult],
    engine_latencies: Mapping[str, EngineLatency],
) -> dict[str, Best]:
    """Return the fastest row of each of these feature sets, by id.

    Engine and precision must be the same for every feature set that is compared: a feature set that
    was timed in more engines would have an advantage. Without such rows: `tf.function` in float32.
    """
    rows = {
        name: [(row.engine, row.precision) for row in engine_latencies[name].rows]
        for name in names
        if name in engine_latencies
    }
    common = set.intersection(*map(set, rows.values())) if len(rows) == len(names) > 0 else set()
    found = {}
    for name in names:
        latency = latencies.get(name)
        if common:
            found[name] = _best_of(engine_latencies[name], common, latency)
        elif latency:
            cost = latency.float32.p50_ms, latency.size_bytes, latency.num_parameters
            found[name] = Best(title(*REFERENCE), *cost)
    return found


def _best_of(
    engines: EngineLatency, common: set[tuple[str, str]], latency: LatencyResult | None
) -> Best:
    rows = [row for row in engines.rows if (row.engine, row.precision) in common]
    row = min(rows, key=lambda row: row.p50_ms)
    num_bytes = engines.size_bytes.get(FLOAT32_FORMATS.get(row.engine, row.engine))
    if latency and (row.engine == "tensorflow" or num_bytes is None):
        num_bytes = latency.size_bytes
    parameters = latency.num_parameters if latency else None
    return Best(title(row.engine, row.precision), row.p50_ms, num_bytes, parameters)
