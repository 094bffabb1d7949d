"""Hold what one peer knows of one job, take in news of it, and spread what is new."""
