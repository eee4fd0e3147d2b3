"""A recipe in several variants on several categories, as tables."""
