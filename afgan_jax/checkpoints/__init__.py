"""Saves and restores checkpoints; the only package that imports Orbax."""
