"""Image files to the pixels that networks see, without JAX."""
