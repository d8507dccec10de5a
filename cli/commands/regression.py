"""`gfr verdict` and `gfr compare`: a run against its history, and against another run."""

from typing import Annotated

import typer

from cli import exit_codes, options
from gfr.errors import InputError
from gfr.storage import run_directory


def verdict(
    run_id: options.Run = None,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Accept a regression: the run becomes the new baseline."),
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Rebuild all histories from the runs.")
    ] = False,
    reports: options.Reports = None,
    as_json: options.AsJson = False,
) -> None:
    """Check whether a run is a regression against its history. Exit code 3 if it is."""
    from gfr.regression import history
    from gfr.report.sections import regression as regression_section
    from gfr.results import store

    if rebuild:
        print(f"{history.rebuild(reports)} runs in {reports / 'history'}")
        return
    run = store.read_run(run_directory.find(reports, run_id))
    if accept:
        history.accept(run)
        print(f"{run.record.run_id}: accepted as the baseline of later runs")
        return
    if run.verdict is None:
        raise InputError(
            f"{run.directory}: has no verdict. Resume the run with --run-id {run.record.run_id}"
        )
    options.print_result(run.verdict, regression_section.text, as_json)
    is_accepted = run_directory.RunDirectory(run.directory).accepted.exists()
    if run.verdict.is_regression and not is_accepted:
        raise typer.Exit(exit_codes.REGRESSION)


def compare(
    first: Annotated[str, typer.Argument(metavar="RUN_A", **options.RUN_ID)],
    second: Annotated[str, typer.Argument(metavar="RUN_B", **options.RUN_ID)],
    reports: options.Reports = None,
    as_json: options.AsJson = False,
) -> None:
    """Compare two runs: what was changed, and which differences are statistically significant."""
    from gfr.regression import compare as regression_compare
    from gfr.results import store

    both = [store.read_run(run_directory.find(reports, run_id)) for run_id in (first, second)]
    found = regression_compare.compare(*both, *map(regression_compare.labels, both))
    options.print_result(found, regression_compare.text, as_json)
