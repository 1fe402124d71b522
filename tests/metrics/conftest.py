"""What is no test: a file that a type checker reads and nobody runs."""

collect_ignore = ["data/typed_use.py"]
