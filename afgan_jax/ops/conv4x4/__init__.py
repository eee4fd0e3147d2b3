"""The 4×4 convolutions of stride 2, in the form that is fastest."""
