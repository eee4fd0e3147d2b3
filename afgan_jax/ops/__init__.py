"""Numeric functions shared by networks, augmentation and scores."""
