"""Decide which peer runs which split and when a job is done: pure machines, no socket, disk, clock or chance."""
