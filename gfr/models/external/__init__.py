"""Readers of models that other tools wrote: one module per file format."""
