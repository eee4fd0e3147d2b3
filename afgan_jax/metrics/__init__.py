"""Image and pixel metrics, trivial baselines and thresholds."""
