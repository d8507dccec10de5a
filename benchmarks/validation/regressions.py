"""Validate the regression check of runs: does it find what became worse, and nothing else?

    .venv/bin/python -m benchmarks.validation.regressions [--saved 4] [--clean 30] [--folder DIR]

Runs a clone of the last commit in a temporary folder: first clean runs, with cached features and
with new ones; then each regression of validation/injected.py, which is committed there; then clean
runs on cached features, every second one beside a busy core. Prints each run and a last line of
counts. Exit code 1 if a regression was missed, a clean run was an alarm, or a run failed.
"""

import ast
import contextlib
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import harness
from benchmarks.validation.injected import CHANGES, FRESH, Function
from gfr.results import regression_records
from gfr.storage import serialization
from gfr.storage.paths import ROOT

AUTHOR = ("-c", "user.name=regressions", "-c", "user.email=regressions@localhost")


def main() -> int:
    """Build the histories, change the code, repeat, count."""
    parser = harness.parser(__doc__)
    parser.add_argument("--saved", type=int, default=4, help="runs of each history to begin with")
    parser.add_argument("--clean", type=int, default=30)
    parser.add_argument("--folder", type=Path, help="kept afterwards; a temporary one if not given")
    parser.add_argument("--changes", type=int, default=len(CHANGES), help="the first so many")
    options = parser.parse_args()
    changes = CHANGES[: options.changes]
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        git(ROOT, "clone", "--quiet", str(ROOT), str(folder))
        codes = [run(folder, "first", is_fresh=True)]
        codes += [run(folder, f"cached-{number}") for number in range(options.saved)]
        codes += [run(folder, f"fresh-{number}", is_fresh=True) for number in range(options.saved)]
        caught = []
        for number, change in enumerate(changes):
            function = next(iter(change.values()))
            name = (function.__doc__ or "").rstrip(".")
            with injected(folder, name, change):
                caught.append(run(folder, f"changed-{number}", function in FRESH, name))
        clean = []
        for number in range(options.clean):
            is_loaded = number % 2 == 1
            with harness.background_load(is_loaded):
                note = "beside a load" if is_loaded else ""
                clean.append(run(folder, f"clean-{number}", note=note))
    num_caught = caught.count(harness.REGRESSION)
    num_alarms = (codes + clean).count(harness.REGRESSION)
    num_failed = sum(code not in (0, harness.REGRESSION) for code in codes + caught + clean)
    print(
        f"caught {num_caught} of {len(caught)} regressions; {num_alarms} alarms in {len(clean)} "
        f"clean reruns ({len(clean) // 2} of them beside a load) and {len(codes)} first runs; "
        f"{num_failed} failed"
    )
    return int(num_caught < len(caught) or num_alarms > 0 or num_failed > 0)


def git(folder: Path, *words: str) -> None:
    """Run a git command in a folder."""
    subprocess.run(["git", "-C", str(folder), *words], check=True)


@contextlib.contextmanager
def injected(folder: Path, title: str, change: dict[str, Function]) -> Iterator[None]:
    """Inside the block the clone has the change, as a commit."""
    for target, function in change.items():
        module, name = target.split(":")
        path = source_file(folder, module)
        text = path.read_text("utf-8")
        defined = [row.name for row in ast.parse(text).body if isinstance(row, ast.FunctionDef)]
        if name not in defined:
            raise SystemExit(f"error: {target} ({title}): no such function in {path}")
        replacement = f"{name} = injected.{function.__name__}({name})"
        text += f"\nfrom benchmarks.validation import injected\n\n{replacement}\n"
        path.write_text(text, "utf-8")
    git(folder, *AUTHOR, "commit", "--quiet", "--all", "--message", title)
    try:
        yield
    finally:
        git(folder, "reset", "--quiet", "--hard", "HEAD~1")


def source_file(folder: Path, module: str) -> Path:
    """The file of a module of gfr in the clone."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise SystemExit(f"error: {module}: no such module")
    return folder / Path(spec.origin).relative_to(ROOT)


def run(folder: Path, run_id: str, is_fresh: bool = False, note: str = "") -> int:
    """Run `gfr run` as a user does, print what its regression check says; returns the exit code."""
    benchmark = folder / "benchmarks" / "validation" / "regressions.toml"
    begun_s = time.monotonic()
    done = subprocess.run(
        harness.run_command(benchmark, run_id, *(["--fresh"] if is_fresh else [])),
        cwd=folder,
        env=harness.environment(folder),
        capture_output=True,
        text=True,
        timeout=harness.TIMEOUT_S,
    )
    took_s = time.monotonic() - begun_s
    print(f"{time.strftime('%H:%M:%S')} {run_id}: exit {done.returncode}, {took_s:.0f} s  {note}")
    path = folder / "reports" / "runs" / run_id / "verdict.json"
    if path.exists():
        check = serialization.read(path, regression_records.Verdict)
        for finding in check.of("regression", "inconclusive", "changed"):
            print(f"    {finding.status}: {finding.text}")
        print(f"    {check.reason}; {', '.join(check.changes)}")
    else:
        print(done.stderr[-2000:])
    sys.stdout.flush()
    return done.returncode


if __name__ == "__main__":
    harness.execute(main)
