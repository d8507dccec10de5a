"""Data sets: finding, reading, choosing and splitting images."""
