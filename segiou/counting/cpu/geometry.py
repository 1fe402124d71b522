"""The pixels of two tensors as four nested loops: as few and as long ones as their strides allow."""

from collections.abc import Sequence

AXES = 4
Axis = tuple[int, int, int]  # size, stride of the predictions, stride of the target


def span(sizes: Sequence[int], strides: Sequence[int]) -> int:
    """Elements from the first to the last of a tensor without empty axes."""
    return 1 + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))


def loops(axes: Sequence[Axis]) -> list[Axis]:
    """The same pixels, the predictions' smallest stride innermost, axes that continue each other joined."""
    ordered = sorted((axis for axis in axes if axis[0] != 1), key=lambda axis: -axis[1] if axis[1] else -(1 << 62))
    joined: list[Axis] = []
    for size, stride, other in ordered:
        if joined and joined[-1][1] == stride * size and joined[-1][2] == other * size:
            size *= joined.pop()[0]
        joined.append((size, stride, other))
    return joined


def nest(axes: Sequence[Axis], each: bool) -> list[Axis] | None:
    """Four axes, the innermost last; with ``each`` the first is the first given. None where four are too few."""
    if any(axis[0] == 0 for axis in axes):
        return [(0, 0, 0)] * AXES
    outer = [axes[0]] if each else []
    inner = loops(axes[1:] if each else axes)
    padding = AXES - len(outer) - len(inner)
    return None if padding < 0 else [*outer, *[(1, 0, 0)] * padding, *inner]
