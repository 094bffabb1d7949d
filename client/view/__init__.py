"""Show a job while it runs: a pure fold of its statuses, a pure picture of the fold, and the loops that print it."""
