"""The images of a run with their splits in a CSV, for other systems to classify."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from gfr.errors import InputError
from gfr.results import store
from gfr.storage import atomic
from gfr.types import SPLITS


@dataclass(frozen=True)
class SplitList:
    """A file that was written; `num_images`: by split."""

    run_id: str
    file: str
    num_images: dict[str, int]


def write(run_dir: Path, target: Path, overwrite: bool) -> SplitList:
    """Write `image,split,path` for each image of a run, sorted by name; labels are left out.

    Raises:
        InputError: the run is damaged, or `target` exists and is not to be overwritten.
    """
    if target.is_dir() or (target.exists() and not target.is_file()):  # a device would be replaced
        raise InputError(f"{target}: not a regular file. Name another file")
    if target.exists() and not overwrite:
        raise InputError(f"{target}: exists. Name another file, or replace it with --overwrite")
    record, faces, splits = store.open_run(run_dir)
    paths = list(map(str, faces.paths()))
    table = pd.DataFrame({"image": faces.names, "split": splits, "path": paths})
    atomic.write_text(target, table.to_csv(index=False, lineterminator="\n"))
    num_images = {split: int((splits == split).sum()) for split in SPLITS}
    return SplitList(record.run_id, str(target), num_images)
