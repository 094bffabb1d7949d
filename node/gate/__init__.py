"""Stand at the edge of a peer that a puppet master has started, and do to it what the puppet master orders."""
