"""Keep a job's claims: the table of attempts, how its tasks stand by it, and which of them this peer takes next."""
