"""Files: atomic writes, locks, hashes, JSON records, paths."""
