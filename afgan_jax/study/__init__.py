"""Compares variants of a config on several categories, as tables."""
