"""Latency, resources, energy, hardware and software versions."""
