"""AFGAN: adversarial training with attention feature fusion (the paper)."""
