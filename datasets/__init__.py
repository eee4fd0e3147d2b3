"""Where images come from: sources, the decoder, augmentation in TensorFlow."""
