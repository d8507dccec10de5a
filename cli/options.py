"""Options and arguments that several commands take, with what `--help` says of them."""

from pathlib import Path
from typing import Annotated

import typer

from cli import completion
from gfr.storage.paths import VARIABLES


def _print_version(context: typer.Context, is_asked: bool) -> None:
    if is_asked and not context.resilient_parsing:
        from gfr.measurement.software import version

        print(f"gfr {version('gfr')}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
]

Benchmark = Annotated[
    str,
    typer.Argument(
        help="A file of benchmarks/ by name (full, smoke, tiny), or a path to a TOML.",
        autocompletion=completion.benchmarks,
    ),
]
Data = Annotated[
    str,
    typer.Option(
        envvar="GFR_DATA",
        help="A directory of CelebA, one with a labels.csv, such a CSV, or `synthetic`; `auto` is "
        "data/celeba if there, else synthetic.",
        autocompletion=completion.words(*completion.DATA),
    ),
]
Weights = Annotated[
    str,
    typer.Option(
        envvar="GFR_WEIGHTS",
        help="A directory of files under Keras' names, `imagenet` or `random`; `auto` tries "
        "Keras' cache, then a download, then random.",
        autocompletion=completion.words(*completion.WEIGHTS),
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(envvar=VARIABLES["cache"], help="Features, drawn faces and random weights."),
]
Reports = Annotated[
    Path | None, typer.Option(envvar=VARIABLES["reports"], help="Where runs are written.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Offline = Annotated[
    bool, typer.Option("--offline", envvar="GFR_OFFLINE", help="Never try to download weights.")
]
RunId = Annotated[
    str | None,
    typer.Option(
        help="Name of the run; an existing one is continued.", autocompletion=completion.run_ids
    ),
]
Timeout = Annotated[
    float, typer.Option(help="Seconds that a step may go without a sign of progress.")
]
MemoryLimit = Annotated[
    float | None,
    typer.Option(metavar="GB", help="What a step may take; 9/10 of the machine by default."),
]
Trial = Annotated[
    str | None, typer.Option(help="A trial such as VGG16-iteration-3, not the selected one.")
]
Run = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]",
        help="A run id; the newest finished one if not given.",
        autocompletion=completion.run_ids,
    ),
]
RunA = Annotated[
    str, typer.Argument(metavar="RUN_A", help="A run id.", autocompletion=completion.run_ids)
]
RunB = Annotated[
    str, typer.Argument(metavar="RUN_B", help="Another one.", autocompletion=completion.run_ids)
]
Keep = Annotated[
    int | None, typer.Option(help="Runs older than the newest N finished ones of a benchmark.")
]
OlderThan = Annotated[
    float | None, typer.Option(metavar="DAYS", help="Runs begun so long ago, or longer.")
]
UnusedFeatures = Annotated[
    bool, typer.Option("--cache", help="Features too that no kept run is made of.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")]
CacheDir = Annotated[
    Path | None, typer.Option(envvar=VARIABLES["cache"], help="Where features are kept.")
]
KeepRuns = Annotated[
    int | None,
    typer.Option(help="In the end remove this benchmark's runs but the newest N (gfr clean)."),
]
