"""What `gfr data fetch` shows.

In: a Request. Out: progress on standard error, what was fetched on standard output. Ctrl-C leaves
what has arrived, and says so.
"""

import dataclasses
import json
import shlex
import sys

from cli import display, start
from gfr import fetch, runs, sources


def run(request: fetch.Request, as_json: bool) -> None:
    """Fetch and tell; exit code 130 or 143 when interrupted."""
    known = sources.load(runs.ROOT / "benchmarks" / "sources.toml")
    try:
        with start.interruptible(), display.progress(None):
            fetched = fetch.run(request, known)
    except start.Interrupted as interrupted:
        print("gfr: interrupted; the same command goes on", file=sys.stderr)
        start.leave(interrupted.code)
    if as_json:
        document = {"directory": str(request.directory), "is_new": fetched is not None}
        document["fetched"] = dataclasses.asdict(fetched) if fetched else None
        print(json.dumps(document, indent=1))
    elif fetched:
        print("\n".join(describe(request, fetched)))
    else:
        print(f"{request.directory}: CelebA is there already; --overwrite gets it anew")


def describe(request: fetch.Request, fetched: fetch.Fetched) -> list[str]:
    """What was fetched, what is odd about it, and what to do next."""
    origin = fetched.origin
    num_female = fetched.num_images - fetched.num_male
    lines = [
        f"{request.directory}: {fetched.num_images:,} images ({fetched.num_male:,} male, "
        f"{num_female:,} female)",
        f"from {origin.url}",
    ]
    if origin.sha256:
        checked = "as was expected" if origin.is_checked else "not checked, none was known before"
        lines.append(f"SHA-256 of the archive {origin.sha256}: {checked}")
    if fetched.num_images != origin.num_expected:
        lines.append(f"{origin.num_expected:,} images were expected")
    missing = fetched.num_listed - fetched.num_images - fetched.num_undecodable
    if missing:
        lines.append(
            f"{missing:,} images of the label file are not in it: their lines are left out"
        )
    if fetched.num_undecodable:
        lines.append(f"{fetched.num_undecodable:,} images cannot be decoded: a run drops them")
    where = shlex.quote(str(request.directory))
    return [*lines, f"{fetched.license}.", f"next: gfr run full --data {where}"]
