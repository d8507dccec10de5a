"""Drawn faces for tests and for runs without CelebA."""
