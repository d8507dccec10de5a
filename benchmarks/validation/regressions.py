"""Validate the regression check of runs: does it find what became worse, and nothing else?

    .venv/bin/python -m benchmarks.validation.regressions [--saved 4] [--clean 30]

Runs a clone of the last commit in a temporary folder: first clean runs, with cached features and
with new ones; then each regression of validation/injected.py, which is committed there; then clean
runs on cached features, every second one beside a busy core. Prints each run and a last line of
counts. Exit code 1 if a regression was missed, a clean run was an alarm, or a run failed.
"""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import harness
from benchmarks.validation.injected import CHANGES, FRESH, Function
from gfr.measurement import software
from gfr.results import regression_records
from gfr.storage import serialization
from gfr.storage.paths import ROOT
from gfr.storage.run_directory import RunDirectory

AUTHOR = ("-c", "user.name=regressions", "-c", "user.email=regressions@localhost")


def main(saved: int = 4, clean: int = 30) -> int:
    """Build the histories, change the code, repeat, count."""
    with tempfile.TemporaryDirectory() as name:
        clone = Path(name)
        git(ROOT, "clone", "--quiet", str(ROOT), name)
        unchanged = [run(clone, "first", is_fresh=True)]
        unchanged += [run(clone, f"cached-{number}") for number in range(saved)]
        unchanged += [run(clone, f"fresh-{number}", is_fresh=True) for number in range(saved)]
        changed = []
        for number, change in enumerate(CHANGES):
            function = next(iter(change.values()))
            with injected(clone, function.__doc__, change):
                note = f", {function.__doc__}"
                changed.append(run(clone, f"changed-{number}", note, is_fresh=function in FRESH))
        for number in range(clean):
            with harness.load_on_odd(number) as note:
                unchanged.append(run(clone, f"clean-{number}", note))
    return harness.conclude("regressions", changed, unchanged)


def git(folder: Path, *words: str) -> None:
    """Run a git command in a folder."""
    variables = software.git_environment(folder)
    subprocess.run(["git", "-C", str(folder), *words], env=variables, check=True)


@contextlib.contextmanager
def injected(folder: Path, title: str, change: dict[str, Function]) -> Iterator[None]:
    """Inside the block the clone has the change, as a commit."""
    for target, function in change.items():
        module, name = target.split(":")
        path = folder / f"{module.replace('.', '/')}.py"
        with path.open("a", encoding="utf-8") as file:
            file.write("\nfrom benchmarks.validation import injected\n")
            file.write(f"\n{name} = injected.{function.__name__}({name})\n")
    git(folder, *AUTHOR, "commit", "--quiet", "--all", "--message", title)
    try:
        yield
    finally:
        git(folder, "reset", "--quiet", "--hard", "HEAD~1")


def run(folder: Path, run_id: str, note: str = "", is_fresh: bool = False) -> harness.Ended:
    """Run `gfr run` as a user does, and print what its regression check says."""
    benchmark = folder / "benchmarks" / "validation" / "regressions.toml"
    command = harness.run_command(benchmark, run_id, *["--fresh"] * is_fresh)
    done = harness.call(f"{run_id}{note}", command, folder, root=folder)
    path = RunDirectory(folder / "reports" / "runs" / run_id).verdict
    if path.exists():
        check = serialization.read(path, regression_records.Verdict)
        for finding in check.of("regression", "inconclusive", "changed"):
            print(f"    {finding.status}: {finding.text}")
        print(f"    {check.reason}; {', '.join(check.changes)}", flush=True)
    else:
        print(done.stderr[-2000:], flush=True)
    return done


if __name__ == "__main__":
    harness.execute(main)
