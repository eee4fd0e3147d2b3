"""Numeric functions that networks, augmentation and scores share."""
