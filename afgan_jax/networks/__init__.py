"""Flax modules of the generator and the discriminator."""
