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
    app(prog_name="segiou")


if __name__ == "__main__":
    main()
