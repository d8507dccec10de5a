"""Validate model cards: do their programs work where only the format's runtime is installed?

    .venv/bin/python -m benchmarks.validation.model_cards [RUN_DIRECTORY]

Without a run directory, makes a small run in every format in a temporary folder. For each runtime,
uv creates an environment there with that package, NumPy, Pillow and what they require, in the
versions and with the digests of requirements-engines.lock. In it, the program of each model card
classifies the golden images. Prints a line for each format and a last line of counts. Exit code 1
if a probability differs from golden.json by more than 1e-4 (float32) or 1e-2 (other precisions), if
those of a format are too close to each other to compare anything, or if a format or its environment
could not be made.
"""

import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import harness
from gfr import environment as environment_variables
from gfr.engines import formats
from gfr.errors import StepFailed
from gfr.results import store
from gfr.results.deployment_records import FormatResult
from gfr.storage.paths import ROOT
from gfr.storage.run_directory import FormatDirectory, RunDirectory

BENCHMARK = Path(__file__).with_suffix(".toml")
LOCK = ROOT / "requirements-engines.lock"
BESIDE = ("numpy", "pillow")  # every card asks for these as well
TOLERANCES = {"float32": 1e-4}
REDUCED_TOLERANCE = 1e-2  # float16 and int8


def main(run_directory: Annotated[Path | None, typer.Argument()] = None) -> int:
    """Make the environments, run the programs, compare; returns the exit code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = store.read_run(run_directory.resolve() if run_directory else small_run(folder))
        rows = [row for row in run.formats.values() if row.format in formats.FORMATS]
        rows = [row for row in rows if row.format != "tfjs"]
        if not rows:
            raise StepFailed(f"{run.directory}: no formats. Write some: gfr export --format")
        python_with = cache(partial(environment, folder))
        outcomes = []
        for row in rows:
            files = RunDirectory(run.directory).format(row.trial.id, row.format)
            outcomes.append(outcome(row, files, python_with))
            print(f"{row.format}: {outcomes[-1]}", flush=True)
    num_right = sum(each.startswith("reproduced") for each in outcomes)
    print(f"{num_right} of {len(rows)} formats reproduced their golden images")
    return int(num_right < len(rows))


def small_run(folder: Path) -> Path:
    """Run `benchmarks/validation/model_cards.toml` in a folder; return the run's directory."""
    benchmark = shutil.copy(BENCHMARK, folder)
    write_backbone(folder / "small.keras")
    done = harness.call("run in all formats", harness.run_command(benchmark, "cards"), folder)
    if done.returncode:
        raise StepFailed(f"the run failed: {done.stderr[-2000:]}")
    return folder / "reports" / "runs" / "cards"


def write_backbone(path: Path) -> None:
    """Write a small network with random weights whose features are neither tiny nor huge."""
    environment_variables.prepare()
    import keras
    from keras import layers

    keras.utils.set_random_seed(1024)
    pixels = keras.Input((64, 64, 3))
    x = layers.Conv2D(16, 3, 2, activation="relu", kernel_initializer="he_normal")(pixels)
    x = layers.DepthwiseConv2D(3, depthwise_initializer="he_normal")(x)
    x = layers.Conv2D(32, 3, 2, activation="relu", kernel_initializer="he_normal")(x)
    keras.Model(pixels, x).save(path)


def outcome(row: FormatResult, files: FormatDirectory, python_with: Callable[[str], Path]) -> str:
    """Run the program of a format's card and return how it ended, as a person reads it."""
    if row.reason:
        return f"not written: {row.reason}"
    try:
        package = json.loads(files.model_card_json.read_bytes())["format"]["package"]
        printed = interpret(python_with(package), program(files), files.path)
        difference = max_difference(printed, files)
    except StepFailed as error:
        return f"failed: {error}"
    lowest, highest = range_of_golden(files)
    spread = f"p_male from {lowest:.4f} to {highest:.4f}"
    if highest - lowest <= 2 * tolerance(row):
        return f"inconclusive: the golden images have almost equal probabilities, {spread}"
    verb = "reproduced" if difference <= tolerance(row) else "differs"
    limit = f"at most {tolerance(row):.0e} allowed"
    return f"{verb}: largest difference {difference:.1e}, {limit}; {spread}"


def tolerance(row: FormatResult) -> float:
    """Return how far the probabilities of a format may differ from golden.json."""
    return TOLERANCES.get(row.precision, REDUCED_TOLERANCE)


def pinned(names: Sequence[str]) -> list[str]:
    """Return packages with their versions in requirements-engines.lock: `numpy==2.4.6`."""
    locked = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK.read_text(), re.MULTILINE))
    return [f"{name}=={locked[name]}" for name in names]


def environment(folder: Path, package: str) -> Path:
    """Create an environment with one runtime; return its Python."""
    uv, target = str(Path(sys.executable).with_name("uv")), folder / f"with-{package}"
    python, asked = target / "bin" / "python", folder / f"with-{package}.txt"
    asked.write_text("\n".join(pinned([package, *BESIDE])))
    into = ["--python", str(python)]
    # Packages that the named ones require have their versions and digests from the constraints.
    locked = ["--require-hashes", "--constraints", str(LOCK), "--requirements", str(asked)]
    for words in (
        ["venv", "--quiet", "--python", sys.executable, str(target)],
        ["pip", "install", "--quiet", *into, *locked],
    ):
        done = harness.call(f"uv {words[0]} for {package}", [uv, *words], ROOT)
        if done.returncode:
            raise StepFailed(f"uv {words[0]}: {done.stderr.strip()[-500:]}")
    listed = harness.call(f"packages beside {package}", [uv, "pip", "freeze", *into], ROOT)
    print(f"    {', '.join(listed.stdout.split())}", flush=True)
    return python


def program(files: FormatDirectory) -> str:
    """Return the program in a format's model_card.md."""
    found = re.findall(r"^```python\n(.*?)^```$", files.model_card_md.read_text(), re.M | re.S)
    if len(found) != 1:
        raise StepFailed(f"{files.model_card_md}: {len(found)} programs instead of one")
    return found[0]


def interpret(python: Path, code: str, folder: Path) -> str:
    """Run a program in a folder, without variables or packages of this environment."""
    words = [str(python), "-I", "-c", code]
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=harness.TIMEOUT_S
    )
    if done.returncode:
        raise StepFailed(f"exit {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


def max_difference(printed: str, files: FormatDirectory) -> float:
    """Compare lines `golden/face-1.png 0.42` with golden.json; return the largest difference."""
    golden = json.loads(files.golden.read_bytes())["images"]
    pairs = [line.rsplit(maxsplit=1) for line in printed.splitlines()]
    p_male = {pair[0]: float(pair[1]) for pair in pairs}
    if sorted(p_male) != sorted(row["file"] for row in golden):
        raise StepFailed(f"printed probabilities of {', '.join(p_male) or 'nothing'}")
    differences = [abs(p_male[row["file"]] - row["p_male"]) for row in golden]
    return max(math.inf if math.isnan(each) else each for each in differences)


def range_of_golden(files: FormatDirectory) -> tuple[float, float]:
    """Return the lowest and the highest probability in golden.json."""
    p_male = [row["p_male"] for row in json.loads(files.golden.read_bytes())["images"]]
    return min(p_male), max(p_male)


if __name__ == "__main__":
    harness.execute(main)
