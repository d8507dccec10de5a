"""Models that others trained, as files."""
