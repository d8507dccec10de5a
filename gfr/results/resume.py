"""The command that resumes a run."""

import shlex
from pathlib import Path

from gfr.results import records
from gfr.storage import paths


def command(record: records.RunRecord, reports: Path) -> str:
    """Return the command to resume a run, with directories that the recorded command left out."""
    line = record.command
    places = paths.directories_to_name(reports=reports, cache=Path(record.cache))
    values = {"run_id": record.run_id, **{name: str(path) for name, path in places.items()}}
    if line.startswith("gfr."):  # a call of the Python API
        added = [f"{name}={values[name]!r}" for name in values if f"{name}=" not in line]
        return f"{', '.join([line[:-1], *added])})"
    if line.startswith("gfr "):
        words = {f"--{name.replace('_', '-')}": value for name, value in values.items()}
        added = [shlex.join(word) for word in words.items() if word[0] not in line]
    else:  # a deployment takes parameters
        values = {"run_id": record.run_id} | ({"fresh": "true"} if record.fresh else {}) | values
        added = [shlex.join(["-p", f"{name}={value}"]) for name, value in values.items()]
    return " ".join([line, *added])
