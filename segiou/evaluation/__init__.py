"""Folders of label masks: pairing, reading, what their values mean, and counting in threads and processes."""
