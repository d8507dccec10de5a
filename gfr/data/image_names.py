"""Names of image files: what counts as one, and which file a listed name means."""

import unicodedata
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def is_image(name: str) -> bool:
    """Tell whether the name of a file is that of an image."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def is_shown(name: str) -> bool:
    """Tell whether a file or folder is not hidden and not one that macOS adds to archives."""
    return not name.startswith(".") and name != "__MACOSX"


def below(folder: Path) -> set[str]:
    """List the image files below a folder, as relative paths with slashes."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if is_image(path.name))
    return {path.as_posix() for path in paths if all(map(is_shown, path.parts))}


def num_there(listed: Collection[str], on_disk: set[str]) -> int:
    """Count the listed names that have a file."""
    return len(on_disk.intersection(listed)) + len(other_files(listed, on_disk))


def other_files(listed: Collection[str], on_disk: set[str]) -> dict[str, str]:
    """Map listed names without a file to the only file that they can mean.

    It differs in nothing but the suffix (`.png` or `.JPG` where `.jpg` is listed) and the Unicode
    form (macOS decomposes accents).
    """
    spare = on_disk.difference(listed)
    if not spare:
        return {}
    names, files = _by_key(set(listed).difference(on_disk)), _by_key(spare)
    return {
        names[key][0]: files[key][0]
        for key in names.keys() & files.keys()
        if len(names[key]) == len(files[key]) == 1
    }


def _by_key(names: Collection[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        stem = name.rpartition(".")[0] if is_image(name) else name
        groups[unicodedata.normalize("NFC", stem)].append(name)
    return groups
