"""Trains: the loop around train steps, checkpoints and logs."""
