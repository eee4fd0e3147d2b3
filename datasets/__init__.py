"""Loads images from folders, tables and a generator; augments in TensorFlow."""
