"""One module a command of `gfr`, named after it; cli/main.py registers them."""
