"""Methods: what is trained, and how images are scored with it."""
