"""Sections of a report, from which summary.md and summary.html are both assembled.

A section is a list of blocks: Markdown text, tables, charts, and HTML for the page alone.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gfr.report.analysis import Analysis, Study
from gfr.report.figures import Entry, Figure
from gfr.report.published import Published
from gfr.results.records import Run

_NUMBER = re.compile(r"\W{0,3}\d")  # a value, a signed one, one in bold or in brackets


@dataclass(frozen=True)
class Report:
    """Everything that a section may use.

    `published` is None unless the run has the images of the published project. `thumbnails` are
    data URIs by image name, for the page.
    """

    run: Run
    analysis: Analysis
    published: Published | None = None
    thumbnails: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The title of both files."""
        record = self.run.record
        return f"gfr report: benchmark {record.benchmark.name}, run {record.run_id}"

    @property
    def has_seeds(self) -> bool:
        """Whether the heads were trained with several seeds."""
        return any(study.seeds.num > 1 for study in self.analysis.studies.values())

    @property
    def selected_first(self) -> list[Study]:
        """The studies of all trials, that of the selected trial first."""
        selected = self.run.selection.trial_id if self.run.selection else None
        return sorted(self.analysis.studies.values(), key=lambda study: study.trial_id != selected)


@dataclass(frozen=True)
class Table:
    """A table whose cells are Markdown. The page folds a table that has a title."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, str]]) -> "Table":
        """Return a table of rows that name the columns of their cells."""
        return cls(list(rows[0]), [list(row.values()) for row in rows])

    @property
    def is_numeric(self) -> list[bool]:
        """Whether each column holds numbers, which stand to the right; the first has names."""
        columns = zip(*self.rows, strict=True) if self.rows else [[] for _ in self.header]
        return [i > 0 and _is_numeric(cells) for i, cells in enumerate(columns)]


def _is_numeric(cells: Sequence[str]) -> bool:
    values = [cell for cell in cells if cell not in ("", "-")]
    return bool(values) and all(map(_NUMBER.match, values))


@dataclass(frozen=True)
class Chart:
    """Figures; with a `name`, summary.md shows them as `figures/<name>.svg`, else only the page.

    `layout` is the CSS class of the grid that the page arranges them in, `legend` one for all of
    them. The page folds figures that have a title but no name.
    """

    figures: Sequence[Figure]
    name: str = ""
    title: str = ""
    layout: str = ""
    legend: Sequence[Entry] = ()

    @property
    def is_folded(self) -> bool:
        """Whether the page shows only the title until a reader opens it."""
        return bool(self.title and not self.name)


@dataclass(frozen=True)
class Html:
    """A part of summary.html that summary.md does without: a template of assets/, and values."""

    template: str
    values: Mapping[str, object]


Block = str | Table | Chart | Html


@dataclass(frozen=True)
class Section:
    """One section: `id` is its anchor on the page; `page` holds the page's blocks if they differ.

    A string is Markdown, an empty one is left out.
    """

    id: str
    title: str
    blocks: Sequence[Block]
    page: Sequence[Block] | None = None
