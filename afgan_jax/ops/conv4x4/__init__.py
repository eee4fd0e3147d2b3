"""4×4 convolutions of stride 2, fast on CPUs as well."""
