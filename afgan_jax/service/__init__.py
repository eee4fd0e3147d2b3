"""Serves detectors over HTTP, without JAX; see docs/service.md."""
