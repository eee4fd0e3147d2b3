"""Draws and writes the report of an evaluation."""
