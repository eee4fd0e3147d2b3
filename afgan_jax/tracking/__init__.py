"""Logs training: losses, images and progress."""
