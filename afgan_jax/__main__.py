"""Runs the console command as `python -m afgan_jax`."""

from afgan_jax.cli.console import run

if __name__ == '__main__':
  run()
