"""Decide who keeps a key and how its copies come to agree: pure machines, no socket, disk, clock or chance."""
