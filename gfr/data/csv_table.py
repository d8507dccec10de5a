"""Read the cells of a CSV as programs, spreadsheets and hands write it.

UTF-8 with or without a BOM, or UTF-16; commas, semicolons or tabs; quotes, CRLF and blank lines.
"""

import csv
import io
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from gfr.data import label_lists
from gfr.data.label_lists import SEPARATORS
from gfr.errors import InputError, reason

MAX_BYTES = 64_000_000  # CelebA's 202,599 rows of 40 attributes take 26 MB


@dataclass(frozen=True)
class Rows:
    """`header` and `rows` by line number, cells without spaces around; at least one row.

    `notes`: what is unusual about the form of the file.
    """

    header: tuple[str, ...]
    rows: dict[int, list[str]]
    notes: list[str]

    def frame(self) -> pd.DataFrame:
        """Return the cells as str, by line number."""
        rows, lines = list(self.rows.values()), list(self.rows)
        return pd.DataFrame(rows, index=lines, columns=list(self.header), dtype=object)


def read(path: Path, first_line: str) -> Rows:
    """Read a CSV with a column `image`; InputError names the file and the line.

    `first_line`: the first line that messages ask for.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(
                f"{path}: larger than {MAX_BYTES:,} bytes. Is it a CSV of {first_line}?"
            )
        content = path.read_bytes()
        text = label_lists.decode(content)
        separator = _separator(text)
        reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
        cells = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV in UTF-8 ({reason(error)}). Save it as one") from None
    rows = {line: row for line, row in cells if any(row)}
    if len(rows) < 2:
        raise InputError(f"{path}: no rows. Write {first_line}, then one line for each image")
    header = rows.pop(min(rows))
    for line, row in rows.items():
        if len(row) != len(header):
            raise error_at(path, line, f"{len(row)} fields, but the first line has {len(header)}")
    return Rows(tuple(header), rows, label_lists.form_notes(path, content, separator))


def error_at(path: Path, line: Hashable, why: str) -> InputError:
    """Make the error for a line of a CSV."""
    return InputError(f"{path}, line {line}: {why}")


def _separator(text: str) -> str:
    """Return what separates `image` from other columns in the first line; a comma if nothing."""
    first = next(filter(str.strip, text.splitlines()), "")
    for separator in SEPARATORS:
        cells = [cell.strip(' "').lower() for cell in first.split(separator)]
        if len(cells) > 1 and "image" in cells:
            return separator
    return ","
