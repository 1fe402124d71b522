"""The shell: ``segiou evaluate``, ``segiou compare`` and ``segiou labels``; the extra ``cli``."""
