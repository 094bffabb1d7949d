"""Run one peer: the pure machines plus sockets, disk and processes."""
