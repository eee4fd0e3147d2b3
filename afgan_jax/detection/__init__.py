"""Scores, metrics, baselines and evaluation."""
