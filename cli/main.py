"""The entry point `gfr`: registers the commands, one module each in cli/commands.

Commands import what is heavy when they are called, so that `gfr --help` starts at once.
"""

import sys
import warnings

import typer

from cli.commands import (
    clean,
    data,
    doctor,
    export,
    models,
    predict,
    regression,
    report,
    run,
    split,
)
from cli.commands.list import list_
from cli.options import Version
from gfr import environment
from gfr.storage import paths

app = typer.Typer(
    help="Benchmark face gender recognition: frozen backbones, small heads, honest numbers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _require_clone(version: Version = False) -> None:
    paths.require_clone()


app.command()(run.run)
app.command()(report.report)
app.command()(regression.verdict)
app.command()(regression.compare)
app.command("list")(list_)
app.command()(clean.clean)
app.command()(predict.predict)
app.command()(split.split)
app.command()(export.export)
app.command()(export.serve)
app.command()(doctor.doctor)
app.command()(doctor.automations)

data_app = typer.Typer(help="Download a data set, or check one before a run.", no_args_is_help=True)
data_app.command()(data.fetch)
data_app.command()(data.check)
app.add_typer(data_app, name="data")

models_app = typer.Typer(help="Download networks from elsewhere to compare.", no_args_is_help=True)
models_app.command()(models.fetch)
models_app.command("list")(models.list_)
app.add_typer(models_app, name="models")


def main() -> None:
    """Run `gfr` with the words of the command line and exit with its code."""
    environment.prepare()
    warnings.filterwarnings("ignore", module="PIL")  # damaged images are reported by name
    from cli import exit_codes

    sys.exit(exit_codes.call(app))
