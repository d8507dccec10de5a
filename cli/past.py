"""What `gfr verdict` and `gfr compare` print.

In: the reports and run ids. Out: text or JSON on standard output, and an exit code.
"""

import dataclasses
import json
from pathlib import Path

from gfr.errors import BadInput
from gfr.regression import compare as regression_compare
from gfr.regression import history
from gfr.report.sections import regression
from gfr.results import regression_records, status, store
from gfr.storage import run_directory


def verdict(reports: Path, run_id: str | None, accept: bool, rebuild: bool, as_json: bool) -> int:
    """Print a run's verdict; 3 if it is a regression that nobody has accepted."""
    if rebuild:
        print(f"{history.rebuild(reports)} runs in {reports / 'history'}")
        return 0
    run = store.read_run(run_directory.find(reports, run_id))
    if accept:
        history.accept(run)
        print(f"{run.record.run_id}: accepted; later runs are compared with it and what follows")
        return 0
    if run.verdict is None:
        raise BadInput(
            f"{run.directory}: has no verdict; run again with --run-id {run.record.run_id}"
        )
    if as_json:
        print(json.dumps(dataclasses.asdict(run.verdict), indent=1))
    else:
        print(regression.text(run.verdict))
    is_open = run.verdict.is_regression and not status.is_accepted(run)
    return regression_records.EXIT_CODE if is_open else 0


def compare(reports: Path, first: str, second: str, as_json: bool) -> None:
    """Print what differs between two runs."""
    both = [store.read_run(run_directory.find(reports, run_id)) for run_id in (first, second)]
    found = regression_compare.compare(*both, *map(regression_compare.labels, both))
    print(
        json.dumps(dataclasses.asdict(found), indent=1)
        if as_json
        else regression_compare.text(found)
    )
