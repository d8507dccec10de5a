"""The sections of the report in their order."""

from importlib import import_module

from gfr.report.section import Report, Section

# A section is an entry here, the name of its module in sections/; the function `section` of that
# module returns None where a run has nothing to say.
SECTIONS = (
    *("summary", "comparison", "significance", "selection", "published", "regression"),
    *("error_analysis", "subgroups", "seeds_splits", "learning_curves", "examples"),
    *("latency", "deployment", "hardware", "dataset", "parameters", "trials", "energy"),
    "reproduce",
)


def of(report: Report) -> list[Section]:
    """Return the sections of a report."""
    modules = (import_module(f"gfr.report.sections.{name}") for name in SECTIONS)
    return [section for module in modules if (section := module.section(report))]
