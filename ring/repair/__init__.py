"""Mend damage that was found on a disk, read all of it in turn to find more, and end values that have a term."""
