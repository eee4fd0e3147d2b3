"""Implements the command line: flags, commands and printed output."""
