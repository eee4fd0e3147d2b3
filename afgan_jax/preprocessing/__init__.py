"""Converts image files to the pixels that networks see, without JAX."""
