"""The command line `gfr`: cli/main.py; one call of the library per command."""
