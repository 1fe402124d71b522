"""The functions of module.c, where their arguments are explained."""

from segiou.counting.native import Described

def labels(
    preds: Described,
    target: Described,
    classes: int,
    items: int,
    ignored: tuple[int, ...],
    threads: int,
    launch: int,
    counts: int,
    errors: int,
    /,
) -> None: ...
def upsampled(
    preds: Described,
    target: Described,
    classes: int,
    items: int,
    ignored: tuple[int, ...],
    threads: int,
    launch: int,
    counts: int,
    errors: int,
    method: int,
    across: tuple[int, ...],
    down: tuple[int, ...],
    /,
) -> None: ...
def mark(
    labels: Described,
    classes: int,
    table: int,
    becomes: int,
    distance: int,
    border: bool,
    threads: int,
    launch: int,
    marked: int,
    /,
) -> None: ...
