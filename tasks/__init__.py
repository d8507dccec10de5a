"""One statement per Prefect task: what `gfr` does, under the names that Prefect shows."""
