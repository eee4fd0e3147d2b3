"""Files, threads, caches and errors: nothing of images or of networks."""
