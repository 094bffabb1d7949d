"""Keep executor processes at a peer: start them, weigh them, keep what they print, and see them ended."""
