"""Bring copies to where they belong: after an absence, and after a change of members."""
