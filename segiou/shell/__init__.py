"""What the commands of the shell take, show and write."""
