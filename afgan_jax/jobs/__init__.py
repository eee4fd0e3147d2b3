"""Runs training, evaluation, validation, calibration and prediction."""
