"""The report of a run: its analysis, its sections, and the files that they are written to."""
