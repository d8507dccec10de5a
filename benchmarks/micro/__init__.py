"""pytest-benchmark tests: the seconds of single calls, compared by tools/compare.py."""
