"""``python -m segiou``, and the command ``segiou``."""

import sys
import warnings


def main() -> None:
    """Run the shell."""
    try:
        from segiou.cli.app import app
    except ModuleNotFoundError as error:
        sys.exit(f"the shell needs {error.name}: pip install 'segiou[cli]'")
    warnings.formatwarning = lambda message, *_, **__: f"Warning: {message}\n"
    try:
        app(prog_name="segiou")
    except OSError as error:  # of a standard output on a full disk; other files are named where they are written
        from segiou.cli.outputs import discard_output

        discard_output()
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
