"""Schema and checks of a configuration, and reading of stored ones."""
