"""Track jobs: who takes the role, who succeeds whom, and what is decided for good."""
