"""What `--mode=benchmark` measures; training and scoring do not import it."""
