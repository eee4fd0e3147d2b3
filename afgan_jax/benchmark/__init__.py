"""What `--mode=benchmark` measures; nothing else imports it."""
