"""Flax modules of the generator, discriminator and segmentation head."""
