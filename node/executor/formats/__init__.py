"""Turn the bytes of a split into records, and pairs into the bytes of a part."""
