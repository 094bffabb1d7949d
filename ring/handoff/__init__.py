"""Keep what a peer out of reach has missed, and bring it when the peer is back."""
