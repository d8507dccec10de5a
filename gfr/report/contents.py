"""The sections of the report in their order."""

from gfr.report.section import Report, Section
from gfr.report.sections import (
    comparison,
    dataset,
    deployment,
    energy,
    error_analysis,
    examples,
    hardware,
    latency,
    learning_curves,
    parameters,
    published,
    references,
    regression,
    reproduce,
    seeds_splits,
    selection,
    significance,
    subgroups,
    summary,
    trials,
)

# A section is an entry here; its function returns None where a run has nothing to say.
SECTIONS = (
    *(summary, comparison, significance, references, selection, published, regression),
    *(error_analysis, subgroups, seeds_splits, learning_curves, examples),
    *(latency, deployment, hardware, dataset, parameters, trials, energy, reproduce),
)


def of(report: Report) -> list[Section]:
    """Return the sections of a report."""
    return [section for module in SECTIONS if (section := module.section(report))]
