"""Defines methods: how networks are trained and images are scored."""
