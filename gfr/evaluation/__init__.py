"""Metrics and statistics of predictions."""
