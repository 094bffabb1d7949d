"""Move many records at once: what `map_batch` sees, and what passes from input to output without being taken apart."""
