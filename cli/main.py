"""`gfr`: one command, one library call.

In: words on the command line. Out: what the library found, as text or JSON, and an exit code:
0 complete, 1 finished with failures, 2 bad input, 3 regression, 130 or 143 interrupted. Heavy
imports stand inside the commands, so that `gfr --help` starts at once.
"""

import contextlib
import dataclasses
import json
import shlex
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from cli import completion, places
from cli.fetching import data_fetch
from cli.options import (
    AsJson,
    Benchmark,
    Cache,
    CacheDir,
    Data,
    DryRun,
    Keep,
    KeepRuns,
    MemoryLimit,
    Offline,
    OlderThan,
    Reports,
    Run,
    RunA,
    RunB,
    RunId,
    Timeout,
    Trial,
    UnusedFeatures,
    Version,
    Weights,
)
from cli.places import or_default, typed
from cli.predicting import predict
from gfr import environment, text
from gfr.config import benchmark_files
from gfr.storage import paths, run_directory

app = typer.Typer(
    help="Benchmark face gender recognition: frozen backbones, small heads, honest numbers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Fetch a data set, or look at one before a run.", no_args_is_help=True)
app.add_typer(data_app, name="data")
data_app.command("fetch")(data_fetch)


@app.callback()
def _require_clone(version: Version = False) -> None:
    paths.require_clone()


@app.command()
def run(
    benchmark: Benchmark = "full",
    data: Data = "auto",
    weights: Weights = "auto",
    run_id: RunId = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Compute features anew, ignoring the cache.")
    ] = False,
    offline: Offline = False,
    timeout: Timeout = 900,
    memory_limit: MemoryLimit = None,
    retries: Annotated[
        int, typer.Option(min=0, help="How often a failed step is tried again.")
    ] = 1,
    max_latency_ms: Annotated[
        float | None,
        typer.Option(help="Select among models that take no longer, p50 of one image."),
    ] = None,
    max_size_mb: Annotated[
        float | None, typer.Option(help="Select among models no larger, parameters in float32.")
    ] = None,
    keep_runs: KeepRuns = None,
    runner: Annotated[
        str,
        typer.Option(
            envvar="GFR_RUNNER",
            help="Where steps run: threads[:N], dask[:N], dask:tcp://HOST:8786, ray[:N], "
            "ray:ADDRESS.",
            autocompletion=completion.words(*completion.RUNNERS),
        ),
    ] = "threads",
    cache: Cache = None,
    reports: Reports = None,
    as_json: AsJson = False,
) -> None:
    """Run a benchmark: data and weights, features, heads, latency, selection.

    Features are computed once and kept; running again repeats heads, latency and export. A run that
    was interrupted goes on where it stopped when it is given the same --run-id.
    """
    from gfr.config import schema
    from gfr.data import loading
    from gfr.models import weights as models_weights
    from gfr.pipeline import request as pipeline_request

    request = pipeline_request.request(
        places.benchmark(benchmark),
        typed(data, loading.DATA_KEYWORDS),
        typed(weights, models_weights.KEYWORDS),
        run_id,
        fresh,
        not offline,
        or_default(reports, "reports"),
        or_default(cache, "cache"),
        shlex.join(["gfr", *sys.argv[1:]]),
        timeout,
        memory_limit,
        retries,
        schema.Selecting(max_latency_ms, max_size_mb),
        keep_runs=keep_runs,
    )
    from cli import display, start

    try:
        with start.interruptible(), display.progress(request.benchmark):
            state = start.flow(request, runner)
    except start.Interrupted as interrupted:
        words = [] if run_id else ["--run-id", request.run_id]
        where = {"reports": Path(request.reports), "cache": Path(request.cache)}
        line = places.command(*sys.argv[1:], *words, **where)
        start.leave(interrupted.code, f"interrupted; to go on: {line}")
    from gfr.results import store

    if not state.is_completed() or state.name == start.UNREPORTED:
        print(f"gfr: {state.message}", file=sys.stderr)
    finished = store.read_run(run_directory.directory(Path(request.reports), request.run_id))
    if as_json:
        print((finished.directory / "summary.json").read_text("utf-8"), end="")
    else:
        from cli import ending

        print(ending.text(finished, benchmark))
    code = 0 if state.is_completed() else 1
    if code == 0 and finished.verdict and finished.verdict.is_regression:
        code = 3
    if state.name == start.UNREPORTED:
        start.leave(code)  # Prefect would try for minutes to send the rest
    raise typer.Exit(code)


@app.command()
def report(
    run_id: Run = None,
    reports: Reports = None,
) -> None:
    """Render a run's report again from its records; takes seconds, needs no TensorFlow."""
    from gfr.report import writer
    from gfr.results import status, store

    run_dir = run_directory.find(Path(or_default(reports, "reports")), run_id)
    page = Path(writer.write_report(str(run_dir)))
    if advice := status.advice(store.read_run(run_dir)):
        print(f"gfr: {text.line(f'{run_dir.name}: {advice}')}", file=sys.stderr)
    print(page.with_suffix(".html"), page, sep="\n")


@app.command()
def verdict(
    run_id: Run = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="What it shows is wanted: the measure begins with it.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Write the histories anew from the runs.")
    ] = False,
    reports: Reports = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a run is a regression against its history; exit code 3 if it is."""
    from cli import past

    place = Path(or_default(reports, "reports"))
    raise typer.Exit(past.verdict(place, run_id, accept, rebuild, as_json))


@app.command()
def compare(
    first: RunA,
    second: RunB,
    reports: Reports = None,
    as_json: AsJson = False,
) -> None:
    """Say what was changed between two runs, and which differences chance or load may explain."""
    from cli import past

    past.compare(Path(or_default(reports, "reports")), first, second, as_json)


@app.command("list")
def list_(
    benchmark: Benchmark = "full",
    cache: Cache = None,
    reports: Reports = None,
    as_json: AsJson = False,
) -> None:
    """List a benchmark's trials and feature sets, what is cached, and the runs so far."""
    from gfr.config import loader
    from gfr.results import status

    file = benchmark_files.benchmark_file(places.benchmark(benchmark))
    loaded = loader.load(file)
    found = status.collect(
        loaded, Path(or_default(cache, "cache")), Path(or_default(reports, "reports"))
    )
    remarks = [benchmark_files.shared_name(file, loaded.name)]
    remarks += [loader.absence(Path(row.file)) for row in loaded.backbone if row.file]
    for remark in filter(None, remarks):
        print(f"gfr: {text.line(remark)}", file=sys.stderr)
    print(json.dumps(dataclasses.asdict(found), indent=1) if as_json else status.text(found))


@app.command()
def clean(
    keep: Keep = None,
    older_than: OlderThan = None,
    unused_features: UnusedFeatures = False,
    dry_run: DryRun = False,
    cache_dir: CacheDir = None,
    reports: Reports = None,
    as_json: AsJson = False,
) -> None:
    """Remove old runs and what killed ones have left; with --keep and --older-than, if both say so.

    The newest finished run of each benchmark, runs in progress and accepted ones stay.
    """
    from cli import clean as library
    from gfr.results import cleanup

    rule = cleanup.Rule(keep, older_than, unused_features=unused_features)
    places = Path(or_default(reports, "reports")), Path(or_default(cache_dir, "cache"))
    raise typer.Exit(library.clean(*places, rule, dry_run, as_json))


@data_app.command("check")
def data_check(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="CelebA's, or one with a labels.csv; or such a CSV."),
    ],
    benchmark: Annotated[
        str | None,
        typer.Option(
            help="Whose number of images, seed and split to use: full's, or all that are listed.",
            autocompletion=completion.benchmarks,
        ),
    ] = None,
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """Decode every image that a run would use and say what was found."""
    from cli import display
    from gfr.config import loader
    from gfr.data import loading, records

    loaded = loader.load(benchmark_files.benchmark_file(places.benchmark(benchmark or "full")))
    asked, too_few = (typed(str(directory)), loaded, Path(or_default(cache, "cache"))), ""
    with display.progress(None):
        if benchmark is None:
            found, too_few = loading.look_at_all(*asked)
        else:
            found = loading.look(*asked)
    if as_json:
        facts = {"data": dataclasses.asdict(found.data), "split": dataclasses.asdict(found.split)}
        print(json.dumps(facts | {"too_few": too_few}, indent=1))
    else:
        lines = [*records.describe_data(found.data, found.split), *filter(None, [too_few])]
        print("\n".join(map(text.line, lines)))


app.command()(predict)


@app.command()
def export(
    run_id: Run = None,
    trial: Trial = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="float32, uint16, float16 or uint8, whatever it costs; by default the smallest "
            "that cannot be told apart.",
            autocompletion=completion.words(*completion.PRECISIONS),
        ),
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the page with this model there, to be hosted."),
    ] = None,
    timeout: Timeout = 900,
    memory_limit: MemoryLimit = None,
    reports: Reports = None,
) -> None:
    """Export a finished model to TensorFlow.js, with model card and golden predictions.

    A run exports its selected model by itself; this is for another trial or precision.
    """
    from gfr.export import validate, web
    from gfr.pipeline import isolation

    asked = validate.checked(precision)
    run_dir = run_directory.find(Path(or_default(reports, "reports")), run_id)
    limits = isolation.Limits.checked(timeout, memory_limit)
    target = web.unused(Path(typed(str(site)))) if site else None
    from cli import display, start
    from gfr.pipeline import steps
    from gfr.report import writer

    try:
        with start.interruptible(), display.progress(None):
            path = steps.export(str(run_dir), trial, asked, limits)
            writer.write_report(str(run_dir))
    except start.Interrupted as interrupted:
        start.leave(interrupted.code, "interrupted; nothing was exported")
    if target:
        web.write(Path(path), target)
    print(site or path)


@app.command()
def serve(
    run_id: Run = None,
    trial: Trial = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8000,
    reports: Reports = None,
) -> None:
    """Show the page with a run's exported model, on this machine alone, until Ctrl-C."""
    from gfr.export import web
    from gfr.results import store

    run = store.read_run(run_directory.find(Path(or_default(reports, "reports")), run_id))
    with web.server(web.exported(run, trial), port) as server:
        print(text.line(f"model: {run.introduce(run.result_of(trial))}"))
        print(f"http://{web.HOST}:{server.server_address[1]}/  (Ctrl-C ends)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


@app.command()
def doctor(
    data: Data = "auto",
    weights: Weights = "auto",
    mark_crashed: Annotated[
        bool,
        typer.Option("--mark-crashed", help="Tell Prefect of runs whose process here is gone."),
    ] = False,
    offline: Offline = False,
    cache: Cache = None,
    reports: Reports = None,
    as_json: AsJson = False,
) -> None:
    """Check versions, platform, CPU, GPU, disk, weights, data and unfinished runs.

    Each unfinished run comes with the command that goes on with it. Runs that Prefect believes in
    progress are named; those whose process on this machine is gone are marked Crashed with
    --mark-crashed.
    """
    from gfr.data import loading
    from gfr.models import weights as models_weights
    from gfr.pipeline import doctor as pipeline_doctor

    checks = pipeline_doctor.examine(
        typed(data, loading.DATA_KEYWORDS),
        typed(weights, models_weights.KEYWORDS),
        Path(or_default(cache, "cache")),
        Path(or_default(reports, "reports")),
        offline,
    )
    if not pipeline_doctor.is_incomplete(checks):
        from cli import start

        checks += start.prefect_checks(mark_crashed)
    as_documents = [dataclasses.asdict(check) for check in checks]
    print(json.dumps(as_documents, indent=1) if as_json else pipeline_doctor.text(checks))
    raise typer.Exit(1 if any(check.status == "bad" for check in checks) else 0)


@app.command()
def automations(
    webhook: Annotated[str, typer.Argument(metavar="URL", help="What is told: a webhook's URL.")],
) -> None:
    """Put the notifications of automations.yaml on Prefect's server, replacing older ones."""
    from cli import start

    for name in start.apply_automations(webhook):
        print(name)


def main() -> None:
    """Entry point; bad input is one line and exit code 2, a failed step one line and 1."""
    environment.prepare()
    warnings.filterwarnings("ignore", module="PIL")  # of spoilt images: the reason is said by name
    from cli import outcome

    sys.exit(outcome.of(app))
