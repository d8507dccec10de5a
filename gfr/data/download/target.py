"""The directory that a download is put into."""

from pathlib import Path

from gfr.errors import InputError

RECORD = "fetched.json"  # says where the content of a directory is from


def is_free(directory: Path, replace: bool) -> bool:
    """Tell whether a download may be put there: it is empty, or an earlier one is to be replaced.

    Raises InputError if it cannot be replaced.
    """
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        if not replace:
            return False
        if not (directory / RECORD).is_file():
            raise InputError(f"{directory}: was not fetched by gfr. Move it away yourself")
    if directory.is_mount():
        raise InputError(f"{directory}: is a mount point. Name a directory in it")
    return True
