"""Converts JAX functions to ONNX, by the operations that methods use."""
