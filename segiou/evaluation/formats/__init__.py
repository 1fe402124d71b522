"""One module for each kind of mask file: what it holds as whole numbers or colours, or why it cannot be read."""
