"""A benchmark file as frozen dataclasses; every mistake in it is reported by name."""
