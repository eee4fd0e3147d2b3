"""Checkpoints with Orbax; the only place that knows it."""
