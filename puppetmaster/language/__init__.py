"""Read the puppet language: its commands as values, whatever shape a script is in."""
