"""Carry requests out: who is asked, how many must answer, and what was achieved."""
