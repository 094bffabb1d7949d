"""Play whole clusters of the real machines in virtual time, from one seed."""
