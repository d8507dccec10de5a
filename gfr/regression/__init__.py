"""Compare a run with its history."""
