"""Records of training: scalars, pictures and progress."""
