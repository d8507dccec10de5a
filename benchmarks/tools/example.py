"""Keep the report of a run on synthetic faces as the example in docs/example/.

    .venv/bin/python -m benchmarks.tools.example [RUN]

Replaces the older example with the run's summary.md, summary.html, results.csv and figures. Refuses
runs on other images, since thumbnails of real faces must never be committed; texts that name a
directory outside the project (paths inside become relative); and more than LARGEST_BYTES in all.
"""

import re
from pathlib import Path

import gfr
from benchmarks import harness
from cli import options
from gfr.errors import InputError
from gfr.storage import atomic, paths

OUT = paths.ROOT / "docs" / "example"
LARGEST_BYTES = 2_500_000
KEPT = ("summary.md", "summary.html", "results.csv")

# A path from the root of the machine, but not the middle of a word, an address or a closing tag.
_ABSOLUTE = re.compile(
    r"(?<![\w./<:;,=+-])/(?:home|root|work|tmp|Users|mnt|media|var|srv|opt)/[^\s<]*"
)


def main(run: options.Run = None) -> None:
    """Copy the report, or refuse it."""
    print(keep(gfr.load_run(run).directory, OUT))


def keep(run_dir: Path, out: Path) -> str:
    """Copy the files of the example; InputError if they must not be shown."""
    run = gfr.load_run(run_dir)
    if run.record.data.source != "synthetic":
        raise InputError(
            f"{run_dir}: is of {run.record.data.source} images; an example shows faces that gfr "
            "drew itself: gfr run smoke --data synthetic"
        )
    files = [run_dir / name for name in KEPT] + sorted((run_dir / "figures").glob("*.svg"))
    if missing := [path for path in files if not path.exists()]:
        raise InputError(f"{missing[0]}: is not there; render it: gfr report {run_dir.name}")
    num_bytes = sum(path.stat().st_size for path in files)
    if num_bytes > LARGEST_BYTES:
        raise InputError(f"{run_dir}: {num_bytes:,} bytes, more than {LARGEST_BYTES:,}")
    with atomic.directory(out) as temporary:
        (temporary / "figures").mkdir()
        for path in files:
            text = path.read_text("utf-8")
            for root in (paths.ROOT, run_dir.resolve().parents[2]):  # of ROOT/reports/runs/ID
                text = text.replace(f"{root}/", "") if root.name else text
            if named := _ABSOLUTE.search(text):
                place = "run it with everything below the project"
                raise InputError(f"{path}: names {named[0]}; {place}")
            (temporary / path.relative_to(run_dir)).write_text(text, "utf-8")
    return f"{out}: {len(files)} files, {num_bytes:,} bytes"


if __name__ == "__main__":
    harness.execute(main)
