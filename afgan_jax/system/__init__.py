"""Files, threads, caches and errors; nothing about images or networks."""
