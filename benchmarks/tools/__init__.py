"""Tools: comparing benchmarks, and remaking files that the project keeps."""
