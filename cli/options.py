"""Options and arguments that several commands share, with their help texts.

Paths reach a command absolute, and directories that are not given with their defaults.
"""

import dataclasses
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import completion, paths
from gfr.pipeline.run_options import DATA_KEYWORDS, RunOptions
from gfr.storage.paths import VARIABLES


def print_json(value: Any) -> None:
    """Print a value that may hold dataclasses as JSON."""
    print(json.dumps(value, indent=1, default=dataclasses.asdict))


def print_result(value: Any, text: Callable[[Any], str], as_json: bool) -> None:
    """Print a value as JSON, or as the text that `text` makes of it."""
    if as_json:
        print_json(value)
    else:
        print(text(value))


def run_options(parameters: dict[str, Any], **others: Any) -> RunOptions:
    """The options of a run: a command's parameters with the names of its fields, and `others`."""
    fields = [field.name for field in dataclasses.fields(RunOptions) if field.name in parameters]
    places = {name: str(parameters[name]) for name in VARIABLES}
    return RunOptions(**{name: parameters[name] for name in fields} | places | others)


# For arguments and options that are the id of a run.
RUN_ID = {"help": "Run id.", "autocompletion": completion.run_ids}
_NEWEST = RUN_ID | {"help": "Run id; default: the newest finished run."}


def _directory(name: str, help_text: str) -> Any:
    return typer.Option(
        envvar=VARIABLES[name], help=help_text, callback=lambda path: paths.directory(path, name)
    )


def _print_version(context: typer.Context, is_asked: bool) -> None:
    if is_asked and not context.resilient_parsing:
        from gfr.measurement.software import version

        print(f"gfr {version('gfr')}")
        raise typer.Exit


def _word_or_path(words: Collection[str], envvar: str, help_text: str) -> Any:
    return typer.Option(
        envvar=envvar,
        help=help_text,
        autocompletion=completion.words(*words),
        callback=lambda word: paths.absolute(word, words),
    )


_version = typer.Option(
    "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
)
Version = Annotated[bool, _version]
Benchmark = Annotated[
    str,
    typer.Argument(
        help="Name of a benchmark (full, smoke, references, …) or path of a TOML file.",
        autocompletion=completion.benchmarks,
        callback=paths.benchmark,
    ),
]
_data = (
    "`auto`, `synthetic`, or a path: a CelebA directory, a directory with a labels.csv, or such a "
    "CSV file. `auto`: data/celeba if it exists, else synthetic faces."
)
Data = Annotated[str, _word_or_path(DATA_KEYWORDS, "GFR_DATA", _data)]
_weights = (
    "`auto`, `imagenet`, `random`, or a directory of weight files with Keras's standard names. "
    "`auto`: Keras's cache, else a download, else random weights."
)
Weights = Annotated[str, _word_or_path(completion.WEIGHTS, "GFR_WEIGHTS", _weights)]
Cache = Annotated[
    Path, _directory("cache", "Directory of features, synthetic faces and random weights.")
]
CacheDir = Annotated[Path, _directory("cache", "Directory of the cached features.")]
Reports = Annotated[Path, _directory("reports", "Directory of the runs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Offline = Annotated[bool, typer.Option("--offline", envvar="GFR_OFFLINE", help="Download nothing.")]
Timeout = Annotated[
    float, typer.Option("--timeout", help="Seconds without progress after which a step is stopped.")
]
_memory = "Memory that a step may use; default: 90% of the memory available to gfr."
MemoryLimit = Annotated[float | None, typer.Option("--memory-limit", metavar="GB", help=_memory)]
Trial = Annotated[
    str | None, typer.Option(help="A trial, e.g. VGG16-iteration-3; default: the selected one.")
]
Run = Annotated[str | None, typer.Argument(metavar="[RUN]", **_NEWEST)]
RunOption = Annotated[str | None, typer.Option("--run", **_NEWEST)]
