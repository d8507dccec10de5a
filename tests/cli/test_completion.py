"""Shell completion, requested through environment variables as shells do."""

import os
import subprocess
import sys

import pytest
import records

from cli import completion
from flows import task_runners
from gfr.config import schema
from gfr.data.download import fetch
from gfr.engines import formats, trial_model
from gfr.models import weights
from gfr.results import export_records
from gfr.storage import paths

# No module that a shell should wait for; Typer itself imports pydantic.
PROGRAM = """
import sys
sys.argv = ["gfr"]
from cli.main import main
try:
    main()
finally:
    heavy = "tensorflow keras prefect pandas numpy".split()
    print([name for name in heavy if name in sys.modules], file=sys.stderr)
"""


def offered(line, cwd, **environment):
    """The words that bash would offer at the end of a line."""
    words = line.split(" ")
    bash = {"_GFR_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"PYTHONPATH": str(paths.ROOT)} | bash | environment,
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    assert (0, "[]\n") == (done.returncode, done.stderr)
    return done.stdout.split()


def test_bash_is_offered_benchmarks_runs_and_keywords(tmp_path):
    """Run ids come from --reports or its variable; file names are left to bash."""
    for name in ("20261123T000000Z-smoke", "mine"):
        records.write(records.run(tmp_path / "r" / "runs" / name))
    there = {"GFR_REPORTS": "r"}
    for line, expected in (
        ("gfr run s", ["smoke"]),
        ("gfr run ", ["face-features", "full", "references", "smoke", "tiny"]),
        ("gfr models fetch h", ["human-models"]),
        ("gfr serve --reports r ", ["20261123T000000Z-smoke", "mine"]),
        ("gfr serve --reports nowhere ", []),
        ("gfr predict a.png --run m", ["mine"]),
        ("gfr split --to a.csv 2", ["20261123T000000Z-smoke"]),
        ("gfr compare mine 2", ["20261123T000000Z-smoke"]),
        ("gfr run full --data s", ["synthetic"]),
        ("gfr run full --data ./", []),
        ("gfr run full --rep", ["--reports"]),
    ):
        assert expected == offered(line, tmp_path, **there), line
    assert [] == offered("gfr report ", tmp_path, GFR_REPORTS="~nobody-of-this-name")


def test_offered_words_are_the_accepted_ones():
    """The copies in cli/completion.py equal the originals, which are too slow to import there."""
    assert weights.KEYWORDS == completion.WEIGHTS
    assert task_runners._MAKERS.keys() == set(completion.RUNNERS)
    assert fetch.SOURCES == completion.SOURCES
    assert export_records.BITS.keys() == set(completion.PRECISIONS)
    assert tuple(formats.FORMATS) == schema.FORMATS == completion.FORMATS
    assert trial_model.NAMES == completion.ENGINES


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell):
    """Each script requests completions as the test above does."""
    environment = os.environ | {"_GFR_COMPLETE": f"source_{shell}", "PYTHONPATH": str(paths.ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True
    )
    assert 0 == done.returncode, done.stderr
    assert f"_GFR_COMPLETE=complete_{shell}" in done.stdout
