"""Deployment: the selected model in every format and engine, and the one to use."""

from gfr.report.section import Block, Report, Section
from gfr.report.sections import deployment_formats, deployment_front, deployment_web


def section(report: Report) -> Section | None:
    """Return a row a format, accuracy against latency, and the TensorFlow.js export."""
    blocks: list[Block] = [
        *deployment_formats.blocks(report.run),
        *deployment_front.blocks(report.run),
        *deployment_web.blocks(report),
    ]
    return Section("deployment", "Deployment", blocks) if blocks else None
