"""Synthetic defects in pure JAX, for use inside the compiled step."""
