"""Runtimes that load an exported model and classify images."""
