"""Backbones, weights, features and heads."""
