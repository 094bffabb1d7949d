"""Remove chunks that no record names any more, after a grace."""
