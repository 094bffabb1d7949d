"""Play scripts on live peers: carry out the commands, follow the jobs, and report what was seen."""
