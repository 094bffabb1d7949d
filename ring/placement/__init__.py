"""Say where keys live: a pure function of the members."""
