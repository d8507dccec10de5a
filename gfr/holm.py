"""Stands in for `gfr.stats.holm` until that is here."""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values -> adjusted ones in the same order: Holm (1979), a step-down Bonferroni test."""
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = least
    return adjusted
