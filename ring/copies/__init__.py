"""Keep this peer's own copies: what a key holds, and what a store operation means."""
