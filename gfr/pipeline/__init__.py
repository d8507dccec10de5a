"""The way of a run from a request to the exported model, one module a stage."""
