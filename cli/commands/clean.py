"""`gfr clean`."""

from typing import Annotated

import typer

from cli import exit_codes, options


def clean(
    keep: Annotated[
        int | None,
        typer.Option(help="Remove runs older than the newest N finished runs of their benchmark."),
    ] = None,
    older_than: Annotated[
        float | None,
        typer.Option(metavar="DAYS", help="Remove runs started more than this many days ago."),
    ] = None,
    unused_features: Annotated[
        bool, typer.Option("--cache", help="Also remove features that no kept run uses.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be removed, remove nothing.")
    ] = False,
    cache_dir: options.CacheDir = None,
    reports: options.Reports = None,
    as_json: options.AsJson = False,
) -> None:
    """Remove old runs and the leftovers of killed ones.

    With --keep and --older-than, a run is removed if both apply. The newest finished run of each
    benchmark, runs in progress and accepted runs stay.
    """
    from gfr.results import cleanup

    rule = cleanup.Rule(keep, older_than, unused_features=unused_features)
    remove, keep = cleanup.plan(reports, cache_dir, rule)
    removed, failed = ([], []) if dry_run else cleanup.carry_out(remove)
    done = {"would_remove": remove} if dry_run else {"removed": removed}
    options.print_result(done | {"failed": failed, "kept": keep}, cleanup.text, as_json)
    raise typer.Exit(exit_codes.FAILURES if failed else exit_codes.COMPLETE)
