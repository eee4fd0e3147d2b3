"""Exports trained methods as programs that run without JAX or Python."""
