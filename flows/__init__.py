"""The Prefect flow `gfr` (benchmark.py) and the runners of its tasks."""
