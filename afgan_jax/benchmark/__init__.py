"""Implements `--mode=benchmark`; training and scoring do not import it."""
