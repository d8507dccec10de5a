"""The command line `gfr`; main.py registers its commands."""
