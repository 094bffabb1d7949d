"""Hold the programs that `murmur run` and `murmur submit` know by name."""
