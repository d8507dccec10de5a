"""The stages of gfr as Prefect tasks, and what Prefect shows of a run."""
