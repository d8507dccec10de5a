"""Does the verdict of a run find what has become worse, and only that?

    .venv/bin/python benchmarks/verdicts.py [--saved 4] [--clean 30] [--folder DIR]

In: the code of this clone, copied to a temporary folder and kept there under git. Out: a line a
run and a last line of counts. First come clean runs, with features from the cache and computed
anew; then each of ten regressions, put into the copy as one changed place and taken out again; then
clean runs on cached features, every second one beside a busy loop on one core. Exit code 1 if a
regression was missed, a clean run was an alarm, or a run failed. Never touches the runs or the
cache of this clone.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alarms import load

from gfr.results import regression_records
from gfr.storage import serialization
from gfr.storage.paths import ROOT

REGRESSION = regression_records.EXIT_CODE
TIMEOUT_S = 3600  # of one run
COPIED = (
    "gfr",
    "tasks",
    "flows",
    "cli",
    "benchmarks",
    "pyproject.toml",
    "requirements.lock",
    ".gitignore",
)

BENCHMARK = """
schema = 1
name = "small"
seed = 1024
[data]
images = 1000
test_fraction = 0.3
validation_fraction = 0.2
[training]
batch_size = 64
[latency]
calls = 60
seconds = 2
[export]
precisions = []
[[backbone]]
name = "VGG16"
scaling = "tf"
[[backbone]]
name = "MobileNetV2"
[[iteration]]
number = 1
size = [64, 64]
epochs = 10
[[iteration]]
number = 2
size = [64, 64]
epochs = 30
"""


@dataclass(frozen=True)
class Change:
    """One place of the code under test; `fresh`: shows only where features are computed."""

    name: str
    file: str
    old: str
    new: str
    fresh: bool = False


_CALL = "return lambda pixels: Predictions(backbones.run_batch(graph, pixels)[:, 0])"
_SLOWER = """
    def slower(pixels):
        import time
        start_s = time.perf_counter()
        value = Predictions(backbones.run_batch(graph, pixels)[:, 0])
        end_s = start_s + 1.3 * (time.perf_counter() - start_s)
        while time.perf_counter() < end_s:
            pass
        return value
    return slower"""
_ORDER = "train_rows[batch_order(len(train_rows), seed, epoch)]"
_TRUTH = "tf.constant(is_male[rows], tf.float32)"
_EAGER = 'lambda pixels: model(backbones.tf.cast(pixels, "float32"), training=False)'

CHANGES = (
    Change("model calls take 1.3 times as long", "gfr/engines/tensorflow.py", _CALL, _SLOWER),
    Change("the model is called without a graph", "gfr/engines/tensorflow.py",
           "backbones.compiled(model)", _EAGER),
    Change("the model is built without its calibration", "gfr/engines/keras_model.py",
           "backbones.fuse(backbone, result.features.scale, head)",
           "backbones.fuse(backbone, 1.0, head)"),
    Change("learning rate 0.1", "gfr/models/head.py", "keras.optimizers.Adam()",
           "keras.optimizers.Adam(0.1)"),
    Change("a third of the training labels flipped", "gfr/models/head.py", _TRUTH,
           "tf.constant(is_male[rows] ^ (rows % 3 == 0), tf.float32)"),
    Change("four of five epochs dropped", "gfr/models/head.py", "in range(epochs)",
           "in range(max(1, epochs // 5))"),
    Change("features scaled otherwise in training", "gfr/models/head.py",
           "tf.constant(features.rows(rows, scale))",
           "tf.constant(features.rows(rows, scale / 10))"),
    Change("training rows in the order of their class", "gfr/models/head.py", _ORDER,
           'train_rows[np.argsort(is_male[train_rows], kind="stable")]'),
    Change("a tenth of the training rows", "gfr/models/head.py", _ORDER,
           f"{_ORDER}[: len(train_rows) // 10]"),
    Change("features one row off", "gfr/models/feature_extraction.py", "waiting.pop(0), np.concatenate(block))",
           "waiting.pop(0), np.roll(np.concatenate(block), 1, axis=0))", fresh=True),
)  # fmt: skip


def main() -> int:
    """Build the histories, change the code, repeat, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--saved", type=int, default=4, help="runs of each history to begin with")
    parser.add_argument("--clean", type=int, default=30)
    parser.add_argument("--folder", type=Path, help="kept afterwards; a temporary one if not given")
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        copy(folder)
        codes = [run(folder, "first", fresh=True)]
        codes += [run(folder, f"cached-{number}") for number in range(asked.saved)]
        codes += [run(folder, f"fresh-{number}", fresh=True) for number in range(asked.saved)]
        caught = [changed(folder, number, change) for number, change in enumerate(CHANGES)]
        clean = [repeated(folder, number) for number in range(asked.clean)]
    num_caught = caught.count(REGRESSION)
    num_alarms = (codes + clean).count(REGRESSION)
    num_failed = sum(code not in (0, REGRESSION) for code in codes + caught + clean)
    print(
        f"caught {num_caught} of {len(caught)} regressions; {num_alarms} alarms in {len(clean)} "
        f"clean reruns ({len(clean) // 2} of them beside a load) and {len(codes)} first runs; "
        f"{num_failed} failed"
    )
    return int(num_caught < len(caught) or num_alarms > 0 or num_failed > 0)


def copy(folder: Path) -> None:
    """The code and the benchmark, as the only commit of a repository of its own."""
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__")
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, folder / name)
    (folder / "small.toml").write_text(BENCHMARK)
    git(folder, "init", "--quiet")
    commit(folder, "As it is")


def commit(folder: Path, words: str) -> None:
    """All of the code, so that a verdict can name the commit."""
    git(folder, "add", *COPIED)
    who = ("-c", "user.name=verdicts", "-c", "user.email=verdicts@localhost")
    git(folder, *who, "commit", "--quiet", "-m", words)


def git(folder: Path, *words: str) -> None:
    """A command in the copy's repository."""
    subprocess.run(["git", "-C", str(folder), *words], check=True)


@contextlib.contextmanager
def patched(folder: Path, change: Change) -> Iterator[None]:
    """Inside the block the copy has the change, as a commit."""
    path = folder / change.file
    text = path.read_text()
    if text.count(change.old) != 1:
        raise SystemExit(f"error: {change.file}: not once: {change.old}")
    path.write_text(text.replace(change.old, change.new))
    commit(folder, change.name)
    try:
        yield
    finally:
        git(folder, "reset", "--quiet", "--hard", "HEAD~1")


def changed(folder: Path, number: int, change: Change) -> int:
    """One run of the changed code."""
    with patched(folder, change):
        return run(folder, f"changed-{number}", change.fresh, change.name)


def repeated(folder: Path, number: int) -> int:
    """One run of the code as it is, every second time beside a load."""
    with load() if number % 2 else contextlib.nullcontext():
        return run(folder, f"clean-{number}", words="beside a load" if number % 2 else "")


def run(folder: Path, run_id: str, fresh: bool = False, words: str = "") -> int:
    """`gfr run` as a user calls it; prints what the verdict says, returns the exit code."""
    command = [sys.executable, "-c", "from cli.main import main; main()", "run", "small.toml"]
    command += ["--data", "synthetic", "--weights", "random", "--offline", "--run-id", run_id]
    command += ["--reports", "reports", "--cache", "cache", *(["--fresh"] if fresh else [])]
    begun_s = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    took_s = time.monotonic() - begun_s
    print(f"{time.strftime('%H:%M:%S')} {run_id}: exit {done.returncode}, {took_s:.0f} s  {words}")
    path = folder / "reports" / "runs" / run_id / "verdict.json"
    if path.exists():
        found = serialization.read(path, regression_records.Verdict)
        for line in found.of("regression", "inconclusive", "changed"):
            print(f"    {line.status}: {line.text}")
        print(f"    {found.reason}; {', '.join(found.changes)}")
    else:
        print(done.stderr[-2000:])
    sys.stdout.flush()
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
