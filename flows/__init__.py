"""Prefect flows: flows/benchmark.py holds `gfr`."""
