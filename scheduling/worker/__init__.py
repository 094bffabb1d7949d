"""Work: claim tasks, follow the attempts, and replicate what comes out of them."""
