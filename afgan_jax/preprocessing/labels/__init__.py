"""Draws masks from the label files of annotation tools."""
