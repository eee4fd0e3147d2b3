"""Implements AFGAN: adversarial training, attention feature fusion."""
