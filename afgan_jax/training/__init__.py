"""Losses, the train step, checkpoints and the loop around them."""
