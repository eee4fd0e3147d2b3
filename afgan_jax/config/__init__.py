"""Fields of a configuration: their rules, and how stored ones are read."""
