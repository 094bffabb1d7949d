"""Run user code, in processes of its own and nowhere else."""
