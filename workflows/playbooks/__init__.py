"""One file per section of the seed, or a folder where it needs modules of its own."""
