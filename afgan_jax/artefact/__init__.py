"""Reads exported detectors and runs them without JAX."""
