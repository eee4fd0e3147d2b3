"""Train, evaluate, validate, calibrate and predict: files in, results out."""
