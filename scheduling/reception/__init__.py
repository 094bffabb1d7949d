"""Deal with clients and other peers: let jobs in, kill them, show them, and compare notes."""
