"""What `gfr clean` prints.

In: the reports, the cache, a Rule. Out: text or JSON on standard output, and an exit code: 1 if
something could not be removed.
"""

import dataclasses
import json
from pathlib import Path

from gfr.results import cleanup


def clean(reports: Path, cache: Path, rule: cleanup.Rule, is_dry_run: bool, as_json: bool) -> int:
    """Remove what the rule calls old, or only say it."""
    found = cleanup.plan(reports, cache, rule)
    gone, failed = ([], []) if is_dry_run else cleanup.carry_out(found)
    if as_json:
        rows = {"would_remove": found.remove} if is_dry_run else {"removed": gone}
        document = {
            name: [dataclasses.asdict(row) for row in part]
            for name, part in (rows | {"failed": failed, "kept": found.keep}).items()
        }
        print(json.dumps(document, indent=1))
    else:
        print(cleanup.text(found, gone, failed, is_dry_run))
    return 1 if failed else 0
