"""Load what a user wrote as a mapper, a reducer and settings: a Python program, or commands."""
