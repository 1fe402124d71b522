"""The README: its blocks of Python, its commands, and the part of it below each heading."""

import re
from pathlib import Path
from typing import Any

README = Path(__file__).parents[2] / "README.md"
TEXT = README.read_text(encoding="utf-8")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = ("pip ", "python ", "segiou ", "torchrun ", "pytest", "ruff ", "mypy")


def blocks() -> list[tuple[int, str]]:
    """Every block of Python, with the number of its first line."""
    return [
        (TEXT[: found.start(2)].count("\n") + 1, found[2]) for found in FENCED.finditer(TEXT) if found[1] == "python"
    ]


def block_with(text: str) -> str:
    """The one block of Python that holds a text."""
    (found,) = [code for _, code in blocks() if text in code]
    return found


def run(code: str, names: dict[str, Any], line: int = 1) -> None:
    """Execute a block among names, which it adds to; errors show the line of the README."""
    exec(compile("\n" * (line - 1) + code, str(README), "exec"), names)


def commands() -> list[str]:
    """Every command for a shell: in lines of four spaces, after "$ ", and within a line of text."""
    prose = FENCED.sub("", TEXT)
    indented = "\n".join(line[4:] for line in prose.splitlines() if line.startswith("    "))
    shown = [*indented.replace("\\\n", " ").splitlines(), *re.findall(r"^\$ (.*)$", TEXT, re.MULTILINE)]
    inline = [code for code in re.findall(r"`([^`\n]+)`", prose) if code.startswith(COMMANDS)]
    return [single.strip() for line in (*shown, *inline) for single in line.split("&&")]


def section(heading: str) -> list[str]:
    """The lines below a heading of the second level."""
    start = TEXT.index(f"\n## {heading}\n") + 1
    end = TEXT.find("\n## ", start)
    return TEXT[start : end if end > 0 else None].strip().splitlines()[1:]
