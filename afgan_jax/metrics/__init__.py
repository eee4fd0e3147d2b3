"""Computes image and pixel metrics, baselines and thresholds."""
