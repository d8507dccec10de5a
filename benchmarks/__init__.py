"""Benchmark files that users run (TOML), and measurements of gfr itself."""
