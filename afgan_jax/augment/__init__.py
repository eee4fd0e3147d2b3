"""Synthetic defects and augmentation in pure JAX, for the compiled step."""
