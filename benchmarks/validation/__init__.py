"""Validation: whether alarms, regression checks and resuming work over many runs."""
