"""Dataset: the numbers of men and women in each split."""

from gfr.report.section import Report, Section, Table
from gfr.types import SPLITS


def section(report: Report) -> Section:
    """Return a row a split."""
    split, rows = report.run.record.split, []
    for name in SPLITS:
        male, female = split.num_male[name], split.num_female[name]
        share = f"{male / (male + female):.1%}"
        rows.append([name, f"{male:,}", f"{female:,}", f"{male + female:,}", share])
    header = ["Split", "Male", "Female", "Images", "Share of male images"]
    return Section("dataset", "Dataset", [Table(header, rows)])
