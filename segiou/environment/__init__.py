"""What segiou runs in: the packages that are installed, and whether this process is a fork. Loads nothing else."""
