"""Find by hash trees where two homes differ, and make their copies equal; forget what need not be known any more."""
