"""The command line: flags, modes and what is printed."""
