"""Frozen backbones, their weights and features, and the heads on top of them."""
