"""Bring keys to their next homes when members join, leave or are removed, and foresee what that moves."""
