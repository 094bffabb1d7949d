"""Reach keys and files in the ring: read, write, list, check and keep a copy of them."""
