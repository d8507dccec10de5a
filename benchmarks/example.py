"""Keep a run's report as the example that the documents show: `benchmarks/example.py RUN`.

In: a finished run on synthetic faces. Out: docs/example/ with its summary.md, summary.html,
results.csv and figures, in the place of the older one. Refuses any run that is not on synthetic
faces, since thumbnails of real ones must never be committed; texts that name a directory outside
the project (paths within it become relative); and more than LARGEST_BYTES in all.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path

from gfr.errors import BadInput
from gfr.results import store
from gfr.storage import atomic, paths, run_directory

OUT = paths.ROOT / "docs" / "example"
LARGEST_BYTES = 2_500_000
KEPT = ("summary.md", "summary.html", "results.csv")

# A path from the root of the machine, but not the middle of a word, an address or a closing tag.
_ABSOLUTE = re.compile(
    r"(?<![\w./<:;,=+-])/(?:home|root|work|tmp|Users|mnt|media|var|srv|opt)/[^\s<]*"
)


def main() -> None:
    """Read, refuse or copy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", help="the newest finished one if not given")
    parser.add_argument("--reports", type=Path, default=Path(paths.default_directory("reports")))
    arguments = parser.parse_args()
    try:
        found = run_directory.find(arguments.reports, arguments.run)
        print(keep(found, OUT))
    except BadInput as error:
        sys.exit(f"example: {error}")


def keep(run_dir: Path, out: Path) -> str:
    """Copy what the example is of; BadInput if it must not be shown."""
    run = store.read_run(run_dir)
    if run.record.data.source != "synthetic":
        raise BadInput(
            f"{run_dir}: is of {run.record.data.source} images; an example shows faces that gfr "
            "drew itself: gfr run smoke --data synthetic"
        )
    files = [run_dir / name for name in KEPT]
    files += sorted((run_dir / "figures").glob("*.svg"))
    missing = [path for path in files if not path.exists()]
    if missing:
        raise BadInput(f"{missing[0]}: is not there; render it: gfr report {run_dir.name}")
    num_bytes = sum(path.stat().st_size for path in files)
    if num_bytes > LARGEST_BYTES:
        raise BadInput(f"{run_dir}: {num_bytes:,} bytes, more than {LARGEST_BYTES:,}")
    texts = {name: _relative(run_dir / name) for name in KEPT}
    with atomic.directory(out) as temporary:
        (temporary / "figures").mkdir()
        for name, text in texts.items():
            (temporary / name).write_text(text, "utf-8")
        for path in files[len(KEPT) :]:
            shutil.copyfile(path, temporary / "figures" / path.name)
    return f"{out}: {len(files)} files, {num_bytes:,} bytes"


def _relative(path: Path) -> str:
    """A text of the run without the project's own place; BadInput if it names another one."""
    text = path.read_text("utf-8")
    for root in (paths.ROOT, path.resolve().parents[3]):  # ROOT/reports/runs/ID/summary.md
        if root != Path("/"):
            text = text.replace(f"{root}/", "")
    if named := _ABSOLUTE.search(text):
        raise BadInput(f"{path}: names {named[0]}; run it with everything below the project")
    return text


if __name__ == "__main__":
    main()
