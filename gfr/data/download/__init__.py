"""Download data sets and extract them."""
