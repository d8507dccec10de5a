"""Reproduce: everything that determines the numbers, and the cost of each stage."""

from gfr.report import markdown
from gfr.report.section import Report, Section, Table
from gfr.results import costs
from gfr.results.costs import Stage


def section(report: Report) -> Section:
    """Return command, commit, digests and versions, then a row a stage."""
    run, record = report.run, report.run.record
    software = record.provenance
    changed = ", with uncommitted changes" if software.git_dirty else ""
    values = {
        "Commit": f"{software.git_commit}{changed}",
        "Lock file SHA-256": software.lock_sha256,
        "Data SHA-256": record.data.digest,
        **{f"{row.backbone} weights SHA-256": row.sha256 for row in record.weights},
        "Versions": ", ".join(f"{name} {version}" for name, version in software.versions.items()),
        "Python": f"{software.python} on {software.platform}",
        "Started": record.created_utc,
    }
    lines = [
        f"Command: {markdown.code(record.command)}",
        *(markdown.text(f"{name}: {value}") for name, value in values.items()),
        *([f"Export time: {run.export.wall_s:.0f} s"] if run.export else []),
    ]
    header = ["Stage", "Work", "Wall time (s)", "CPU time (s)", "Peak memory (GB)"]
    stages = Table(header, list(map(_row, costs.stages(run))))
    note = costs.refits_note(run)
    return Section("reproduce", "Reproduce", [markdown.bullets(lines), stages, note])


def _row(stage: Stage) -> list[str]:
    cost = stage.cost
    memory_gb = cost.peak_memory_bytes / 1e9
    return [stage.name, stage.did, f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}", f"{memory_gb:.2f}"]
